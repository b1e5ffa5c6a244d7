"""Several tools against the same originals: which are better, and which cannot be told apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from palette.cli.main import main
from palette.errors import USAGE, IntegrityError, UserError
from palette.eval.compare import compare
from palette.eval.measure import PictureValues
from palette.eval.metrics.cell import Cell
from palette.eval.metrics.registry import METRICS
from palette.eval.report.ranking import Ranking, contenders, rankings
from palette.eval.request import FoolStudy, Measuring

COUNT = 12


def noisy(folder: Path, deviation: float, seed: int) -> Path:
    """Crops with noise of this deviation; 0 are the originals."""
    rng = np.random.default_rng(seed)
    for index in range(COUNT):
        crop = data.astronaut()[30 * index : 30 * index + 40, 150:198].astype(np.float64)
        pixels = np.clip(np.rint(crop + deviation * rng.normal(size=crop.shape)), 0, 255)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two tools that are equally good, one that is worse, and the originals."""
    root = tmp_path_factory.mktemp("tools")
    made = {"one": (8, 1), "two": (8, 2), "worse": (8.6, 3), "originals": (0, 0)}
    return {name: noisy(root / name, *how) for name, how in made.items()}


def test_equal_tools_share_a_rank_and_a_worse_one_is_told(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    restored = [folders["worse"], folders["one"], folders["two"]]
    report = compare(restored, folders["originals"], tmp_path, Measuring(("psnr", "drift")))
    assert list(report.table)[2:] == ["restored-worse", "restored-one", "restored-two"]
    ranking = report.rankings["psnr"]
    ranks = {place.title: place.rank for place in ranking.places}
    assert ranks == {"one": 1, "two": 1, "worse": 3}
    assert ranking.places[-1].title == "worse"
    first = ranking.places[0].key
    assert ranking.surely_above(first) == ["worse"]
    assert set(ranking.not_told_from(first)) == {"one", "two"} - {ranking.title(first)}
    # 20·log10(8.6 / 8) = 0.63 dB
    (gain,) = [d for d in ranking.differences if {d.a, d.b} == {"restored-one", "restored-worse"}]
    assert gain.value == pytest.approx(0.63, abs=0.1)
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low < gain.value < gain.high < 2 * gain.value
    saved = report.data["rankings"]["psnr"]
    assert [place["rank"] for place in saved["order"]] == [1, 1, 3]
    assert sum(d["resolved"] for d in saved["differences"]) == 2
    text = report.as_text()
    assert "ranking by PSNR, dB" in text
    assert ": not resolved" in text
    assert "Which differences are resolved" in report.html.read_text()


def test_one_folder_has_nothing_to_be_ranked_with(folders: dict[str, Path], tmp_path: Path) -> None:
    """The mean colour beside it is a check, no contender."""
    report = compare(folders["one"], folders["originals"], tmp_path)
    assert report.rankings == {}
    assert "ranking" not in report.as_text()


def test_the_input_is_to_be_beaten(folders: dict[str, Path], tmp_path: Path) -> None:
    report = compare(
        folders["one"], folders["originals"], tmp_path, Measuring(("psnr",)), given=folders["worse"]
    )
    places = report.rankings["psnr"].places
    assert [(p.key, p.rank) for p in places] == [("restored", 1), ("input", 2)]


def test_titles_are_as_much_of_the_path_as_tells_them_apart(tmp_path: Path) -> None:
    originals = noisy(tmp_path / "originals", 0, 0)
    restored = [noisy(tmp_path / run / "mean", 5, seed) for seed, run in enumerate("ab")]
    report = compare(restored, originals, tmp_path / "out", Measuring(("psnr",)))
    assert [row.title for row in report.rows[-2:]] == ["a/mean", "b/mean"]
    assert [row.key for row in report.rows[-2:]] == ["restored-a-mean", "restored-b-mean"]
    named = compare({"Ä": restored[0], "b": restored[1]}, originals, tmp_path / "other")
    assert [row.title for row in named.rows[-2:]] == ["Ä", "b"]


def test_mistakes_are_said(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, originals = folders["one"], folders["two"], folders["originals"]
    with pytest.raises(UserError, match="named twice"):
        compare([one, one], originals, tmp_path / "out")
    with pytest.raises(UserError, match="too alike"):
        compare({"a b": one, "a-b": two}, originals, tmp_path / "out")
    with pytest.raises(UserError, match="study is of one folder"):
        compare([one, two], originals, tmp_path / "out", fool=FoolStudy(pairs=2))
    few = noisy(tmp_path / "few", 5, 0)
    (few / "03.png").unlink()
    with pytest.raises(IntegrityError, match="few lacks 03"):
        compare([one, few], originals, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert main(["compare", str(one)]) == USAGE
    assert "2 folders or more, not 1" in capsys.readouterr().err


def test_the_command_takes_several(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folders[name]) for name in ("one", "worse", "originals")]
    assert main(["compare", *given, "--out", str(tmp_path / "out"), "--metrics", "psnr,ssim"]) == 0
    assert "ranking by SSIM\n   1  one" in capsys.readouterr().out
    # of the first, which is the one that pictures are chosen by
    assert re.search(r"one: .\d+\.\d+ dB PSNR over", (tmp_path / "out/report.html").read_text())


def ranking_of(name: str, cells: dict[str, Cell]) -> Ranking:
    from palette.eval.gallery import Row

    rows = [Row(key, key, {}) for key in cells]
    table = {key: {name: cell} for key, cell in cells.items()}
    return rankings(rows, {name: METRICS[name]}, table, [])[name]


def test_set_metrics_differ_by_the_same_half_samples() -> None:
    """Both move together from half to half: the difference is known far better than either."""
    noise = np.random.default_rng(0).normal(0, 5, 20)
    cells = {
        "worse": Cell(51.0, 100, 41, 61, halves=tuple(51 + noise)),
        "better": Cell(50.0, 100, 40, 60, halves=tuple(50 + noise + 1e-3 * noise[::-1])),
        "alone": Cell(60.0, 100),
    }
    ranking = ranking_of("fid", cells)
    assert [(p.key, p.rank) for p in ranking.places] == [("better", 1), ("worse", 2), ("alone", 1)]
    (sure,) = [d for d in ranking.differences if d.better is not None]
    assert (sure.a, sure.b, sure.better) == ("better", "worse", "better")
    assert sure.low is not None
    assert sure.low == pytest.approx(-1, abs=0.1)
    assert "no interval" in ranking.as_text()


def test_errors_with_a_sign_are_ranked_by_their_size() -> None:
    from palette.eval.gallery import Row

    rng = np.random.default_rng(1)
    values = {"low": rng.normal(-3, 0.5, 40), "high": rng.normal(1, 0.5, 40)}
    pictures: list[PictureValues] = [
        {row: {"drift-red": float(v[i])} for row, v in values.items()} for i in range(40)
    ]
    table = {row: {"drift-red": Cell(float(v.mean()), 40)} for row, v in values.items()}
    rows = [Row(key, key, {}) for key in values]
    ranking = rankings(rows, {"drift-red": METRICS["drift-red"]}, table, pictures)["drift-red"]
    assert [(p.key, p.rank) for p in ranking.places] == [("high", 1), ("low", 2)]
    assert ranking.differences[0].value == pytest.approx(-2, abs=0.3)


def test_an_evaluation_ranks_its_answers() -> None:
    from palette.eval.gallery import Row

    rows = [Row(key, key, {}) for key in ("input", "baseline", "original", "mean", "sample")]
    kept = contenders(rows, {"kind": "evaluate"})
    assert [row.key for row in kept] == ["baseline", "mean", "sample"]
