"""The literature's protocols: what they make of a picture, and the figures that prove it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from eval_standins import Brighten, Crops
from PIL import Image

from palette.data.sources import FolderSource
from palette.degradations.jpeg import jpeg_round_trip
from palette.errors import UserError
from palette.eval.compare import compare
from palette.eval.evaluate import evaluate
from palette.eval.literature_protocols import LITERATURE
from palette.eval.metrics.distortion import LUMA_OFFSET, LUMA_WEIGHTS
from palette.eval.protocols import find_protocol
from palette.eval.request import Measuring, Request
from palette.restoring.keys import noise_key
from palette.seeding import rng
from palette.tasks import TASKS
from palette.types import Observation, Task

TEST = Path(os.environ.get("PALETTE_TEST_DATA") or "nowhere") / "test"
"""The literature's test sets, where they are."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A colour file, a grey one of three channels and a grey one of one channel, 47 × 38."""
    colour = np.ascontiguousarray(Crops().read(0)[:38, :47] * 255).astype(np.uint8)
    colour = np.pad(colour, ((0, 38 - colour.shape[0]), (0, 47 - colour.shape[1]), (0, 0)), "edge")
    grey = colour[..., 1]
    (tmp_path / "set").mkdir()
    Image.fromarray(colour).save(tmp_path / "set" / "colour.png")
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "set" / "three.png")
    Image.fromarray(grey).save(tmp_path / "set" / "one.png")
    return tmp_path / "set"


def pixels(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def rounded_luma(colour: np.ndarray) -> np.ndarray:
    return np.rint(colour.astype(np.float64) @ LUMA_WEIGHTS / 255 + LUMA_OFFSET).astype(np.uint8)


def test_grey_protocols_take_luma_of_three_channels_and_one_channel_as_it_is(
    folder: Path, tmp_path: Path
) -> None:
    greys = tmp_path / "greys"
    greys.mkdir()
    expected = {"one": pixels(folder / "one.png")}
    expected |= {name: rounded_luma(pixels(folder / f"{name}.png")) for name in ("colour", "three")}
    for name, grey in expected.items():
        Image.fromarray(grey).save(greys / f"{name}.png")
    compare(greys, folder, tmp_path / "out", Measuring(protocol="live1-grey-q10"))
    for name, grey in expected.items():
        assert np.array_equal(pixels(tmp_path / "out" / "reference" / f"{name}.png"), grey)
        coded = jpeg_round_trip(np.dstack([grey / 255] * 3).astype(np.float32), 10)
        found = pixels(tmp_path / "out" / "input" / f"{name}.png")
        assert np.array_equal(found, np.rint(coded[..., 0] * 255))
        assert np.array_equal(coded[..., 0], coded[..., 2])


def test_luma_protocols_judge_one_channel_by_its_own_values(folder: Path, tmp_path: Path) -> None:
    """A step of luma is 219/255 of one of grey: 1.32 dB."""
    darker = tmp_path / "darker"
    darker.mkdir()
    for path in folder.iterdir():
        Image.fromarray(np.clip(pixels(path), 3, 255) - 3).save(darker / path.name)
    report = compare(darker, folder, tmp_path / "out", Measuring(protocol="set14-x4"))
    found = {p.record.name: p.values["restored"]["psnr"] for p in report.pictures}
    assert found["one"] == pytest.approx(20 * np.log10(255 / 3), abs=0.01)
    assert found["three"] == pytest.approx(20 * np.log10(255 / 3 * 255 / 219), abs=0.01)
    (imdn,) = (row for row in report.papers or () if row.title == "IMDN")
    assert any("judges one, of one channel, by the luma" in reason for reason in imdn.because)
    assert report.manifest["settings"]["luma"]
    assert report.manifest["settings"]["border"] == 4


def test_pictures_are_cut_to_a_multiple_from_the_top_left(folder: Path, tmp_path: Path) -> None:
    compare(folder, folder, tmp_path / "out", Measuring(protocol="set5-x3"))
    given = pixels(tmp_path / "out" / "input" / "colour.png")
    reference = pixels(tmp_path / "out" / "reference" / "colour.png")
    assert given.shape == (12, 15, 3)
    assert np.array_equal(reference, pixels(folder / "colour.png")[:36, :45])


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("set14-x2", TASKS["super-resolution"](scale=2)),
        ("live1-colour-q20", TASKS["jpeg-restoration"]()),
        ("live1-grey-q20", TASKS["jpeg-restoration"]()),
        ("cbsd68-sigma25", TASKS["denoising"]()),
    ],
)
def test_evaluating_and_comparing_make_the_same_of_a_picture(
    name: str, task: Task, folder: Path, tmp_path: Path
) -> None:
    request = Request(protocol=name, answers=("mean",), device="cpu")
    own = evaluate(Brighten(task), FolderSource(folder), tmp_path / "own", request)
    (folder / "three.png").unlink()  # the noise of a picture does not depend on those beside it
    for path in tmp_path.glob("own/*/three.png"):
        path.unlink()
    other = compare(tmp_path / "own" / "mean", folder, tmp_path / "other", Measuring(protocol=name))
    for key in ("reference", "input", "baseline"):
        for path in (tmp_path / "other" / key).iterdir():
            assert np.array_equal(pixels(path), pixels(tmp_path / "own" / key / path.name))
    found = {p.record.name: p.values for p in own.pictures}
    for picture in other.pictures:
        assert picture.values["restored"] == found[picture.record.name]["mean"]
        assert picture.values["input"] == found[picture.record.name]["input"]


def test_noise_is_that_of_the_field() -> None:
    """Gaussian of that deviation in each channel, not clipped."""
    operator = find_protocol("kodak24-sigma50").operator
    assert operator is not None
    flat = np.zeros((256, 256, 3), np.float32)
    noise = operator.apply(flat, {"kind": "colour", "level_255": 50.0, "seed": 3})
    assert noise.std() * 255 == pytest.approx(50, rel=0.01)
    assert abs(noise.mean()) * 255 < 0.5
    assert noise.min() < -0.5
    given = Observation(noise.astype(np.float32))
    task = TASKS["denoising"]()
    assert np.array_equal(task.condition(given, rng(0)).x, 2 * np.clip(noise, 0, 1) - 1)
    assert noise_key(given, 0) == noise_key(Observation(np.clip(noise, 0, 1)), 0)


def test_faults_have_names(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave --luma and --border out"):
        compare(folder, folder, tmp_path / "out", Measuring(protocol="set5-x4", border=2))
    with pytest.raises(UserError, match="measures all channels"):
        compare(folder, folder, tmp_path / "out", Measuring(protocol="mcmaster-sigma15", luma=True))
    with pytest.raises(
        UserError, match="is for `palette evaluate`: compare by one of the literature"
    ):
        compare(folder, folder, tmp_path / "out", Measuring(protocol="palette-jpeg-q5"))
    model, request = Brighten(TASKS["super-resolution"](scale=4)), Request(protocol="set5-x4")
    with pytest.raises(UserError, match="name the folder of the pictures"):
        evaluate(model, Crops(), tmp_path / "out", request)
    report = compare(folder, folder, tmp_path / "out", Measuring(protocol="live1-grey-q10"))
    assert list(report.failed) == ["colour"]
    assert "is coloured" in report.failed["colour"]
    Image.fromarray(np.zeros((2, 40), np.uint8)).save(folder / "low.png")
    report = compare(folder, folder, tmp_path / "low", Measuring(protocol="set5-x3"))
    assert "too small for protocol set5-x3: ×3 needs more" in report.failed["low"]


def bicubic(name: str, tmp_path: Path, of: str) -> float | None:
    found = TEST / of
    if not found.is_dir():
        pytest.skip(f"needs PALETTE_TEST_DATA/test/{of}")
    measuring = Measuring(("psnr",), protocol=name)
    return compare(found, found, tmp_path / "out", measuring).value("baseline", "psnr")


def test_bicubic_of_set5(tmp_path: Path) -> None:
    assert bicubic("set5-x4", tmp_path, "Set5") == pytest.approx(28.42, abs=0.01)


@pytest.mark.slow
def test_bicubic_of_set14_whose_bridge_is_one_channel(tmp_path: Path) -> None:
    """With the luma of ``bridge`` it would be 26.09."""
    assert bicubic("set14-x4", tmp_path, "Set14") == pytest.approx(26.00, abs=0.01)


DECODED = [
    ("live1-grey-q10", "LIVE1", (27.77, 0.773, 25.33)),
    ("classic5-grey-q10", "Classic5", (27.82, 0.760, 25.21)),
]


@pytest.mark.slow
def test_decoded_colour_jpeg_has_the_published_figures(tmp_path: Path) -> None:
    """PSNR and PSNR-B as FBCNN's tables have them."""
    folder = TEST / "LIVE1"
    if not folder.is_dir():
        pytest.skip("needs PALETTE_TEST_DATA/test/LIVE1")
    asked = Measuring(("psnr", "psnr-b-colour"), protocol="live1-colour-q10")
    report = compare(folder, folder, tmp_path / "out", asked)
    assert report.value("input", "psnr") == pytest.approx(25.69, abs=0.01)
    assert report.value("input", "psnr-b-colour") == pytest.approx(24.20, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "of", "figures"), DECODED)
def test_decoded_jpeg_has_the_published_figures(
    name: str, of: str, figures: tuple[float, ...], tmp_path: Path
) -> None:
    """PSNR, SSIM and PSNR-B of the input, as ARCNN's table and all since have them."""
    folder = TEST / of
    if not folder.is_dir():
        pytest.skip(f"needs PALETTE_TEST_DATA/test/{of}")
    greys = tmp_path / "greys"
    greys.mkdir()
    for path in folder.iterdir():
        Image.open(path).convert("L").save(greys / path.name)
    report = compare(greys, folder, tmp_path / "out", Measuring(protocol=name))
    found = [report.value("input", metric) for metric in ("psnr", "ssim", "psnr-b")]
    assert found == [pytest.approx(figure, abs=0.02) for figure in figures]
    assert found[1] == pytest.approx(figures[1], abs=0.001)


def test_every_literature_protocol_fits_a_task() -> None:
    for protocol in LITERATURE:
        scale = {"scale": protocol.scale} if protocol.scale > 1 else {}
        assert protocol.misfit(TASKS[protocol.task](**scale)) is None
        assert protocol.dataset == protocol.name.split("-")[0]
