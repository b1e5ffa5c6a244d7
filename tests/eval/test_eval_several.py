"""One model at several tasks, with a stand-in for the model: folders, the report of all, errors."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import numpy as np
import pytest
from eval_standins import Brighten, Crops, Halving
from skimage.io import imread

from palette.degradations.fill import FILLS
from palette.errors import IntegrityError, UserError
from palette.eval.evaluate import evaluate
from palette.eval.merge import merge
from palette.eval.metrics.pixels import to_uint8
from palette.eval.report.findings import findings, judged_row
from palette.eval.report.overview import Overview
from palette.eval.request import Request
from palette.eval.several import evaluate_tasks
from palette.shard import Shard
from palette.tasks import TASKS
from palette.types import Observation, Picture, Task


@dataclass(frozen=True)
class Darkening(Halving):
    """Another task of the same kind."""

    name: ClassVar[str] = "darkening"

    def baseline(self, observation: Observation) -> Picture:
        return super().baseline(observation) * np.float32(0.5)


@dataclass
class Stopping(Brighten):
    """Interrupted when its first block is done."""

    def restore_observations(self, *args: Any, **settings: Any) -> list[Picture]:
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().restore_observations(*args, **settings)


def models(**tasks: Task) -> dict[str, Brighten]:
    """One model at several tasks."""
    return {name.replace("_", "-"): Brighten(task=task) for name, task in tasks.items()}


def overview(
    judged: Mapping[str, Brighten], out: Path, request: Request, count: int = 5
) -> Overview:
    report = evaluate_tasks(judged, Crops(count), out, request)
    assert isinstance(report, Overview)
    return report


def test_every_task_has_the_report_that_it_has_alone(tmp_path: Path) -> None:
    both = models(light=Halving(), dark_er=Darkening())
    found = overview(both, tmp_path / "all", Request(samples=2))
    assert list(found.reports) == ["light", "dark-er"]
    for name, task in (("light", Halving()), ("dark-er", Darkening())):
        request = Request(samples=2, title=f"Evaluation: {name}")
        alone = evaluate(Brighten(task=task), Crops(), tmp_path / name, request)
        assert found.reports[name].json.read_bytes() == alone.json.read_bytes()
        assert found.reports[name].out == tmp_path / "all" / name
        assert found.value(name, "mean", "psnr") == alone.value("mean", "psnr")
    assert found.value("light", "baseline", "psnr") != found.value("dark-er", "baseline", "psnr")
    with pytest.raises(UserError, match="'dark': the tasks are light, dark-er"):
        found.value("dark", "mean", "psnr")
    with pytest.raises(UserError, match="metrics are psnr, ssim"):
        found.value("light", "mean", "fid")


def test_the_files_of_all_tasks(tmp_path: Path) -> None:
    both = models(light=Halving(), fill=TASKS["inpainting"]())
    found = overview(both, tmp_path, Request(("psnr", "drift", "hole"), limit=2, title="Mine"))
    data = json.loads(found.json.read_text())
    assert data == found.data
    assert [task["name"] for task in data["tasks"]] == ["light", "fill"]
    for task in data["tasks"]:
        single = json.loads((tmp_path / task["report"]).read_text())
        assert task["table"] == single["table"]
        assert task["pictures"] == 2
    lines = list(csv.DictReader(found.csv.open()))
    rows = {"light": 5, "fill": 8}  # with three other fills
    assert [line["task"] for line in lines] == [t for t, n in rows.items() for _ in range(2 * n)]
    for line in lines:
        (picture,) = (
            p for p in found.reports[line["task"]].pictures if p.record.name == line["picture"]
        )
        value = picture.values[line["row"]]["psnr-hole"]
        assert line["psnr-hole"] == ("" if isinstance(value, str) else str(value))
    text = found.as_text()
    assert text == "\n\n".join(f"{n}\n{r.as_text()}" for n, r in found.reports.items())


def test_the_page_leads_to_files_that_are_there(tmp_path: Path) -> None:
    tasks = {"light & more": Brighten(), "fill": Brighten(task=TASKS["inpainting"]())}
    out = tmp_path / "a folder"
    found = overview(tasks, out, Request(("psnr", "hole"), title="<b>"))
    page = found.html.read_text()
    assert "<h1>&lt;b&gt;</h1>" in page
    assert "http" not in page
    links = [unquote(link) for link in re.findall(r'href="([^"#]+)"', page)]
    assert all((out / link).is_file() for link in links)
    assert {f"{name}/report.html" for name in tasks} <= set(links)
    assert any(re.fullmatch(r"fill/sample/set/00\d\.png", link) for link in links)
    assert page.count("<img") == 5 * page.count('<article class="card')
    cell = found.reports["fill"].table["telea-fill"]["psnr-hole"]
    assert cell.low is not None
    assert f'{cell.value:.2f}\n<small class="range">{cell.low:.2f} …' in page
    judged = re.findall(r'<tr class="judged"><td>(.*?)</td>', page)
    assert judged == ["model, mean answer"] * 2


def test_holes_are_measured_and_compared_with_other_fills(tmp_path: Path) -> None:
    report = evaluate(Brighten(task=TASKS["inpainting"]()), Crops(), tmp_path)
    assert list(report.metrics) == ["psnr", "ssim", "psnr-hole", "ssim-hole"]
    fills = ["telea-fill", "navier-stokes-fill", "mean-fill"]
    assert list(report.table) == ["input", "baseline", *fills, "original", "mean", "sample"]
    assert judged_row(report).key == "mean"
    name = report.pictures[0].record.name
    given = imread(tmp_path / "input" / f"{name}.png").astype(np.float32) / np.float32(255)
    hole = imread(tmp_path / "mask" / f"{name}.png") > 0
    for row, fill in (("baseline", "harmonic"), ("telea-fill", "telea"), ("mean-fill", "mean")):
        expected = to_uint8(FILLS[fill](given, hole))
        np.testing.assert_array_equal(imread(tmp_path / row / f"{name}.png"), expected)
    other = evaluate(Brighten(task=TASKS["inpainting"](fill="telea")), Crops(), tmp_path / "other")
    assert "telea-fill" not in other.table
    assert other.value("baseline", "psnr") == report.value("telea-fill", "psnr")


def test_a_gain_is_good_or_bad_news_only_beyond_its_interval(tmp_path: Path) -> None:
    report = evaluate(Brighten(), Crops(8), tmp_path)
    marks = {}
    for name, gains in {"good": [0.1, 0.3], "bad": [-0.1, -0.3], "plain": [0.3, -0.2]}.items():
        for picture, gain in zip(report.pictures, gains * 4, strict=True):
            base = picture.values["baseline"]["psnr"]
            assert not isinstance(base, str)
            picture.values["mean"]["psnr"] = base + gain
        (found,) = (one for one in findings(report) if "dB PSNR over" in one.text)
        marks[name] = found.mark
    assert marks == {name: name for name in marks}


def test_stopped_and_started_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    request, count = Request(), 20
    whole = overview(models(one=Halving(), two=Darkening()), tmp_path / "whole", request, count)
    stopped = {**models(one=Halving()), "two": Stopping(task=Darkening())}
    with pytest.raises(KeyboardInterrupt):
        evaluate_tasks(stopped, Crops(count), tmp_path / "again", request)
    assert (tmp_path / "again" / "one" / "report.html").exists()
    assert not (tmp_path / "again" / "report.json").exists()
    again = models(one=Halving(), two=Darkening())
    found = overview(again, tmp_path / "again", request, count)
    assert (again["one"].calls, again["two"].calls) == (0, 2)
    assert found.json.read_bytes() == whole.json.read_bytes()
    assert found.csv.read_bytes() == whole.csv.read_bytes()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    both, request = models(one=Halving(), two=Darkening()), Request(limit=2)
    overview(both, tmp_path / "all", request)
    with pytest.raises(UserError, match="differs in seed"):
        evaluate_tasks(both, Crops(), tmp_path / "all", Request(limit=2, seed=1))
    with pytest.raises(UserError, match="differs in tasks"):
        evaluate_tasks(models(one=Halving(), six=Halving()), Crops(), tmp_path / "all", request)
    with pytest.raises(UserError, match=r"another .*kind"):
        evaluate_tasks(models(one=Halving()), Crops(), tmp_path / "all", request)
    evaluate(Brighten(), Crops(), tmp_path / "single", request)
    with pytest.raises(UserError, match=r"another .*kind"):
        evaluate_tasks(both, Crops(), tmp_path / "single", request)
    for name in ("../up", "a/b", ".."):
        with pytest.raises(UserError, match="cannot be the name of a folder"):
            evaluate_tasks(
                {"one": both["one"], name: both["two"]}, Crops(), tmp_path / "x", request
            )
    assert not (tmp_path / "x").exists()


def test_shards_are_merged_task_by_task(tmp_path: Path) -> None:
    both, count = models(one=Halving(), two=Darkening()), 40
    whole = overview(both, tmp_path / "whole", Request(), count)
    folders = [tmp_path / f"shard-{index}" for index in range(3)]
    for index, folder in enumerate(folders):
        assert evaluate_tasks(both, Crops(count), folder, Request(), Shard(index, 3)) is None
    last = (folders[2] / "two" / "state" / "records-00002.json").rename(tmp_path / "kept")
    with pytest.raises(IntegrityError, match=r"blocks 2 of 3 .*two"):
        merge(folders, tmp_path / "partial")
    assert not (tmp_path / "partial").exists()
    last.rename(folders[2] / "two" / "state" / "records-00002.json")
    merged = merge(folders, tmp_path / "merged")
    assert isinstance(merged, Overview)
    assert merged.json.read_bytes() == whole.json.read_bytes()
    assert merged.csv.read_bytes() == whole.csv.read_bytes()
    for name in ("one", "two"):
        assert merged.reports[name].json.read_bytes() == whole.reports[name].json.read_bytes()
    evaluate_tasks(both, Crops(count), tmp_path / "other", Request(seed=1), Shard(1, 3))
    with pytest.raises(IntegrityError, match=r"other/one differs .* in .*seed"):
        merge([folders[0], tmp_path / "other"], tmp_path / "mixed")


class Faces(Crops):
    def read(self, index: int) -> Picture:
        return np.repeat(np.repeat(super().read(index), 4, axis=0), 4, axis=1)


def test_a_protocol_takes_the_task_that_it_fits(tmp_path: Path) -> None:
    sr = TASKS["super-resolution"]
    all_tasks = models(
        x2=sr(scale=2), x8=sr(scale=8), light=Halving(), jpeg=TASKS["jpeg-restoration"]()
    )
    report = evaluate_tasks(
        all_tasks, Faces(), tmp_path / "faces", Request(("psnr",), protocol="sr3-16-128", limit=1)
    )
    assert report is not None
    assert not isinstance(report, Overview)
    assert report.pictures[0].record.width == 128
    assert [model.calls for model in all_tasks.values()] == [0, 2, 0, 0]
    for protocol, message in (
        ("photos-super-resolution", "fits several: choose --task from x2, x8$"),
        ("sr3-64-256", "sr3-64-256 fits none of x2, x8, light, jpeg: choose another protocol"),
        ("palette-colorization", "fits none of x2, x8, light, jpeg"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate_tasks(all_tasks, Crops(), tmp_path / "none", Request(protocol=protocol))
    assert not (tmp_path / "none").exists()


def test_a_part_of_its_own_name_stands_back_for_the_protocols_kind(tmp_path: Path) -> None:
    """As in a model of real-x4 and super-resolution-x4: both enlarge four times."""
    sr = TASKS["super-resolution"]
    parts = {"real-x8": sr(degradation="sr_matlab", scale=8), "super-resolution-x2": sr(scale=2)}
    asked, pictures = Request(("psnr",), protocol="sr3-16-128", limit=1), Faces()
    for kind in ({}, {"super-resolution-x8": sr(scale=8)}):
        several = models(**parts, **kind)
        evaluate_tasks(several, pictures, tmp_path / f"{len(kind)}", asked)
        chosen = [name for name, model in several.items() if model.calls]
        assert chosen == [*kind, "real-x8"][:1]
