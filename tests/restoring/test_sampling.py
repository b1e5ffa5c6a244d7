"""The choices of sampling: evaluations that are counted, starts, guidance, thresholding."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import palette
from palette.cli.evaluate import Evaluate
from palette.cli.restore import Restore
from palette.diffusion.guidance import drop_condition, dynamic_clip, guided
from palette.diffusion.loss import Target
from palette.diffusion.samplers import SAMPLERS
from palette.diffusion.schedule import SCHEDULES, logsnr
from palette.restoring.sampling import Sampling, compute, levels
from tests.conftest import TINY

SCHEDULE = SCHEDULES["logsnr"]


class Counting:
    """An exact ε̂ for a target of the constant ``value``, which counts its calls."""

    def __init__(self, value: float) -> None:
        self.value, self.gammas = value, []

    def __call__(self, y_t: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
        self.gammas.append(float(gamma[0]))
        g = gamma[:, None, None, None]
        return (y_t - g.sqrt() * self.value) / (1 - g).sqrt()


def run(sampling: Sampling, guess: float = 0.0) -> tuple[Counting, torch.Tensor]:
    denoise = Counting(0.25)
    noise = lambda k: torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(k + 1))  # noqa: E731
    start = torch.full((1, 3, 4, 4), guess)
    return denoise, compute(sampling, SCHEDULE, denoise, noise, lambda z: z.clamp(-1, 1), start)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("start", ["noise", "condition", "mean"])
def test_steps_are_evaluations(sampler: str, start: Any) -> None:
    sampling = Sampling(steps=24, sampler=sampler, start=start, resamplings=4)
    denoise, z = run(sampling)
    per_step = {"heun": 2, "repaint": 4}.get(sampler, 1)
    assert 24 - per_step < len(denoise.gammas) <= 24
    torch.testing.assert_close(z, torch.full_like(z, 0.25), atol=1e-4, rtol=0)


def test_a_start_begins_at_its_level() -> None:
    for start, begins in (("noise", -10.0), ("condition", -2.5), ("mean", -2.5)):
        sampling = Sampling(start=start, start_logsnr=-2.5)  # type: ignore[arg-type]
        gammas = levels(sampling, SCHEDULE)
        assert float(logsnr(gammas[0])) == pytest.approx(begins)
        assert len(gammas) == 8 - (start == "mean")
        assert float(gammas[-1]) == pytest.approx(0.9999)
    denoise, _ = run(Sampling(start="mean", start_logsnr=-2.5))
    assert denoise.gammas[0] == pytest.approx(SCHEDULE.gamma_min)


def test_the_mean_answer_takes_one_evaluation_whatever_the_start() -> None:
    for start in ("noise", "condition", "mean"):
        denoise, _ = run(Sampling(answer="mean", start=start))  # type: ignore[arg-type]
        assert denoise.gammas == [pytest.approx(SCHEDULE.gamma_min)]


def test_a_start_from_the_condition_holds_the_guess() -> None:
    """One level at log-SNR 5: most of the answer is what it started from."""
    sampling = Sampling(steps=1, start="condition", start_logsnr=5.0)
    seen: list[torch.Tensor] = []

    def denoise(y_t: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
        seen.append(y_t)
        return torch.zeros_like(y_t)

    guess = torch.full((1, 3, 16, 16), 0.7)
    clip = lambda z: z  # noqa: E731
    compute(sampling, SCHEDULE, denoise, lambda k: torch.zeros_like(guess), clip, guess)
    torch.testing.assert_close(seen[0], guess * torch.sigmoid(torch.tensor(5.0)).sqrt())


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"start": "middle"}, "noise, condition or mean"),
        ({"start_logsnr": 9.0}, "-?20 to 5"),
        ({"resamplings": 0}, "at least 1"),
        ({"guidance": -1.0}, "0 to 20"),
    ],
)
def test_bad_choices_are_refused(sampling: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**sampling)


@pytest.mark.parametrize(
    ("sampling", "least"),
    [
        ({"sampler": "repaint"}, 11),
        ({"start": "mean", "steps": 1}, 2),
        ({"sampler": "heun", "steps": 2}, 3),
    ],
)
def test_too_few_evaluations_are_refused(sampling: dict[str, Any], least: int) -> None:
    with pytest.raises(ValueError, match=f"at least {least} evaluations"):
        levels(Sampling(**sampling), SCHEDULE)


def test_guidance_extrapolates_from_the_network_without_condition() -> None:
    network = lambda x, y_t, gamma: 2 * x + y_t + gamma[:, None, None, None]  # noqa: E731
    x, y_t, gamma = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.rand(2)
    for weight in (0.0, 1.0, 3.0):
        expected = network(torch.zeros_like(x), y_t, gamma) + weight * 2 * x
        torch.testing.assert_close(guided(network, weight)(x, y_t, gamma), expected)


def test_dynamic_thresholding_keeps_what_is_inside_and_rescales_what_is_not() -> None:
    x = torch.zeros(2, 3, 8, 8)
    inside = torch.linspace(-0.9, 0.9, 192).reshape(3, 8, 8)
    clip = dynamic_clip(Target(0.5), x)
    out = clip(torch.stack([inside, 6 * inside]))
    torch.testing.assert_close(out[0], inside)
    pictures = Target(0.5).decode(out, x)
    assert float(pictures[1].abs().max()) == pytest.approx(1)
    ratio = (
        out[1][inside.abs().gt(0.1) & inside.abs().lt(0.8)]
        / inside[inside.abs().gt(0.1) & inside.abs().lt(0.8)]
    )
    assert float(ratio.std()) < 1e-4  # contrast is kept, not saturated


def test_dropped_conditions_are_grey() -> None:
    x = torch.ones(3, 3, 2, 2)
    out = drop_condition(x, torch.tensor([True, False, True]))
    assert out.sum(dim=(1, 2, 3)).tolist() == [0, 12, 0]


def test_guidance_needs_a_network_that_was_trained_for_it(
    photos: Path, picture: np.ndarray, tmp_path: Path, trained: dict[str, Path]
) -> None:
    with pytest.raises(ValueError, match="drop-condition"):
        palette.load(trained["jpeg-restoration"], guidance=2.0).restore(picture)
    config = {**TINY, "diffusion": {"drop_condition": 0.5}, "train": {**TINY["train"], "batch": 4}}
    palette.train("jpeg-restoration", data=photos, out=tmp_path / "run", steps=4, config=config)
    settings: dict[str, Any] = {"precision": "fp32", "steps": 2}
    plain = palette.load(tmp_path / "run", **settings).restore(picture)
    hard = palette.load(tmp_path / "run", guidance=3.0, **settings).restore(picture)
    assert np.isfinite(hard).all()
    assert np.abs(hard - plain).max() > 1e-3


def test_the_command_line_has_the_defaults_of_sampling() -> None:
    flags = {field.name: field.default for field in dataclasses.fields(Restore)}
    for field in dataclasses.fields(Sampling):
        if field.name != "logsnrs":
            assert flags[field.name] == field.default, field.name
    evaluate = {field.name: field.default for field in dataclasses.fields(Evaluate)}
    for name in ("sampler", "eta", "grid"):
        assert evaluate[name] == flags[name]
