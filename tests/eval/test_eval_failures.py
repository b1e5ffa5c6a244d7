"""A picture that cannot be used is named, the report is of the others, the exit code says so."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from eval_standins import Brighten, CheapInception, Crops
from skimage import data

from palette.cli.main import main
from palette.data.images import write
from palette.errors import PictureError
from palette.eval.evaluate import evaluate, evaluate_shard
from palette.eval.merge import merge
from palette.eval.request import Request, WeightsFiles
from palette.shard import Shard
from palette.types import Picture


@dataclass(frozen=True)
class Fragile(Crops):
    """Crops of which some cannot be read, and one is too small for the task."""

    broken: tuple[int, ...] = ()
    tiny: int | None = None

    def read(self, index: int) -> Picture:
        if index in self.broken:
            raise PictureError(f"/somewhere/{self.ids[index]}: cut off")
        picture = super().read(index)
        return picture[:1] if index == self.tiny else picture


@pytest.fixture
def request_of_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Metrics of single pictures and of sets; the network is a stand-in."""
    monkeypatch.setattr("palette.eval.measure.Inception", CheapInception)
    (tmp_path / "weights.pth").write_text("unused")
    files = WeightsFiles(inception=tmp_path / "weights.pth")
    return Request(("psnr", "ssim", "fid", "diversity"), samples=2, weights=files, device="cpu")


def test_the_others_are_evaluated(tmp_path: Path, request_of_sets: Request) -> None:
    """Also where all sixteen pictures of a block are broken; each draws what it draws alone."""
    source = Fragile(40, broken=(3, *range(16, 32)), tiny=35)
    report = evaluate(Brighten(), source, tmp_path / "out", request_of_sets)
    assert set(report.failed) == {f"set/{i:03d}" for i in (*source.broken, 35)}
    assert report.failed["set/003"] == "/somewhere/set/003.JPEG: cut off"
    assert report.failed["set/035"].startswith("set/035 has 37×1 pixels")
    assert report.data["failed"] == json.loads(report.json.read_text())["failed"] == report.failed
    assert len(report.pictures) == 22
    assert report.table["mean"]["psnr"].count == report.table["mean"]["fid"].count == 22
    assert {line["picture"] for line in csv.DictReader(report.csv.open())}.isdisjoint(report.failed)
    text = report.as_text()
    assert "left out: /somewhere/set/003.JPEG: cut off" in text
    assert report.html.read_text().count("left out: ") == text.count("left out: ") == 18
    whole = evaluate(Brighten(), Crops(40), tmp_path / "whole", request_of_sets)
    values = {picture.record.name: picture.values for picture in whole.pictures}
    for picture in report.pictures:
        assert picture.values == values[picture.record.name]


def test_again_and_in_shards_it_is_the_same_report(
    tmp_path: Path, request_of_sets: Request
) -> None:
    source = Fragile(40, broken=(3, *range(16, 32)))
    report = evaluate(Brighten(), source, tmp_path / "out", request_of_sets)
    again = Brighten()
    evaluate(again, source, tmp_path / "out", request_of_sets)
    assert again.calls == 0
    shards = [tmp_path / f"shard-{i}" for i in range(3)]
    for i, shard in enumerate(shards):
        evaluate_shard(Brighten(), source, shard, request_of_sets, Shard(i, 3))
    merged = merge(shards, tmp_path / "merged")
    assert merged.json.read_bytes() == report.json.read_bytes()


def test_many_are_counted(tmp_path: Path) -> None:
    report = evaluate(Brighten(), Fragile(40, broken=tuple(range(1, 40))), tmp_path / "out")
    assert report.as_text().count("left out: /somewhere") == 20
    assert "left out: 19 more, see report.json" in report.as_text()


def test_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"none of 3 pictures can be used; the first: .*000"):
        evaluate(Brighten(), Fragile(3, broken=(0, 1, 2)), tmp_path / "out")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five pictures in a folder, the last of which is cut off in the middle."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i in range(5):
        crop = data.astronaut()[20 * i : 20 * i + 40, 30 * i : 30 * i + 48] / 255
        write(folder / f"{i}.png", crop.astype(np.float32))
    content = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(content[: len(content) // 2])
    return folder


def test_the_commands_exit_with_3(
    tmp_path: Path,
    photographs: Path,
    trained: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "report"
    command = ["evaluate", str(trained["jpeg-restoration"]), "--data", str(photographs)]
    assert main([*command, "--answer", "mean", "--out", str(out)]) == 3
    assert f"left out: {photographs / '4.png'}: cannot be decoded" in capsys.readouterr().out
    assert len(json.loads((out / "report.json").read_text())["pictures"]) == 4
    (photographs / "4.png").write_bytes((photographs / "3.png").read_bytes())
    assert main([*command, "--answer", "mean", "--out", str(tmp_path / "sound")]) == 0


@pytest.mark.parametrize("fault", ["broken", "of another size", "without a mask"])
def test_a_comparison_goes_on(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    originals, masks = tmp_path / "originals", tmp_path / "masks"
    originals.mkdir()
    masks.mkdir()
    for i in range(5):
        picture = np.full((40, 48, 3), 0.5, np.float32)
        write(originals / f"{i}.png", picture)
        write(masks / f"{i}.png", np.ones_like(picture))
    if fault == "of another size":
        write(photographs / "4.png", np.zeros((9, 9, 3), np.float32))
    if fault == "without a mask":
        write(photographs / "4.png", np.zeros((40, 48, 3), np.float32))
        write(masks / "4.png", np.ones((9, 9, 3), np.float32))
    out = tmp_path / "out"
    command = ["compare", str(photographs), str(originals), "--masks", str(masks)]
    assert main([*command, "--out", str(out)]) == 3
    reason = {
        "broken": f"{photographs / '4.png'}: cannot be decoded",
        "of another size": f"{photographs / '4.png'} has 9×9 pixels, its original 48×40",
        "without a mask": f"{masks / '4.png'}: the mask has 9×9 pixels",
    }
    assert f"left out: {reason[fault]}" in capsys.readouterr().out
    assert len(json.loads((out / "report.json").read_text())["pictures"]) == 4
    assert not (out / "restored" / "4.png").exists()
