"""Models of the Hugging Face hub: written as it reads them, and read from it without a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_models import random_model

import palette
from palette.cli.main import main
from palette.data.images import write
from palette.hub import FILES, fetch

hub = pytest.importorskip("huggingface_hub")
PUBLISHED: dict[str, Any] = {"repo": "someone/mine", "license": "cc-by-4.0"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return random_model(tmp_path / "model", "denoising", {})


@pytest.fixture
def remote(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A hub that has someone/mine alone, and the list of what it was asked for."""
    asked: list[tuple[Any, ...]] = []
    folder = palette.export(model, tmp_path / "hub", "hub", precision="fp32", **PUBLISHED)

    def snapshot(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo, revision))
        if repo != "someone/mine":
            raise OSError("404 Client Error.\nRepository Not Found for url: https://…")
        assert {path.name for path in folder.iterdir()} <= set(allow_patterns)
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    fetch.cache_clear()
    return asked


def test_a_model_of_the_hub_is_as_any_other(
    remote: list[Any], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.full((16, 24, 3), 0.5, np.float32)
    picture[4:9] = 0.25
    here, there = (
        palette.load(name, precision="fp32").restore(picture, answer="mean")
        for name in (model, "hf://someone/mine")
    )
    np.testing.assert_array_equal(here, there)
    write(tmp_path / "a.png", picture)
    command = ["restore", "hf://someone/mine", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main([*command, "--answer", "mean", "--precision", "fp32"]) == 0
    assert (tmp_path / "b.png").exists()
    assert main(["info", "hf://someone/mine@v1"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["step"] == 7
    assert remote == [("someone/mine", None), ("someone/mine", "v1")]


def test_what_the_hub_has_not_is_one_line(
    remote: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, message in [
        ("hf://someone/other", "hf://someone/other cannot be fetched: 404 Client Error."),
        ("hf://someone", "hf:/someone is no model of the hub: write hf://OWNER/NAME"),
    ]:
        assert main(["info", name]) == 2
        assert capsys.readouterr().err == f"palette: {message}\n"
    assert main(["search", "hf://someone/mine"]) == 2
    assert "take a copy first, palette export hf:/someone/mine FOLDER" in capsys.readouterr().err


def test_the_card(model: Path, tmp_path: Path, picture: np.ndarray) -> None:
    """Front matter as the hub's own library reads it, and the figures of a real evaluation."""
    (tmp_path / "photos").mkdir()
    write(tmp_path / "photos" / "one.png", picture)
    report = palette.evaluate(
        model, tmp_path / "photos", tmp_path / "report", answers=("mean",), metrics=("psnr",)
    )
    text = tmp_path / "text.md"
    text.write_text("---\nlicense: mit\n---\n\n# Mine\n\nLearnt from my garden.\n")
    chosen = {"card": text, "report": tmp_path / "report", "precision": "fp32", **PUBLISHED}
    out = palette.export(model, tmp_path / "out", "hub", **chosen)
    assert {path.name for path in out.iterdir()} <= set(FILES)
    card = hub.ModelCard.load(out / "README.md")
    assert (card.data.license, card.data.library_name) == ("cc-by-4.0", "palette-diffusion")
    assert "denoising" in card.data.tags
    (result,) = card.data.eval_results
    assert isinstance(report, palette.Report)
    value = report.value("mean", "psnr")
    assert value is not None
    assert result.metric_value == pytest.approx(value, abs=0.006)
    words = ["# Mine", "my garden", 'palette.load("hf://someone/mine")', "11 pictures", "7 of 16"]
    for word in [*words, f"| {value:.2f} |", "invents detail"]:
        assert word in card.text
    assert "license: mit" not in card.content


def test_figures_of_another_model_are_refused(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for manifest, message in [
        (None, "holds no report.json"),
        ({}, "is a report of another model"),
        ({"weights": "1" * 64}, "is a report of another model"),
    ]:
        (tmp_path / "report").mkdir(exist_ok=True)
        if manifest is not None:
            text = json.dumps({"manifest": manifest})
            (tmp_path / "report" / "report.json").write_text(text)
        with pytest.raises(palette.UserError, match=message):
            palette.export(model, out, "hub", report=tmp_path / "report", **PUBLISHED)
    assert not out.exists()


@pytest.mark.parametrize(
    ("to", "chosen", "message"),
    [
        ("hub", {}, "has a name and a licence"),
        ("hub", {**PUBLISHED, "repo": "mine"}, "repo is 'mine': write OWNER/NAME"),
        ("onnx", {"card": "card.md"}, "card is card.md: --to onnx has no use for it"),
        ("diffusers", {"task": "denoising"}, "--to onnx or torch has"),
        ("spandrel", {}, "spandrel loads the architectures of its own list"),
        ("onnxx", {}, "did you mean 'onnx'"),
    ],
)
def test_what_is_refused(
    to: Any, chosen: dict[str, Any], message: str, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(palette.UserError, match=message):
        palette.export(model, tmp_path / "out", to, **chosen)
    assert not (tmp_path / "out").exists()


def test_a_copy_of_a_card_from_the_hub_stays_one(model: Path, tmp_path: Path) -> None:
    """A model that came from there goes back with one front matter."""
    first = palette.export(model, tmp_path / "a", "hub", **PUBLISHED)
    shutil.copytree(first, tmp_path / "b")
    again = palette.export(tmp_path / "b", tmp_path / "c", "hub", **PUBLISHED)
    assert (again / "README.md").read_bytes() == (first / "README.md").read_bytes()
