"""The search for levels: a proper score, never worse than where it began, saved with the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import palette
from palette.checkpoint import load_model, save_searched
from palette.cli import main
from palette.data.sources import open_source
from palette.grid_search import Trial, crops, energy_score, search
from palette.sampling import Sampling


def draws(count: int, spread: float, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.normal(0, spread, (16, 16, 3)).astype(np.float32) for _ in range(count)]


def test_the_energy_score_is_least_for_the_true_distribution() -> None:
    """y ~ N(0, 1): samples that spread too little or too much score worse, in every octave."""
    truths = draws(40, 1.0, 0)
    scores = {
        spread: np.mean([energy_score(draws(4, spread, 1 + i), y) for i, y in enumerate(truths)], 0)
        for spread in (0.4, 1.0, 1.6)
    }
    assert (scores[1.0] < scores[0.4]).all()
    assert (scores[1.0] < scores[1.6]).all()


def test_the_energy_score_of_equal_samples_is_their_error() -> None:
    clean, point = draws(2, 1.0, 0)
    both = energy_score([point, point], clean)
    np.testing.assert_allclose(both, energy_score([point] * 5, clean))
    np.testing.assert_allclose((both**2).sum(), np.square(point - clean).sum(-1).mean(), rtol=0.1)
    with pytest.raises(ValueError, match="2 or more"):
        energy_score([point], clean)


@pytest.mark.parametrize("start", ["noise", "mean"])
def test_a_search_ends_no_worse_and_in_order(trained: dict[str, Path], start: str) -> None:
    restorer = palette.load(trained["super-resolution"], precision="fp32")
    observed, clean = crops(restorer, open_source("bundled"), 2)
    trial = Trial(restorer, observed, clean)
    begin = Sampling(steps=4, start=start)  # type: ignore[arg-type]
    before, seen = trial.score(begin), []
    best, score = search(trial, begin, lambda s, value: seen.append(value))
    assert trial.score(best) == score <= before
    assert seen == sorted(seen, reverse=True)
    assert best.logsnrs is not None
    assert list(best.logsnrs) == sorted(best.logsnrs)
    assert len(best.logsnrs) == 4 - (start == "mean")
    if start == "noise":
        assert best.logsnrs[0] == pytest.approx(-10)


def test_what_was_searched_is_used_and_belongs_to_its_weights(
    trained: dict[str, Path], tmp_path: Path, picture: np.ndarray
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["super-resolution"] / "model", model)
    entry = {"sampler": "dpmpp_2m", "start": "noise", "steps": 3, "logsnrs": [-10.0, 0.0, 6.0]}
    save_searched(model, {**entry, "steps": 2, "logsnrs": [-10.0, 6.0]})
    save_searched(model, {**entry, "logsnrs": [-10.0, -1.0, 5.0]})
    save_searched(model, entry)
    assert load_model(model).searched_for("dpmpp_2m", "noise", 3) == (-10.0, 0.0, 6.0)
    assert load_model(model).searched_for("dpmpp_2m", "noise", 2) == (-10.0, 6.0)
    assert load_model(model).searched_for("unipc", "noise", 3) is None

    def restored(**sampling: object) -> np.ndarray:
        settings = {"precision": "fp32", "sampler": "dpmpp_2m", "start": "noise", "steps": 3}
        return palette.load(model, **{**settings, **sampling}).restore(picture)  # type: ignore[arg-type]

    by_hand = restored(logsnrs=(-10.0, 0.0, 6.0), steps=99)
    np.testing.assert_array_equal(restored(), by_hand)
    assert np.abs(restored(grid="logsnr") - by_hand).max() > 1e-3
    described = palette.load(model, sampler="dpmpp_2m", start="noise", steps=3).describe()
    assert described["sampling"]["logsnrs"] == (-10.0, 0.0, 6.0)

    content = json.loads((model / "searched.json").read_text())
    (model / "searched.json").write_text(json.dumps({**content, "weights": "others"}))
    assert load_model(model).searched == ()


def test_the_command(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["jpeg-restoration"] / "model", model)
    flags = ["--steps", "2", "--pictures", "2", "--sampler", "ddim", "--precision", "fp32"]
    assert main(["search", str(model), *flags]) == 0
    out = capsys.readouterr().out
    assert "--steps 2 --sampler ddim --start noise" in out
    (entry,) = load_model(model).searched
    assert entry["score"] <= entry["score_of_logsnr_grid"]
    assert len(entry["logsnrs"]) == 2
    assert main(["search", str(tmp_path / "none")]) == 2
    assert "holds no model" in capsys.readouterr().err
