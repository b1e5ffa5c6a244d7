"""The engine, with a stand-in for the model: rows, files, resuming, errors."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from eval_standins import Brighten, CheapInception, Crops

from palette.errors import IntegrityError, UserError
from palette.eval.evaluate import evaluate, evaluate_shard, finish
from palette.eval.merge import merge
from palette.eval.metrics.pixels import read_pixels
from palette.eval.report.result import Report
from palette.eval.request import Request, WeightsFiles
from palette.eval.workspace import Workspace
from palette.shard import Shard, parse_shard

ROWS_OF_FOUR = ("sample", "sample-1", "sample-2", "sample-3")


def test_rows_files_and_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = evaluate(Brighten(), Crops(), out, Request(samples=2))
    assert list(report.data["table"]) == ["input", "baseline", "original", "mean", "sample"]
    psnr = {row: report.value(row, "psnr") for row in report.data["table"]}
    assert psnr["mean"] is not None
    assert psnr["baseline"] is not None
    assert psnr["sample"] is not None
    assert psnr["mean"] > psnr["baseline"]
    assert psnr["mean"] > psnr["sample"]
    assert psnr["original"] is None
    assert "infinite" in report.data["table"]["original"]["psnr"]["reason"]
    assert report.value("original", "ssim") == pytest.approx(1)
    for row in ("reference", "input", "baseline", "mean", "sample", "sample-1"):
        assert len(list((out / row / "set").glob("*.png"))) == 5
    text = report.json.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == report.data
    lines = list(csv.DictReader(report.csv.open()))
    assert len(lines) == 5 * 5
    assert {line["picture"] for line in lines} == {f"set/{i:03d}" for i in range(5)}
    assert "http" not in report.html.read_text().replace("http-equiv", "")
    assert "model, mean answer" in report.as_text()


def test_the_values_are_those_of_the_saved_pictures(tmp_path: Path) -> None:
    from skimage.io import imread
    from skimage.metrics import peak_signal_noise_ratio

    report = evaluate(Brighten(), Crops(), tmp_path / "out")
    for picture in report.data["pictures"]:
        target = imread(tmp_path / "out" / "reference" / f"{picture['name']}.png")
        answer = imread(tmp_path / "out" / "mean" / f"{picture['name']}.png")
        by_hand = peak_signal_noise_ratio(target, answer, data_range=255)
        assert picture["values"]["mean"]["psnr"] == pytest.approx(by_hand, abs=1e-9)
        assert max(target.shape[:2]) % 2 == 0


@pytest.fixture
def cheap_inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a weights file, whatever it holds: the network is a stand-in."""
    monkeypatch.setattr("palette.eval.measure.Inception", CheapInception)
    path = tmp_path / "weights.pth"
    path.write_text("unused")
    return path


def whole_request(weights: Path) -> Request:
    metrics = ("psnr", "ssim", "consistency", "fid", "kid", "is", "diversity")
    files = WeightsFiles(inception=weights)
    return Request(metrics, samples=2, weights=files, device="cpu")


class Killed(BaseException):
    """Ends a run at once, as a kill does."""


def run_until_write(number: int | None, out: Path, request: Request) -> tuple[int, Report | None]:
    """Run, but die when the n-th file is about to get its name; how many got theirs."""
    written, replace = 0, os.replace

    def dying(source: Path, target: Path) -> None:
        nonlocal written
        if written == number:
            raise Killed
        replace(source, target)
        written += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", dying)
        try:
            report = evaluate(Brighten(), Crops(20), out, request)
        except Killed:
            report = None
    return written, report


def test_killed_at_any_stage_and_run_again_gives_the_same_bytes(
    tmp_path: Path, cheap_inception: Path
) -> None:
    request = whole_request(cheap_inception)
    files, whole = run_until_write(None, tmp_path / "whole", request)
    assert whole is not None
    # In the pictures, between their blocks, in values and features, just before the report.
    for number in (0, 97, files - 14, files - 8, files - 3, files - 1):
        out = tmp_path / f"killed-{number}"
        assert run_until_write(number, out, request) == (number, None)
        again = evaluate(Brighten(), Crops(20), out, request)
        assert again.json.read_bytes() == whole.json.read_bytes(), number
        assert again.csv.read_bytes() == whole.csv.read_bytes(), number


def test_a_real_kill_leaves_no_half_file(tmp_path: Path) -> None:
    whole = evaluate(Brighten(), Crops(20), tmp_path / "whole")
    child = os.fork()
    if child == 0:
        replace, count = os.replace, 0

        def dying(source: Path, target: Path) -> None:
            nonlocal count
            count += 1
            if count == 30:  # the bytes are on the disk, the name is not
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)

        setattr(os, "replace", dying)  # noqa: B010
        evaluate(Brighten(), Crops(20), tmp_path / "killed")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "report.json").exists()
    again = evaluate(Brighten(), Crops(20), tmp_path / "killed")
    assert again.json.read_bytes() == whole.json.read_bytes()


def test_merged_shards_are_the_whole_run(tmp_path: Path, cheap_inception: Path) -> None:
    request = whole_request(cheap_inception)
    whole = evaluate(Brighten(), Crops(40), tmp_path / "whole", request)
    for index in range(3):
        shard = Shard(index, 3)
        evaluate_shard(Brighten(), Crops(40), tmp_path / f"shard-{index}", request, shard)
    folders = [tmp_path / f"shard-{index}" for index in (2, 0, 1)]
    with pytest.raises(IntegrityError, match="blocks 1 of 3"):
        merge(folders[:2], tmp_path / "partial")
    merged = merge(folders, tmp_path / "merged")
    assert merged.json.read_bytes() == whole.json.read_bytes()
    assert merged.csv.read_bytes() == whole.csv.read_bytes()
    evaluate(Brighten(), Crops(40), tmp_path / "other", Request(seed=1))
    with pytest.raises(IntegrityError, match=r"differs .* in .*seed"):
        merge([folders[0], tmp_path / "other"], tmp_path / "mixed")


def test_shards_are_written_as_a_fraction() -> None:
    assert parse_shard("2/3") == Shard(2, 3)
    for text in ("3/3", "1", "a/b", "-1/2", "1/0"):
        with pytest.raises(ValueError, match="i/n"):
            parse_shard(text)


def test_the_average_is_that_of_the_samples(tmp_path: Path) -> None:
    """Noise of 0.03 in each sample is 0.015 in the mean of four."""
    out = tmp_path / "out"
    report = evaluate(Brighten(), Crops(3), out, Request(answers=("mean", "average"), samples=4))
    assert list(report.table)[3:] == ["mean", "average"]
    assert report.rows[-1].title == "model, mean of 4 samples"
    for name in ("set/000", "set/001", "set/002"):
        draws = [read_pixels(out / row / f"{name}.png").astype(float) for row in ROWS_OF_FOUR]
        average = read_pixels(out / "average" / f"{name}.png")
        assert np.abs(np.mean(draws, axis=0) - average).max() <= 1  # each was rounded
        noise = average / 255 - read_pixels(out / "mean" / f"{name}.png") / 255
        assert noise.std() == pytest.approx(0.015, rel=0.2)
    with pytest.raises(UserError, match="--samples 8"):
        Request(answers=("average",))


def test_few_pictures_carry_their_warning(tmp_path: Path, cheap_inception: Path) -> None:
    request = whole_request(cheap_inception)
    report = evaluate(Brighten(), Crops(20), tmp_path / "out", request)
    assert any("FID of 20 pictures" in warning for warning in report.data["warnings"])
    assert "FID of 20 pictures" in report.html.read_text()
    assert "warning: FID of 20 pictures" in report.as_text()
    assert report.value("original", "fid") == pytest.approx(0, abs=1e-3)
    assert report.value("original", "kid") is None
    cells = {row: report.data["table"][row]["fid"] for row in ("mean", "baseline")}
    for cell in cells.values():
        assert cell["low"] < cell["value"] < cell["high"]
    diversity = report.data["table"]["sample"]["diversity"]["value"]
    assert diversity == pytest.approx(0.03 * 255, rel=0.2)


def test_given_statistics_are_the_reference(tmp_path: Path, cheap_inception: Path) -> None:
    first = evaluate(Brighten(), Crops(20), tmp_path / "first", whole_request(cheap_inception))
    saved = tmp_path / "first" / "reference.npz"
    weights = WeightsFiles(inception=cheap_inception)
    request = Request(("fid", "kid"), weights=weights, reference=saved, device="cpu")
    second = evaluate(Brighten(), Crops(20), tmp_path / "second", request)
    assert second.value("mean", "fid") == pytest.approx(first.value("mean", "fid"), rel=1e-6)
    assert second.data["manifest"]["reference"]["count"] == 20
    assert second.value("mean", "kid") is None
    assert second.html.read_text().count('<article class="card') == 3  # none is best or worst
    assert "statistics" in second.data["table"]["mean"]["kid"]["reason"]


def test_a_finished_evaluation_does_no_work_again(tmp_path: Path) -> None:
    evaluate(Brighten(), Crops(), tmp_path / "out")
    model = Brighten()
    evaluate(model, Crops(), tmp_path / "out")
    assert model.calls == 0


def test_the_folder_of_another_evaluation_is_refused(tmp_path: Path) -> None:
    evaluate(Brighten(), Crops(), tmp_path / "out", Request(limit=2))
    with pytest.raises(UserError, match="differs in seed"):
        evaluate(Brighten(), Crops(), tmp_path / "out", Request(limit=2, seed=1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty"):
        evaluate(Brighten(), Crops(), tmp_path / "mine")
    (tmp_path / "killed").mkdir()  # a kill in the first write leaves no more than this
    (tmp_path / "killed" / ".0123.partial").write_text("{")
    evaluate(Brighten(), Crops(), tmp_path / "killed", Request(limit=2))


def test_damaged_and_missing_files_are_named(tmp_path: Path, cheap_inception: Path) -> None:
    request, out = whole_request(cheap_inception), tmp_path / "out"
    evaluate(Brighten(), Crops(2), out, request)
    for name in ("state/values-00000.json", "state/features-mean-00000.npz", "manifest.json"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(IntegrityError, match=f"{name} is damaged"):
            evaluate(Brighten(), Crops(2), out, request)
        (out / name).write_bytes(whole)
    (out / "state/values-00000.json").unlink()
    with pytest.raises(IntegrityError, match=r"values-00000.json is missing"):
        finish(Workspace(out))
    (out / "mean/set/001.png").write_bytes(b"no picture")
    with pytest.raises(IntegrityError, match=r"001.png is damaged"):
        evaluate(Brighten(), Crops(2), out, request)


def test_bad_arguments_say_the_choices(tmp_path: Path) -> None:
    for arguments, message in [
        ({"metrics": ("pnsr",)}, "unknown metric 'pnsr': did you mean 'psnr'"),
        ({"limit": 0}, "limit 0"),
        ({"answers": ("best",)}, "choose from mean, average, sample"),
        ({"samples": 0}, "samples 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(Brighten(), Crops(), tmp_path / "out", Request(**arguments))
        assert not (tmp_path / "out").exists()
