"""Protocols stay what they were, degrade as they say, and compare only what can be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eval_standins import Brighten, Crops

from palette.eval.evaluate import evaluate
from palette.eval.metrics.cas import PROFILES
from palette.eval.metrics.registry import METRICS
from palette.eval.pictures import degraded
from palette.eval.protocols import PROTOCOLS, find_protocol
from palette.eval.report import literature, papers
from palette.eval.request import Measuring, Request
from palette.eval.settings import Settings
from palette.files import digest
from palette.seeding import rng
from palette.tasks import TASKS
from palette.types import Spec

FROZEN = {
    "palette-jpeg-q5": "b0a507c2c0aa",
    "palette-jpeg-q10": "f956d02ee1f6",
    "palette-jpeg-q20": "e69f7f99a391",
    "palette-colorization": "3013a12ef21e",
    "palette-colorization-5k": "993daab38889",
    "palette-inpainting-freeform": "b506388903b7",
    "palette-inpainting-center": "7f8b17ca0b2d",
    "palette-uncropping": "b483e8b4f306",
    "sr3-16-128": "9c62b8a97e95",
    "sr3-64-256": "2985f24c6583",
    "imagenet-x4": "5135505cb589",
    "photos-super-resolution": "c706e2ec27e5",
    "photos-jpeg": "01463081c2e9",
    "photos-colorization": "e028e72749d2",
    "photos-inpainting": "aec76aa47564",
    "photos-uncropping": "3fdf019d44f3",
    "set5-x2": "566d46753481",
    "set5-x3": "a9bd564a3bbf",
    "set5-x4": "77addb368fd7",
    "set14-x2": "3e7a705bd982",
    "set14-x3": "653717024495",
    "set14-x4": "da36a03bf35c",
    "b100-x2": "2401316dcd9a",
    "b100-x3": "8ff99ce30476",
    "b100-x4": "05ad63916645",
    "urban100-x2": "16b6b6901ed5",
    "urban100-x3": "04f8984031e5",
    "urban100-x4": "eaa60c336d19",
    "manga109-x2": "092d8acd3a23",
    "manga109-x3": "e348acb4544f",
    "manga109-x4": "c6246c5d62d3",
    "div2k-x2": "a8c149d9f87e",
    "div2k-x3": "2f37c43e9fd0",
    "div2k-x4": "e7d629d2ddf7",
    "live1-grey-q10": "c0a9d1d190a6",
    "live1-grey-q20": "a07081c699d3",
    "live1-grey-q30": "a8ac40293bef",
    "live1-grey-q40": "0fb7f2635e50",
    "live1-colour-q10": "dae54a855880",
    "live1-colour-q20": "b27edcf1d141",
    "live1-colour-q30": "6d21a73bac1e",
    "live1-colour-q40": "c61769149ce3",
    "classic5-grey-q10": "8e437228bf5f",
    "classic5-grey-q20": "78e12c63bdd7",
    "classic5-grey-q30": "783afe77dd59",
    "classic5-grey-q40": "c696c1b96025",
    "cbsd68-sigma15": "3dacc6a3e1eb",
    "cbsd68-sigma25": "50956de34bfb",
    "cbsd68-sigma50": "970dfc94bb9c",
    "kodak24-sigma15": "ebb42a85f7fe",
    "kodak24-sigma25": "f5cf78efca2b",
    "kodak24-sigma50": "419c58969021",
    "mcmaster-sigma15": "e43b7cc1fc79",
    "mcmaster-sigma25": "521502a128a9",
    "mcmaster-sigma50": "7cac779214ec",
}


def test_protocols_never_change_in_silence() -> None:
    """A changed digest is a new protocol: give it a new name."""
    digests = {name: digest(protocol.as_json())[:12] for name, protocol in PROTOCOLS.items()}
    assert digests == FROZEN


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_can_be_asked_for(name: str) -> None:
    protocol = find_protocol(name)
    assert Settings.of(Measuring(), protocol.metrics).metrics
    if protocol.operator is not None:
        params = protocol.operator.draw(Spec(256, 256), rng(0))
        assert digest(params)


def test_freeform_masks_cover_a_fifth_to_a_third() -> None:
    protocol = find_protocol("palette-inpainting-freeform")
    clean = np.full((256, 256, 3), 0.5, np.float32)
    for seed in range(20):
        observation, _ = degraded(TASKS["inpainting"](), protocol.operator, clean, rng(seed))
        assert observation.mask is not None
        assert 0.2 <= observation.mask.mean() <= 0.3


def test_the_centre_is_a_quarter_and_quality_is_fixed() -> None:
    clean = np.full((256, 256, 3), 0.5, np.float32)
    centre = find_protocol("palette-inpainting-center").operator
    observation, _ = degraded(TASKS["inpainting"](), centre, clean, rng(0))
    assert observation.mask is not None
    assert observation.mask[64:192, 64:192].all()
    assert observation.mask.mean() == 0.25
    for quality in (5, 10, 20):
        operator = find_protocol(f"palette-jpeg-q{quality}").operator
        _, params = degraded(TASKS["jpeg-restoration"](), operator, clean, rng(0))
        assert params["quality"] == quality


def manifest(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "settings": {"metrics": ["fid", "is"]},
        "dataset": "imagenet-ctest10k",
        "pictures": 10_000,
        "reference": {"count": 50_000},
        "weights_of_metrics": {"inception": {"published": True}},
    }
    return base | changes


def verdict(**changes: object) -> list[str]:
    rows = papers.beside(papers.JPEG_Q5, manifest(**changes), "imagenet-ctest10k", 50_000)
    return rows[1].because


def test_comparable_only_if_everything_is_as_the_paper_has_it() -> None:
    assert verdict() == []
    assert "10 pictures, not 10000" in verdict(pictures=10)
    assert "--dataset" in verdict(dataset=None)[0]
    assert "FID against 10000 pictures" in verdict(reference=None)[0]
    assert "not the published" in verdict(weights_of_metrics={"inception": {"published": False}})[0]
    assert "PD" in verdict(settings={"metrics": ["pd"]})[0]
    drawn = {"operator": repr(find_protocol("palette-inpainting-freeform").operator)}
    assert "--mask-files" in verdict(protocol=drawn)[0]
    assert "EfficientNet-B0" in verdict(settings={"metrics": ["ca"]})[0]
    assert verdict(settings={"metrics": ["psnr"]}) == ["none of its metrics was measured"]


def test_a_protocol_of_another_task_or_scale_is_refused(tmp_path: Path) -> None:
    request = Request(("psnr",), protocol="palette-jpeg-q5")
    with pytest.raises(ValueError, match="for jpeg-restoration, the model is for halving"):
        evaluate(Brighten(), Crops(), tmp_path / "out", request)
    model = Brighten()
    model.task = TASKS["super-resolution"](scale=4)
    with pytest.raises(ValueError, match="8 times, the model 4 times"):
        evaluate(model, Crops(), tmp_path / "out", replace(request, protocol="sr3-16-128"))
    with pytest.raises(ValueError, match="did you mean 'palette-jpeg-q5'"):
        find_protocol("palette-jpg-q5")


def test_a_run_by_protocol_prints_the_papers_rows(tmp_path: Path) -> None:
    model = Brighten()
    model.task = TASKS["jpeg-restoration"]()
    request = Request(("psnr", "ssim"), protocol="palette-jpeg-q5", limit=2)
    report = evaluate(model, Crops(), tmp_path / "out", request)
    record = report.data["pictures"][0]["record"]
    assert (record["height"], record["width"]) == (256, 256)
    assert record["degradation"]["quality"] == 5
    rows = [*papers.JPEG_Q5, *literature.JPEG_Q5]
    assert [row["title"] for row in report.data["papers"]] == [row.title for row in rows]
    assert "comparable: no, because" in report.as_text()
    assert "Palette, one model for all tasks" in report.html.read_text()


def test_the_documentation_names_every_metric_and_protocol() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in METRICS:
        assert name in page or name.startswith("drift-")
    for name in PROTOCOLS:
        prefix, _, last = name.rpartition("-")
        assert name in page or (f"`-{last}`" in page and prefix in page), name
    for name in PROFILES:
        assert f"`{name}`" in page
