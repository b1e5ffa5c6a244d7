"""The search for levels: it compares with exact draws, never ends worse, belongs to the model."""

from __future__ import annotations

import json
import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palette
from palette.checkpoint import load_model, save_searched
from palette.cli.main import main
from palette.data.opening import open_source
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.search import GROUPS, Crops, Trial, search, take_crops
from palette.types import Observation, Picture


@pytest.fixture(scope="module")
def trial(trained: dict[str, Path]) -> Trial:
    restorer = palette.load(trained["super-resolution"], precision="fp32")
    return Trial(restorer, take_crops(restorer, open_source("bundled"), GROUPS))


class Gaussian:
    """y = baseline + 0.1·σ·noise, restored as if the noise were twice eta + detail of that.

    The n-th picture has the n-th of ``sigmas``; an eta + detail of 1/2 draws exactly.
    """

    def __init__(self, like: Restorer, sigmas: tuple[float, ...]) -> None:
        self.solver, self.task, self.sigmas = like.solver, like.task, sigmas
        self.sampling = Sampling()

    def using(self, sampling: Sampling) -> Gaussian:
        other = copy(self)
        other.sampling = sampling
        return other

    def truths(self, baseline: list[Picture]) -> list[Picture]:
        return [b + self._noise(i, -1) for i, b in enumerate(baseline)]

    def restore_observations(
        self, observed: list[Observation], seeds: tuple[int, ...] = ()
    ) -> list[Picture]:
        means = [self.task.baseline(observation) for observation in observed]
        if self.sampling.answer == "mean":
            return means
        assert len(set(seeds)) == len(observed)
        share = np.float32(2 * (self.sampling.eta + self.sampling.detail))
        drawn = [share * self._noise(i, 0) for i in range(len(means))]
        return [(b + z).astype(np.float32) for b, z in zip(means, drawn, strict=True)]

    def _noise(self, i: int, of: int) -> Picture:
        drawn = np.random.default_rng((i, of + 1)).normal(0, 0.1, (32, 32, 3))
        return (drawn * self.sigmas[i]).astype(np.float32)


def gaussian(trial: Trial, *sigmas: float) -> Trial:
    """Copies of the smoothest, a middling and the busiest crop that a Gaussian restores."""
    made = Gaussian(trial.restorer, sigmas)
    order = [i for group in trial.groups for i in [group[0]] * (len(sigmas) // GROUPS)]
    observed, baseline = (
        [pictures[i] for i in order] for pictures in (trial.crops.observed, trial.crops.baseline)
    )
    return Trial(made, Crops(made.truths(baseline), observed, baseline))  # type: ignore[arg-type]


def test_the_goal_and_the_score_in_closed_form(trial: Trial) -> None:
    """Of white noise of variance s², energy is s² and error 2·s²; a draw of variance v·s² has
    v·s² and (1 + v)·s²."""
    made = gaussian(trial, *[1.0] * 12)
    energy, error = made.goal[:, 0, 1:].sum(axis=-1), made.goal[:, 1, 1:].sum(axis=-1)
    np.testing.assert_allclose(energy, 3 * 0.1**2, rtol=0.1)
    np.testing.assert_allclose(error, 2 * energy, rtol=1e-4)  # the mean answer is the baseline
    assert made.score(Sampling(eta=0.5)) < 0.15
    for eta in (0.25, 1.0):
        v = (2 * eta) ** 2
        expected = np.sqrt((np.log(v) ** 2 + np.log((1 + v) / 2) ** 2) / 2)
        assert made.score(Sampling(eta=eta)) == pytest.approx(expected, rel=0.1)
    with pytest.raises(ValueError, match=f"pictures is 0: {GROUPS} is the least"):
        Trial(trial.restorer, Crops([], [], []))


def test_noise_in_smooth_crops_does_not_make_up_for_none_in_busy_ones(trial: Trial) -> None:
    even = gaussian(trial, *[1.0] * 12)
    wrong = Gaussian(trial.restorer, (1.5,) * 4 + (1.0,) * 4 + (0.1,) * 4)
    even.restorer = wrong  # type: ignore[assignment]
    assert even.score(Sampling(eta=0.5)) > 1


def test_a_search_finds_the_eta_of_exact_draws_and_moves_nothing_else(trial: Trial) -> None:
    begin = Sampling(steps=4, eta=0.9)
    best, _ = search(gaussian(trial, *[1.0] * 12), begin, move=("eta",))
    assert best.eta == pytest.approx(0.5, abs=0.06)
    assert best.logsnrs is not None
    assert best == replace(begin, eta=best.eta, logsnrs=best.logsnrs)
    assert np.diff(best.logsnrs) == pytest.approx(np.diff(best.logsnrs)[0])


def test_detail_moves_where_there_is_some(trial: Trial) -> None:
    begin, drawn = Sampling(steps=3, eta=0.2, detail=0.8), gaussian(trial, *[1.0] * 12)
    best, score = search(drawn, begin, move=("detail",))
    assert best.detail == pytest.approx(0.3, abs=0.06)
    assert best.eta == 0.2
    assert score < drawn.score(begin)
    with pytest.raises(ValueError, match="a --detail above 0"):
        search(trial, replace(begin, detail=0), move=("detail",))


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
    entry |= {"eta": 0.5, "detail": 0.0}
    save_searched(model, {**entry, "steps": 2, "logsnrs": [-10.0, 6.0]})
    save_searched(model, {**entry, "logsnrs": [-10.0, -1.0, 5.0]})
    save_searched(model, {**entry, "logsnrs": [-10.0, 0.0, 6.0]})
    assert [e["logsnrs"] for e in load_model(model).searched] == [[-10.0, 6.0], [-10.0, 0.0, 6.0]]

    def restored(**sampling: Any) -> np.ndarray:
        settings = {"precision": "fp32", "sampler": "dpmpp_2m_sde", "start": "noise", "steps": 3}
        return palette.load(model, **{**settings, **sampling}).restore(picture)

    by_hand = restored(logsnrs=(-10.0, 0.0, 6.0), eta=0.5, steps=99)
    np.testing.assert_array_equal(restored(), by_hand)
    for other in (
        {"grid": "logsnr"},
        {"sampler": "dpmpp_2m"},
        {"steps": 4},
        {"eta": 0.9},
        {"detail": 0.2},
    ):
        assert np.abs(restored(**other) - by_hand).max() > 1e-3
    save_searched(model, {**entry, "logsnrs": [-10.0, 0.0], "detail": 0.3})
    described = palette.load(model, sampler="dpmpp_2m_sde", start="noise", steps=3).describe()
    found = {key: described["sampling"][key] for key in ("logsnrs", "eta", "detail")}
    assert found == {"logsnrs": (-10.0, 0.0), "eta": 0.5, "detail": 0.3}
    chosen = palette.load(model, sampler="dpmpp_2m_sde", start="noise", steps=3, eta=0.4)
    assert chosen.describe()["sampling"]["detail"] == 0  # it is for the eta that it came with

    content = json.loads((model / "searched.json").read_text())
    (model / "searched.json").write_text(json.dumps({**content, "weights": "others"}))
    assert load_model(model).searched == ()


def test_the_command(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["jpeg-restoration"] / "model", model)
    flags = ["--steps", "2", "--pictures", "3", "--sampler", "ddim"]
    assert main(["search", str(model), *flags]) == 0
    out = capsys.readouterr().out
    assert "--steps 2 --sampler ddim --start noise" in out
    (entry,) = load_model(model).searched
    assert entry["score"] <= entry["score_of_logsnr_grid"]
    assert len(entry["logsnrs"]) == 2
    assert main(["search", str(tmp_path / "none")]) == 2
    assert "holds no model" in capsys.readouterr().err
