"""The search for levels: it compares with the reference, never ends worse, belongs to the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palette
from palette.checkpoint import load_model, save_searched
from palette.cli.main import main
from palette.data.opening import open_source
from palette.restoring.sampling import Sampling
from palette.restoring.search import Crops, Trial, search, take_crops


@pytest.fixture(scope="module")
def trial(trained: dict[str, Path]) -> Trial:
    restorer = palette.load(trained["super-resolution"], precision="fp32")
    crops = take_crops(restorer, open_source("bundled"), 2)
    return Trial(restorer, crops, 2, reference_steps=12)


def test_the_reference_scores_zero_and_others_do_not(trial: Trial) -> None:
    assert trial.score(Sampling(sampler="ancestral", steps=12, grid="logsnr")) == 0
    assert trial.score(Sampling(sampler="ancestral", steps=2)) > 0.01


def test_energy_error_and_spread_by_hand(trial: Trial) -> None:
    """A restorer whose samples are the baseline plus known noise."""
    draws = np.random.default_rng(0).normal(0, 0.1, (8, 32, 32, 3)).astype(np.float32)

    class Noisy:
        task = trial.restorer.task
        using = lambda self, sampling: self  # noqa: E731

        def restore_observations(self, observed: list, seeds: list) -> list[np.ndarray]:
            assert len(set(seeds)) == len(observed) == 8
            return [self.task.baseline(o) + d for o, d in zip(observed, draws, strict=True)]

    baseline, observed = trial.crops.baseline, trial.crops.observed
    crops = Crops([picture.copy() for picture in baseline], observed, baseline)
    noisy = Trial(Noisy(), crops, 4)  # type: ignore[arg-type]
    energy, error, spread = noisy.goal[:, 1:]
    np.testing.assert_allclose(energy, error, rtol=1e-4)  # the truth is the baseline here
    np.testing.assert_allclose(spread, energy, rtol=0.35)  # unbiased, of four samples
    np.testing.assert_allclose(energy.sum(), 3 * 0.1**2, rtol=0.1)
    with pytest.raises(ValueError, match="2 or more"):
        Trial(Noisy(), crops, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "eta"), [("noise", 0.25), ("mean", 0.0)])
def test_a_search_ends_no_worse_and_in_order(trial: Trial, start: Any, eta: float) -> None:
    begin = Sampling(steps=4, sampler="dpmpp_2m_sde", start=start, eta=eta)
    before, seen = trial.score(begin), []
    best, score = search(trial, begin, lambda s, value: seen.append(value))
    assert trial.score(best) == score < before
    assert seen == sorted(seen, reverse=True)
    assert best.logsnrs is not None
    assert list(best.logsnrs) == sorted(best.logsnrs)
    assert len(best.logsnrs) == 4 - (start == "mean")
    assert 0 <= best.eta <= 1
    if start == "noise":
        assert best.logsnrs[0] == pytest.approx(-10)


def test_what_was_searched_is_used_and_belongs_to_its_weights(
    trained: dict[str, Path], tmp_path: Path, picture: np.ndarray
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["super-resolution"] / "model", model)
    entry = {"task": "super-resolution", "sampler": "dpmpp_2m_sde", "start": "noise", "steps": 3}
    entry |= {"eta": 0.5}
    save_searched(model, {**entry, "steps": 2, "logsnrs": [-10.0, 6.0]})
    save_searched(model, {**entry, "logsnrs": [-10.0, -1.0, 5.0]})
    save_searched(model, {**entry, "logsnrs": [-10.0, 0.0, 6.0]})
    assert [e["logsnrs"] for e in load_model(model).searched] == [[-10.0, 6.0], [-10.0, 0.0, 6.0]]

    def restored(**sampling: Any) -> np.ndarray:
        settings = {"precision": "fp32", "sampler": "dpmpp_2m_sde", "start": "noise", "steps": 3}
        return palette.load(model, **{**settings, **sampling}).restore(picture)

    by_hand = restored(logsnrs=(-10.0, 0.0, 6.0), eta=0.5, steps=99)
    np.testing.assert_array_equal(restored(), by_hand)
    for other in ({"grid": "logsnr"}, {"sampler": "dpmpp_2m"}, {"steps": 4}):
        assert np.abs(restored(**other) - by_hand).max() > 1e-3
    described = palette.load(model, sampler="dpmpp_2m_sde", start="noise", steps=3).describe()
    assert described["sampling"]["logsnrs"] == (-10.0, 0.0, 6.0)
    detailed = palette.load(model, sampler="dpmpp_2m_sde", start="noise", steps=3, detail=0.2)
    assert detailed.describe()["sampling"]["logsnrs"] is None  # nobody searched with it

    content = json.loads((model / "searched.json").read_text())
    (model / "searched.json").write_text(json.dumps({**content, "weights": "others"}))
    assert load_model(model).searched == ()


def test_the_command(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["jpeg-restoration"] / "model", model)
    flags = ["--steps", "2", "--pictures", "1", "--samples", "2", "--sampler", "ddim"]
    flags += ["--reference-steps", "8"]
    assert main(["search", str(model), *flags]) == 0
    out = capsys.readouterr().out
    assert "--steps 2 --sampler ddim --start noise" in out
    (entry,) = load_model(model).searched
    assert entry["score"] <= entry["score_of_logsnr_grid"]
    assert len(entry["logsnrs"]) == 2
    assert main(["search", str(tmp_path / "none")]) == 2
    assert "holds no model" in capsys.readouterr().err
