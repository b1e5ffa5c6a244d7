"""From choices to an answer: evaluations that are counted, starts, levels, batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from conftest import TINY

import palette
from palette.diffusion.samplers import SAMPLERS
from palette.diffusion.schedule import SCHEDULES, logsnr
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling, Start
from palette.restoring.solve import BATCH_PIXELS, levels, sample, together

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
    start = lambda: torch.full((1, 3, 4, 4), guess)  # noqa: E731
    return denoise, sample(sampling, SCHEDULE, denoise, noise, lambda z: z.clamp(-1, 1), start)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("start", get_args(Start))
def test_steps_are_evaluations(sampler: Any, start: Start) -> None:
    sampling = Sampling(steps=24, sampler=sampler, start=start, resamplings=4)
    denoise, z = run(sampling)
    per_step = {"heun": 2, "repaint": 4}.get(sampler, 1)
    assert 24 - per_step < len(denoise.gammas) <= 24
    torch.testing.assert_close(z, torch.full_like(z, 0.25), atol=1e-4, rtol=0)


@pytest.mark.parametrize("start", get_args(Start))
def test_detail_takes_one_of_the_evaluations(start: Start) -> None:
    """At the noisiest level, and one that a start from the mean answer shares."""
    denoise, z = run(Sampling(steps=8, start=start, detail=0.2))
    assert len(denoise.gammas) == 8
    assert denoise.gammas[0] == pytest.approx(SCHEDULE.gamma_min)
    torch.testing.assert_close(z, torch.full_like(z, 0.25), atol=1e-4, rtol=0)


def test_a_start_begins_at_its_level() -> None:
    starts: list[tuple[Start, float]] = [("noise", -10.0), ("condition", -2.5), ("mean", -2.5)]
    for start, begins in starts:
        sampling = Sampling(start=start, start_logsnr=-2.5)
        gammas = levels(sampling, SCHEDULE)
        assert float(logsnr(gammas[0])) == pytest.approx(begins)
        assert len(gammas) == 8 - (start == "mean")
        assert float(gammas[-1]) == pytest.approx(0.9999)
    denoise, _ = run(Sampling(start="mean", start_logsnr=-2.5))
    assert denoise.gammas[0] == pytest.approx(SCHEDULE.gamma_min)


def test_the_mean_answer_takes_one_evaluation_whatever_the_start() -> None:
    for start in get_args(Start):
        denoise, _ = run(Sampling(answer="mean", start=start))
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
    sample(sampling, SCHEDULE, denoise, lambda k: torch.zeros_like(guess), clip, lambda: guess)
    torch.testing.assert_close(seen[0], guess * torch.sigmoid(torch.tensor(5.0)).sqrt())


@pytest.mark.parametrize("sampling", [{"answer": "mean"}, {"start": "mean", "steps": 2}])
def test_a_mean_without_noise_starts_from_nothing(sampling: dict[str, Any]) -> None:
    """Also where pixels are known: training shows y_t = 0 whole."""
    seen: list[torch.Tensor] = []

    def denoise(y_t: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
        seen.append(y_t.clone())
        return torch.zeros_like(y_t)

    known = torch.full((1, 3, 16, 16), 0.7)
    zeros = lambda k: torch.zeros_like(known)  # noqa: E731
    noise = lambda k: torch.ones_like(known)  # noqa: E731
    clip = lambda z: z  # noqa: E731
    asked = Sampling(**sampling)
    sample(asked, SCHEDULE, denoise, noise, clip, lambda: known, known, zeros)
    assert not seen[0].any()
    assert all(y_t.any() for y_t in seen[1:])
    assert len(seen) == (1 if asked.answer == "mean" else 2)


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


def test_on_cpus_nothing_shares_a_batch(
    trained: dict[str, Path], picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures in a list, tiles, a hole's coarse pass, guidance: the network sees one at a time."""
    assert together(torch.device("cpu"), 1) == 1
    assert together(torch.device("cuda"), 64 * 64) == BATCH_PIXELS // 64**2
    assert together(torch.device("cuda"), 64 * 64, 3 * 64 * 64) == 3
    assert together(torch.device("cuda"), 2 * BATCH_PIXELS) == 1
    sizes: list[int] = []
    for task, sampling in (
        ("jpeg-restoration", Sampling(steps=2)),
        ("jpeg-restoration", Sampling(steps=2, guidance=2.0)),
        ("super-resolution", Sampling(steps=2, tile=32)),
        ("inpainting", Sampling(steps=2, tile=32)),
    ):
        restorer = palette.load(trained[task], precision="fp32").using(sampling)
        monkeypatch.setattr(Restorer, "_refuse_untrained", lambda *_: None)  # of guidance
        restorer.solver.denoiser.register_forward_pre_hook(
            lambda _, inputs: sizes.append(len(inputs[0]))
        )
        hole = np.ones(picture.shape[:2], bool)
        masks = [hole, hole] if task == "inpainting" else None
        restorer.restore([picture, picture], mask=masks)
    assert set(sizes) == {1}
