"""`palette degrade`: pairs, names, records, replays, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

import palette
from palette.cli.main import main
from palette.data.images import read, write
from palette.degradations import build
from palette.degradations.records import draw
from palette.degradations.records import read as read_records
from palette.errors import INTEGRITY, OK, SOME_FAILED, USAGE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs, one in a subfolder; and b.jpg beside b.png."""
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    Image.fromarray(data.astronaut()[:80, :121]).save(root / "a.png")
    Image.fromarray(data.coffee()[:90, :70]).save(root / "sub" / "c.jpg", quality=95)
    return root


def degrade(*args: object) -> int:
    return main(["degrade", *map(str, args)])


def files(root: Path) -> set[str]:
    """What a user sees there."""
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".")}


def test_a_folder_gives_pairs_of_the_same_names_and_records(folder: Path, tmp_path: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    out = tmp_path / "out"
    assert degrade("bsr", folder, out, "--scale", 2, "--seed", 7) == OK
    assert files(out) == {
        "records.jsonl",
        *(f"{kind}/{name}" for kind in ("clean", "degraded") for name in ("a.png", "sub/c.png")),
    }
    assert read(out / "degraded" / "a.png").picture.shape == (40, 60, 3)
    for name, original in {"a.png": "a.png", "sub/c.png": "sub/c.jpg"}.items():
        clean = read(folder / original).picture[:90, :120]  # even sides
        assert np.array_equal(read(out / "clean" / name).picture, clean)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before

    degradation = build("bsr", 2)
    for index, record in enumerate(read_records(out / "records.jsonl")):
        clean = read(folder / record.source).picture[:90, :120]
        params = draw(degradation, clean, seed=7, index=index)
        assert record.params == params
        made = read(out / "degraded" / record.output).picture
        assert np.array_equal(made, degradation.apply(clean, params))


@pytest.mark.parametrize("name", ["sr_bicubic", "bsr", "real_esrgan", "bsr:0.5,sr_bicubic:0.5"])
def test_a_scale_cuts_originals_to_its_multiple(folder: Path, tmp_path: Path, name: str) -> None:
    """80×121 and 90×70: the pairs are of exact multiples, and compare as they are."""
    out, again = tmp_path / "out", tmp_path / "again"
    assert degrade(name, folder, out, "--scale", 4) == OK
    for output, original in {"a.png": "a.png", "sub/c.png": "sub/c.jpg"}.items():
        clean, small = (read(out / kind / output).picture for kind in ("clean", "degraded"))
        height, width = small.shape[:2]
        assert clean.shape[:2] == (4 * height, 4 * width)
        whole = read(folder / original).picture
        assert max(np.subtract(whole.shape, clean.shape)) < 4
        assert np.array_equal(clean, whole[: 4 * height, : 4 * width])
        restored = tmp_path / "restored" / output
        restored.parent.mkdir(parents=True, exist_ok=True)
        write(restored, clean)
    assert palette.compare(tmp_path / "restored", out / "clean", tmp_path / "report")
    assert degrade(name, folder, again, "--replay", out / "records.jsonl") == OK


def test_a_picture_below_the_scale_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(data.cat()[:9, :3]).save(folder / "tiny.png")
    assert degrade("sr_bicubic", folder, tmp_path / "out", "--scale", 4) == SOME_FAILED
    message = capsys.readouterr().err
    assert "tiny.png: 3×9 pixels, and the scale 4 needs 4×4" in message
    assert files(tmp_path / "out" / "clean") == {"a.png", "sub/c.png"}


def test_holes_get_masks(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert degrade("palette_inpainting", folder, out) == OK
    mask = read(out / "mask" / "a.png").picture
    degraded = read(out / "degraded" / "a.png").picture
    clean = read(out / "clean" / "a.png").picture
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert np.array_equal(degraded[mask == 0], clean[mask == 0])
    assert np.abs(degraded[mask == 1] - 0.5).max() < 1 / 255


def test_one_picture_to_one_file(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.png"
    records = tmp_path / "one.jsonl"
    assert degrade("sr_bicubic", folder / "a.png", target, "--records", records) == OK
    assert read(target).picture.shape == (20, 30, 3)
    assert [record.source for record in read_records(records)] == ["a.png"]
    hole = tmp_path / "hole.png"
    assert degrade("centre", folder / "a.png", hole) == OK
    assert files(tmp_path) >= {"hole.png", "hole_mask.png"}


def test_count_gives_versions_that_differ(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert degrade("palette_jpeg", folder, out, "--count", 3) == OK
    assert {f"degraded/a_{i}.png" for i in range(3)} <= files(out)
    assert {f"clean/a_{i}.png" for i in range(3)} <= files(out)
    views = [(r.source, r.view) for r in read_records(out / "records.jsonl")]
    assert views == [(source, view) for source in ("a.png", "sub/c.jpg") for view in range(3)]


def test_files_that_differ_in_their_suffix_only_both_stay(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(data.cat()[:32, :32]).save(folder / "a.jpg")
    out = tmp_path / "out"
    assert degrade("grayscale", folder, out) == OK
    assert len([name for name in files(out) if name.startswith("degraded/a")]) == 2


def test_a_replay_makes_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    assert degrade("real_esrgan", folder, out, "--count", 2, "--scale", 2) == OK
    records = out / "records.jsonl"
    assert degrade("real_esrgan", folder, again, "--replay", records) == OK
    for name in files(out / "degraded"):
        assert (out / "degraded" / name).read_bytes() == (again / "degraded" / name).read_bytes()


def test_records_without_a_line_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    assert degrade("bsr", folder, tmp_path / "out", "--replay", tmp_path / "none.jsonl") == USAGE
    assert "none.jsonl records no pictures" in capsys.readouterr().err


def test_a_replay_notices_what_differs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert degrade("jpeg", folder, out) == OK
    lines = (out / "records.jsonl").read_text().splitlines()
    record = json.loads(lines[0])
    record["params"]["quality"] = 7
    changed = tmp_path / "changed.jsonl"
    changed.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    assert degrade("jpeg", folder, tmp_path / "again", "--replay", changed) == INTEGRITY

    Image.fromarray(data.cat()[:80, :121]).save(folder / "a.png")
    third = tmp_path / "third"
    assert degrade("jpeg", folder, third, "--replay", out / "records.jsonl") == SOME_FAILED
    assert files(third / "degraded") == {"sub/c.png"}


def test_pins_and_severity_are_recorded(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ["--set", "jpeg.quality=40", "--set", "noise.kind=grey", "--severity", "0.5"]
    assert degrade("bsr", folder, out, *flags) == OK
    for record in read_records(out / "records.jsonl"):
        assert record.pins == {"jpeg.quality": 40, "noise.kind": "grey"}
        assert record.severity == 0.5
        text = json.dumps(record.params)
        assert text.count('"quality"') == text.count('"quality": 40') > 0


def test_sixteen_bits_and_alpha_are_kept_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    generator = np.random.default_rng(0)
    deep = generator.integers(0, 2**16, (24, 32, 3), dtype=np.uint16)
    cv2.imwrite(str(root / "deep.png"), deep)
    clear = generator.integers(0, 256, (24, 32, 4), dtype=np.uint8)
    Image.fromarray(clear).save(root / "clear.png")

    assert degrade("sr_bicubic", root, out, "--scale", 2) == OK
    assert read(out / "degraded" / "deep.png").bit_depth == 16
    small = read(out / "degraded" / "clear.png").alpha
    assert small is not None
    assert small.shape == (12, 16)

    assert degrade("jpeg", root, tmp_path / "jpeg") == SOME_FAILED
    assert "Jpeg holds 8 bits, the file has 16" in capsys.readouterr().err
    photo = read(tmp_path / "jpeg" / "degraded" / "clear.png")
    assert photo.alpha is not None
    assert np.array_equal(np.rint(photo.alpha * 255), clear[..., 3])


def test_a_broken_file_does_not_stop_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    assert degrade("grayscale", folder, out) == SOME_FAILED
    assert files(out / "degraded") == {"a.png", "sub/c.png"}
    assert "broken.png" in capsys.readouterr().err


def test_the_contact_sheet_is_a_picture(folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert degrade("bsr", folder, tmp_path / "out", "--count", 3, "--grid", sheet) == OK
    picture = read(sheet).picture
    assert picture.shape[1] > 4 * 256
    assert 0.1 < picture.mean() < 0.99


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--severity", "2"], "severity 2.0 is not in"),
        (["--count", "0"], "count 0 is below 1"),
        (["--set", "jpeg.qualty=3"], "nothing to pin as 'jpeg.qualty'"),
        (["--set", "quality"], "write NAME.PARAM=VALUE"),
        (["--scale", "0"], "scale 0 is below 1"),
        (["--replay", "gone.jsonl"], "gone.jsonl"),
        (["--replay", "gone.jsonl", "--count", "3"], "leave out flags that draw"),
    ],
)
def test_wrong_flags_are_answered_before_anything_is_written(
    flags: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert degrade("bsr", folder, out, *flags) == USAGE
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_overwritten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert degrade("grayscale", folder, out) == OK
    assert degrade("grayscale", folder, out, "--seed", "1") == USAGE
    assert "(seed was 0 and is 1): choose another output" in capsys.readouterr().err
    (out / "records.jsonl").unlink()
    assert degrade("grayscale", folder, out) == USAGE
    assert "choose another output" in capsys.readouterr().err
    assert degrade("grayscale", folder / "a.png", folder / "a.png") == USAGE
    assert degrade("grayscale", folder, tmp_path / "new", "--grid", folder / "a.png") == USAGE
    assert degrade("grayscale", tmp_path / "gone", tmp_path / "new") == USAGE
    several = ["--count", "2"]
    assert degrade("grayscale", folder / "a.png", tmp_path / "one.png", *several) == USAGE
    assert "2 versions need a folder" in capsys.readouterr().err
