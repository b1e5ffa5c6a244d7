"""Pictures that cannot be read: named once, left out from then on, recorded; the run goes on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, partners
from short_runs import assert_equal_bits, lines, run, run_and_stop, saved, training_set

import palette
from palette.cli.main import main
from palette.config import merge
from palette.data.images import read, write
from palette.data.opening import open_source
from palette.errors import PictureError, UserError
from palette.training.left_out import AT_ONCE, LeftOut

COUNT = 8
LAYER: dict[str, Any] = {"data": {"val_share": 0.0}}


@pytest.fixture
def data(tmp_path: Path, photos: Path) -> Path:
    """Pictures that a test may break."""
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(COUNT):
        path = sorted(photos.rglob("*.*"))[i % 6]
        shutil.copy(path, folder / f"{i:02}{path.suffix}")
    return folder


def cut(folder: Path, *numbers: int) -> list[Path]:
    """Cut these pictures off in their middle."""
    paths = [next(folder.glob(f"{number:02}.*")) for number in numbers]
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return paths


def left_out(run: Path, use: str = "training") -> dict[str, int]:
    """Pictures and positions as they are recorded."""
    entries = json.loads((run / "left_out.json").read_text())[use]
    return {entry["picture"]: entry["position"] for entry in entries}


@pytest.mark.parametrize(("workers", "stop"), [(0, 1), (2, 5)])
def test_a_broken_picture_is_named_once_and_the_run_goes_on_to_the_same_bits(
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    workers: int,
    stop: int,
) -> None:
    """Stopped in the first epoch, before both have been met, and in the second."""
    broken = cut(data, 2, 5)
    what = (data, 8, "denoising", LAYER)
    whole = run(tmp_path / "whole", *what)
    told = re.findall(r"palette: .*/(\d\d)\.\w+: .*left out", capsys.readouterr().err)
    assert sorted(told) == ["02", "05"]
    found = left_out(whole)
    assert found.keys() == {path.name for path in broken}
    assert max(found.values()) < COUNT
    assert [line["step"] for line in lines(whole)] == [8]

    part = run_and_stop(stop, monkeypatch, tmp_path / "part", *what, workers=workers)
    palette.resume(part)
    assert capsys.readouterr().err.count("left out from now on") == 2
    assert_equal_bits(saved(whole, 8), saved(part, 8))
    assert left_out(part) == found


def test_the_others_are_each_seen_once_an_epoch_and_one_of_them_twice(data: Path) -> None:
    crops = training_set("denoising", data)
    cut(data, 5)
    seen = []
    for position in range(COUNT):
        stored, _ = crops._stored(position, crops.members[0].task)
        seen += [i for i in range(COUNT) if i != 5 and crops.source.stored(i) is stored]
    assert sorted(set(seen)) == [i for i in range(COUNT) if i != 5]
    assert len(seen) == COUNT


def test_it_stays_out_when_it_is_repaired_while_the_run_goes_on(data: Path) -> None:
    """Also for another process, and not at positions before."""
    crops = training_set("denoising", data)
    (path,) = cut(data, 5)
    for position in range(COUNT):
        crops.example(position)
    (first,) = crops.left_out.fresh(COUNT).values()
    write(path.with_suffix(".png"), np.zeros((40, 40, 3), np.float32))
    if path.suffix != ".png":
        path.with_suffix(".png").replace(path)
    task = crops.members[0].task
    for epoch in (1, 2):
        for position in range(epoch * COUNT, (epoch + 1) * COUNT):
            stored, _ = crops._stored(position, task)
            assert stored.any()
    before = [crops._stored(position, task)[0] for position in range(first)]
    assert all(stored.any() for stored in before)


@pytest.mark.parametrize("how", ["repaired", "repaired in its size", "removed"])
def test_what_was_broken_and_is_not_any_more_is_refused_by_name(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    path = next(data.glob("03.*"))
    sound = path.read_bytes()
    path.write_bytes(bytes(len(sound)) if how == "repaired in its size" else sound[:100])
    out = run(tmp_path / "run", data, 4, "denoising", LAYER)
    palette.resume(out, steps=5)  # still broken, which is no change
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(sound)
    capsys.readouterr()
    assert main(["resume", str(out), "--steps", "6"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert re.search(rf"{path.name}.*could not be read.*--accept-data", message)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before

    assert main(["resume", str(out), "--steps", "6", "--accept-data"]) == 0
    about = json.loads((out / "run.json").read_text())
    (earlier,) = about["earlier_data"]
    assert (earlier["until_step"], earlier["pictures"]) == (5, COUNT)
    assert path.name in earlier["changes"][0]
    assert about["pictures"] == COUNT - (how == "removed")
    assert not (out / "left_out.json").exists()
    palette.resume(out, steps=7)  # it is known by now
    assert len(json.loads((out / "run.json").read_text())["earlier_data"]) == 1


def test_pictures_that_came_are_accepted_too(tmp_path: Path, data: Path) -> None:
    out = run(tmp_path / "run", data, 2, "denoising", LAYER)
    shutil.copy(next(data.glob("03.*")), data / "more.png")
    with pytest.raises(UserError, match=rf"{COUNT} then, {COUNT + 1} now\).*--accept-data"):
        palette.resume(out, steps=3)
    palette.resume(out, steps=3, accept_data=True)
    (earlier,) = json.loads((out / "run.json").read_text())["earlier_data"]
    assert earlier["pictures"] == COUNT


@pytest.mark.parametrize("workers", [0, 1])
def test_where_none_can_be_read_there_is_one_clear_error(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    cut(data, *range(COUNT))
    with pytest.raises(PictureError, match=r"8 of 8 pictures in a row cannot be read, e\.g\. "):
        run(tmp_path / "run", data, 2, "denoising", LAYER, workers=workers)
    assert "left out" not in capsys.readouterr().err


def test_a_folder_that_vanishes_ends_the_run_and_nothing_is_recorded(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network does. What was done is saved, and goes on when the folder is back."""
    for i in range(COUNT, AT_ONCE + 2):
        shutil.copy(next(data.glob("03.*")), data / f"{i:02}.png")
    whole = run(tmp_path / "whole", data, 6, "denoising", LAYER)
    out = run_and_stop(2, monkeypatch, tmp_path / "run", data, 6, "denoising", LAYER)
    opened = open_source

    def vanishing(where: Path, *rest: Any, **more: Any) -> Any:
        source = opened(where, *rest, **more)
        data.rename(tmp_path / "away")
        return source

    fingerprint = open_source(data).fingerprint()
    with monkeypatch.context() as patch:
        patch.setattr("palette.data.opening.open_source", vanishing)
        patch.setattr("palette.data.sources._Files.fingerprint", lambda _: fingerprint)
        with pytest.raises(PictureError, match=r"in a row cannot be read.*No such file"):
            palette.resume(out)
    assert not (out / "left_out.json").exists()
    (tmp_path / "away").rename(data)
    palette.resume(out)
    assert_equal_bits(saved(whole, 6), saved(out, 6))


def test_too_many_end_the_run_with_all_that_was_done(tmp_path: Path, data: Path) -> None:
    cut(data, 1, 3, 5, 7)
    with pytest.raises(UserError, match=r"4 of 8 pictures for training cannot be read") as caught:
        run(tmp_path / "run", data, 4, "denoising", LAYER)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run" / "model").exists()
    with pytest.raises(UserError, match=r"4 of 8 pictures for training cannot be read"):
        palette.resume(tmp_path / "run", accept_data=True)
    for path in data.glob("0[1357].*"):
        path.unlink()
    palette.resume(tmp_path / "run", accept_data=True)


def test_in_a_pack(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "data.h5"
    palette.pack(data, packed)
    content = bytearray(packed.read_bytes())
    index = open_source(packed)._index  # type: ignore[attr-defined]
    content[int(index.offsets[5]) + 40] ^= 1
    packed.write_bytes(content)
    out = run(tmp_path / "run", packed, 4, "denoising", LAYER)
    assert left_out(out).keys() == {index.names[5]}
    assert "have changed; pack it again. It is left out" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["target", "input"])
@pytest.mark.parametrize("kept", [30, 0.5])
def test_of_a_pair(tmp_path: Path, data: Path, side: str, kept: float) -> None:
    """Its header, or its pixels."""
    given = partners(data)
    folder = data if side == "target" else given
    path = next(folder.glob("05.*"))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    config = merge(TINY, LAYER, {"train": {"checkpoint_every": 4}})
    palette.train("paired", data, tmp_path / "run", input=given, steps=4, config=config)
    assert left_out(tmp_path / "run").keys() == {next(data.glob("05.*")).name}


def test_in_validation(
    tmp_path: Path, data: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = cut(data, 5)
    layer = {"data": {"val": str(data), "val_crops": COUNT}}
    out = run(tmp_path / "run", photos, 2, "denoising", layer, validate_every=2)
    assert left_out(out, "validation").keys() == {path.name}
    assert left_out(out) == {}
    assert capsys.readouterr().err.count("left out from now on") == 1
    palette.resume(out, steps=4)
    write(path, read(next(data.glob("04.*"))).picture)
    with pytest.raises(UserError, match=r"05\.\w+ could not be read then and can be now"):
        palette.resume(out, steps=5)


def test_colours_are_learnt_from_what_can_be_read_and_is_not_grey(data: Path) -> None:
    for path in data.glob("*.*"):
        picture = read(path).picture.mean(-1, keepdims=True).repeat(3, -1)
        if not path.name.startswith("02"):
            write(path.with_suffix(".png"), picture)
        if path.suffix != ".png" and not path.name.startswith("02"):
            path.unlink()
    cut(data, 4)
    crops = training_set("colorization", data)
    chosen = [crops._stored(p, crops.members[0].task)[0] for p in range(2 * COUNT)]
    assert all(np.ptp(stored, axis=-1).any() for stored in chosen)


def test_positions_decide_which_are_handed_out() -> None:
    """One that a worker met ahead of its use is named when its example is used."""
    left = LeftOut()
    left.prepare(5)
    left.add(3, 17)
    left.add(1, 4)
    left.add(1, 6)
    assert left.fresh(10) == {1: 4}
    assert left.fresh(10) == {}
    assert left.fresh(18) == {3: 17}
    assert left.holds(3, 17)
    assert not left.holds(3, 16)
    left.restore(0, 2)
    left.add(4, 40)
    assert left.fresh(50) == {4: 40}
