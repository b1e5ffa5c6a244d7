"""What is to be restored and where it goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palette.restoring.job import Job, target_of
from palette.restoring.output import Output


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def targets(job: Job) -> list[str]:
    return [item.target.relative_to(job.out).as_posix() for item in job.items()]


@pytest.mark.parametrize(
    ("name", "output", "target"),
    [
        ("a.jpg", Output(), "a.png"),
        ("a.b.JPG", Output(format="tif", suffix="_x4"), "a.b_x4.tif"),
        ("deep/a.JPG", Output(format="auto"), "deep/a.JPG"),
        ("a.webp", Output(format="auto", suffix=".new"), "a.new.webp"),
        ("a.bmp", Output(format="auto"), "a.png"),
        ("a.gif", Output(format="auto"), "a.png"),
        ("scan.v2", Output(format="webp"), "scan.v2.webp"),
        ("scan", Output(), "scan.png"),
    ],
)
def test_names_of_outputs(name: str, output: Output, target: str) -> None:
    assert target_of(Path(name), output).as_posix() == target


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"quality": 0}, "quality is 0"),
        ({"quality": 101, "format": "jpg"}, "1 to 100"),
        ({"suffix": "/x4"}, "suffix"),
        ({"suffix": "/../.."}, "suffix"),
        ({"suffix": "\0"}, "suffix"),
    ],
)
def test_choices_that_cannot_be(choices: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Output(**choices)


def test_quality_is_of_formats_that_have_one(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png")
    with pytest.raises(ValueError, match="tif loses nothing"):
        Job([tmp_path / "in"], tmp_path / "out", Output(format="tif", quality=80)).items()
    output = Output(format="auto", quality=70)
    names = ("a.jpg", "a.JPEG", "a.webp", "a.png", "a.tif")
    assert [output.quality_of(Path(name)) for name in names] == [70, 70, 70, None, None]


def test_several_inputs(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.png", "one/deep/b.png", "two/c.jpg", "d.webp")
    sources = [tmp_path / "one", tmp_path / "d.webp", tmp_path / "two", tmp_path / "one" / "a.png"]
    job = Job(sources, tmp_path / "out")
    assert targets(job) == ["a.png", "deep/b.png", "d.png", "c.png"]
    assert targets(Job(sources, tmp_path / "out", recursive=False)) == ["a.png", "d.png", "c.png"]


def test_all_collisions_are_told_at_once(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/a.jpg", "in/b.png", "in/B.webp", "in/e\u0301.png", "in/c.png")
    touch(tmp_path, "in/\u00e9.jpg", "other/c.png")
    with pytest.raises(ValueError, match="--format auto") as error:
        Job([tmp_path / "in", tmp_path / "other"], tmp_path / "out").items()
    text = str(error.value)
    assert text.count("would both become") == 4
    for name in ("a.jpg", "a.png", "b.png", "B.webp", "e\u0301.png", "\u00e9.jpg", "other/c.png"):
        assert name in text
    kept = Job([tmp_path / "in"], tmp_path / "out", Output(format="auto"))
    assert len(kept.items()) == 7
    touch(tmp_path, "in/a.bmp", "in/a.gif")
    with pytest.raises(ValueError, match=r"would all become .*a\.png: rename them$"):
        kept.items()


@pytest.mark.parametrize("way", ["plain", "absolute", "linked", "dots"])
def test_outputs_and_masks_inside_of_the_inputs_are_no_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    touch(tmp_path, "in/a.png", "in/out/a.png", "in/out/deep/b.png", "in/masks/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "in", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "in")
    root = {"plain": Path("."), "absolute": tmp_path / "in", "linked": tmp_path / "link"}
    source = root.get(way, Path("../in"))
    for other in (*root.values(), Path("out/../../in")):
        job = Job([source], other / "out", masks=other / "masks")
        assert [item.name.as_posix() for item in job.items()] == ["a.png"]


def test_inputs_are_never_replaced(tmp_path: Path) -> None:
    inbox = touch(tmp_path / "in", "a.png", "b.png")
    with pytest.raises(ValueError, match="folder of the inputs"):
        Job([inbox], inbox).items()
    with pytest.raises(ValueError, match="folder of the inputs"):
        Job([inbox], tmp_path / "out", masks=inbox).items()
    files = [inbox / "a.png", inbox / "b.png"]
    with pytest.raises(ValueError, match=r"a\.png, .*b\.png would be replaced"):
        Job(files, inbox, Output(overwrite=True)).items()
    assert targets(Job(files, inbox, Output(suffix="_x4"))) == ["a_x4.png", "b_x4.png"]
    os.link(inbox / "b.png", tmp_path / "a.png")  # the same file by another name
    with pytest.raises(ValueError, match="would be replaced"):
        Job([inbox], tmp_path, Output(overwrite=True)).items()


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/b.DNG", "in/c.dng", "in/d.psd", "in/README", "in/.hidden")
    with pytest.warns(UserWarning, match=r"passed over 2 \.dng, 1 \.psd, 1 without a suffix"):
        Job([tmp_path / "in"], tmp_path / "out").items()
    touch(tmp_path, "raw/b.dng")
    with pytest.raises(ValueError, match=r"holds no pictures, only .* \(1 \.dng\): choose"):
        Job([tmp_path / "raw"], tmp_path / "out").items()


def test_a_folder_that_looks_like_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png")
    with pytest.raises(ValueError, match=r"out\.PNG looks like a picture"):
        Job([tmp_path / "in"], tmp_path / "out.PNG").items()
    (tmp_path / "out.PNG").mkdir()
    assert targets(Job([tmp_path / "in"], tmp_path / "out.PNG")) == ["a.png"]
