"""The literature's tables of one model: what is run, what is printed, what is compared."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from eval_standins import Brighten, Halving
from PIL import Image
from skimage import data

import palette
from palette.cli.main import main
from palette.data.sources import FolderSource
from palette.errors import UserError
from palette.eval.benchmark import benchmark
from palette.eval.evaluate import evaluate
from palette.eval.protocols import find_protocol
from palette.eval.report.benchmark import Benchmark, Cost, Line, Table
from palette.eval.report.benchmark_files import as_latex, as_markdown
from palette.eval.report.benchmark_page import richest
from palette.eval.report.cost_plot import Point, quality_against_cost
from palette.eval.request import Choices, Request
from palette.eval.suite import planned
from palette.types import Observation, Picture

COST = Cost("ours", 0.5, 10.0, 512, steps=8, samples=4)


class Enlarging(Halving):
    name: ClassVar[str] = "super-resolution"


@dataclass(frozen=True)
class Deblocking(Halving):
    name: ClassVar[str] = "jpeg-restoration"
    scale: None = None  # type: ignore[assignment]
    multiple: int = 1

    def baseline(self, observation: Observation) -> Picture:
        return observation.picture


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two test sets by their names, one under another name, one that is none."""
    root = tmp_path_factory.mktemp("sets")
    for name, count in {"Set5": 3, "LIVE-1": 2, "BSDS100": 1, "holidays": 1}.items():
        (root / name).mkdir()
        for index in range(count):
            crop = data.astronaut()[40 * index : 40 * index + 50, 180:232]
            Image.fromarray(np.ascontiguousarray(crop)).save(root / name / f"{index}.png")
    return root


def models() -> dict[str, Brighten]:
    return {"x2": Brighten(Enlarging()), "jpeg": Brighten(Deblocking())}


def run(sets: Path, out: Path, choices: Choices, both: dict[str, Brighten]) -> Benchmark:
    return benchmark(both, "restoration", sets, out, FolderSource, COST, choices)


CHOICES = Choices(
    protocols=("set5-x2", "b100-x2", "live1-grey-q10"),
    answers=("mean", "average", "sample"),
    samples=4,
    device="cpu",
)


@pytest.fixture(scope="module")
def report(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return run(sets, tmp_path_factory.mktemp("benchmark") / "out", CHOICES, models())


def test_the_data_and_the_tasks_say_what_is_run(sets: Path) -> None:
    found = planned("restoration", sets, models())
    names = [one.protocol.name for one in found]
    jpeg = [f"live1-{kind}-q{q}" for kind in ("grey", "colour") for q in (10, 20, 30, 40)]
    assert names == ["set5-x2", "b100-x2", *jpeg]
    assert {one.folder.name for one in found} == {"Set5", "BSDS100", "LIVE-1"}
    assert [one.task for one in found[:3]] == ["x2", "x2", "jpeg"]
    for only, message in {
        "set5-x3": "fits none of the tasks x2, jpeg",
        "set14-x2": "needs a folder set14 in",
        "set5-x9": "unknown protocol 'set5-x9' of restoration: did you mean 'set5-x",
    }.items():
        with pytest.raises(UserError, match=message):
            planned("restoration", sets, models(), (only,))
    with pytest.raises(UserError, match="name them after the sets, which are b100, cbsd68"):
        planned("restoration", sets / "Set5", models())
    with pytest.raises(UserError, match="there is no folder"):
        planned("restoration", sets / "absent", models())


def test_figures_are_those_of_evaluations(report: Benchmark, sets: Path, tmp_path: Path) -> None:
    request = Request(protocol="set5-x2", answers=("mean",), device="cpu")
    alone = evaluate(models()["x2"], FolderSource(sets / "Set5"), tmp_path / "alone", request)
    assert report.value("set5-x2", "mean", "psnr") == alone.value("mean", "psnr")
    (enlarging, jpeg) = report.tables
    assert enlarging.title == "Super-resolution ×2"
    assert jpeg.title == "JPEG of quality 10, grey"
    assert enlarging.columns == [(s, m) for s in ("set5", "b100") for m in ("psnr", "ssim")]
    lines = {line.title: line for line in enlarging.lines}
    assert lines["ours, mean answer (1 evaluation)"].figures["set5", "psnr"] == alone.value(
        "mean", "psnr"
    )
    simple = lines["bicubic"]
    assert simple.figures["set5", "ssim"] == alone.value("baseline", "ssim")
    with pytest.raises(UserError, match="protocols are set5-x2, b100-x2, live1-grey-q10"):
        report.value("set5-x3", "mean", "psnr")


def test_costs_are_for_a_megapixel_and_all_evaluations(report: Benchmark) -> None:
    own = [line for line in report.tables[0].lines if line.kind == "own"]
    assert [line.title for line in own] == [
        "ours, mean answer (1 evaluation)",
        "ours, mean of 4 samples (32 evaluations)",
        "ours, one sample (8 evaluations)",
    ]
    assert [line.multiply_adds for line in own] == [10, 320, 80]
    mean, average, sample = (line.seconds for line in own)
    assert mean is not None
    assert mean > 0
    assert sample is not None
    assert average == pytest.approx(4 * sample)
    papers = {row.title: row.multiply_adds for row in find_protocol("set5-x2").paper}
    lines = {line.title: line for line in report.tables[0].lines}
    assert papers["IMDN"] is not None
    assert lines["IMDN"].multiply_adds == pytest.approx(papers["IMDN"] / 0.9216)


def test_published_rows_of_other_pictures_are_set_apart(report: Benchmark) -> None:
    """Three pictures are not Set5: no published figure is best, whatever it is."""
    table = report.tables[0]
    (row,) = [line for line in table.lines if line.title == "IMDN"]
    assert not row.comparable
    assert "3 pictures, not 5" in row.because
    places = {table.place(line, ("set5", "psnr")) for line in table.lines if line.kind != "paper"}
    assert {0, 1} <= places
    assert table.place(row, ("set5", "psnr")) is None
    assert "bicubic, as published" in [line.title for line in table.lines]


def test_all_files_tell_the_same(report: Benchmark) -> None:
    saved = json.loads(report.json.read_text())
    assert [one["name"] for one in saved["protocols"]] == list(CHOICES.protocols or ())
    value = report.value("live1-grey-q10", "mean", "psnr-b")
    with open(report.out / "tables.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (found,) = [r for r in rows if r["metric"] == "psnr-b" and "1 evaluation" in r["method"]]
    assert float(found["value"]) == value
    assert found["dataset"] == "live1"
    assert value is not None
    for name in ("report.html", "tables.md", "tables.tex"):
        text = (report.out / name).read_text()
        assert f"{value:.2f}" in text
        assert "SwinIR" in text
    page = report.html.read_text()
    assert page.count('class="panel"><figcaption><b>Set5: PSNR, dB') == 1
    assert 'href="set5-x2/report.html"' in page
    assert (report.out / "set5-x2" / "report.html").exists()
    assert "http" not in page.replace("http-equiv", "")
    assert "LIVE1 PSNR-B" in report.as_text()


def test_a_finished_benchmark_does_no_work_again(report: Benchmark, sets: Path) -> None:
    before, both = report.json.read_bytes(), models()
    again = run(sets, report.out, CHOICES, both)
    assert sum(model.calls for model in both.values()) == 0
    assert again.json.read_bytes() == before
    with pytest.raises(UserError, match="differs in protocols"):
        run(sets, report.out, Choices(protocols=("set5-x2",)), both)


def table() -> Table:
    from palette.eval.metrics.registry import METRICS

    figures = {"a_b": 30.001, "c": 29.5, "d": 30.0049, "e": 28.0}
    lines = [Line(name, "own", {("set5", "psnr"): value}) for name, value in figures.items()]
    lines.append(Line("apart", "paper", {("set5", "psnr"): 40.0}, because="so"))
    return Table("x2", "×2", [("set5", "psnr")], {"psnr": METRICS["psnr"]}, lines)


def test_places_are_of_what_is_printed() -> None:
    """30.001 and 30.0049 are both 30.00, so both are best, and 29.50 is second."""
    places = [table().place(line, ("set5", "psnr")) for line in table().lines]
    assert places == [0, 1, 0, None, None]
    markdown, latex = as_markdown(table()), as_latex(table())
    assert markdown.count("**30.00**") == latex.count(r"\textbf{30.00}") == 2
    assert "*29.50*" in markdown
    assert r"\underline{29.50}" in latex
    assert r"a\_b &" in latex
    assert r"apart $\dagger$ & 40.00" in latex
    assert latex.splitlines()[1] == r"\begin{tabular}{lrrr}"


def test_labels_of_the_plot_keep_apart() -> None:
    import re

    points = [Point(f"network-{i}", 50.0 + i, 30 + 0.01 * i, i == 0) for i in range(6)]
    svg = quality_against_cost([*points, Point("far", 5000.0, 31, False)], ("bicubic", 28.0))
    labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>network', svg)
    assert len(labels) >= 4
    assert len({y for _, y in labels}) >= 3
    circles = [float(x) for x in re.findall(r'circle cx="([\d.]+)"', svg)]
    assert max(circles) - min(circles) == pytest.approx(2 / 3 * (520 - 52 - 16), rel=0.02)
    assert "1 T" in svg


def test_strips_show_the_finest_detail() -> None:
    picture = np.full((200, 300, 3), 128, np.uint8)
    picture[60:180, 150:270] += np.random.default_rng(0).integers(0, 40, (120, 120, 1), np.uint8)
    top, left, side = richest(picture)
    assert side == 112
    assert 60 <= top <= 68
    assert 150 <= left <= 158
    assert richest(picture[:50, :40]) == (0, 0, 40)


def test_the_command(
    generalist: Path, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(generalist), "--data", str(sets), "--out", str(tmp_path / "out")]
    assert main(["benchmark", *given, "--protocols", "set5-x4,live1-colour-q40"]) == 0
    out = capsys.readouterr().out
    assert f"{generalist.name}, mean answer (1 evaluation)" in out
    assert "JPEG of quality 40, colour" in out
    text = (tmp_path / "out" / "report.json").read_text()
    saved = json.loads(text)
    assert saved["model"]["parameters"] > 0
    assert saved["model"]["multiply_adds"] > 0

    asked = ("set5-x4", "live1-colour-q40")
    again = palette.benchmark(generalist, sets, tmp_path / "out", protocols=asked)
    assert isinstance(again, palette.Benchmark)
    assert again.json.read_text() == text  # the same arguments: nothing is done again
    model = palette.load(generalist, task="super-resolution", scale=4)
    one = palette.benchmark(model, sets, tmp_path / "one", protocols=asked[:1], limit=1)
    assert one.tables[0].lines[-1].title == f"{model.member.name}, mean answer (1 evaluation)"
    assert one.value("set5-x4", "mean", "psnr") is not None
    with pytest.raises(palette.UserError, match="suite is 'restorations': did you mean"):
        palette.benchmark(model, sets, tmp_path / "no", suite="restorations")  # type: ignore[arg-type]
    with pytest.raises(palette.UserError, match="did you mean 'limit'"):
        palette.benchmark(model, sets, tmp_path / "none", limits=1)
