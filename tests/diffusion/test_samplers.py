"""What every sampler keeps to: batches, evaluations, clipping, precision, refusals."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from every_sampler import RANDOM, bend, every_sampler, free, name_of, noise_of
from torch import Tensor

from palette.diffusion.multistep import unipc
from palette.diffusion.samplers import evaluations, repaint
from palette.diffusion.schedule import GAMMA_MAX, GAMMA_MIN, logsnr_grid
from palette.diffusion.steps import Sampler


@every_sampler
def test_a_batch_gives_what_its_pictures_give_alone(sampler: Sampler):
    gammas = logsnr_grid(6, GAMMA_MIN, GAMMA_MAX)

    def run(seeds: list[int]) -> Tensor:
        return sampler(bend, gammas, partial(noise_of, seeds), lambda x0: x0.clamp(-1, 1))

    assert torch.equal(run([5, 6, 7]), torch.cat([run([5]), run([6]), run([7])]))
    assert not torch.equal(run([5]), run([6]))


@every_sampler
def test_evaluations_levels_and_noise_asked_for(sampler: Sampler):
    gammas = logsnr_grid(7, GAMMA_MIN, GAMMA_MAX)
    asked: list[float] = []
    keys: list[int] = []

    def denoise(y: Tensor, gamma: Tensor) -> Tensor:
        assert gamma.shape == (2,)
        assert y.dtype == gamma.dtype == torch.float32
        assert (gamma == gamma[0]).all()
        asked.append(gamma[0].item())
        return bend(y, gamma)

    def noise(k: int) -> Tensor:
        keys.append(k)
        return noise_of([0, 1], k)

    out = sampler(denoise, gammas, noise, free)
    assert out.shape == (2, 3, 8, 8)
    assert len(asked) == evaluations(name_of(sampler), 7)
    assert set(asked) == set(gammas.float().tolist())
    assert asked == sorted(asked)
    assert min(asked) >= torch.tensor(GAMMA_MIN).item()
    assert keys == list(range(len(keys)))
    assert (len(keys) > 1) == (name_of(sampler) in RANDOM)


@every_sampler
def test_every_estimate_is_clipped(sampler: Sampler):
    gammas = logsnr_grid(5, GAMMA_MIN, GAMMA_MAX)
    clipped = []

    def clip(x0: Tensor) -> Tensor:
        clipped.append(x0)
        return x0.clamp(-1, 1)

    out = sampler(lambda y, gamma: 3 - y, gammas, partial(noise_of, [0]), clip)
    assert len(clipped) == evaluations(name_of(sampler), 5)
    assert max(x0.abs().max().item() for x0 in clipped) > 1
    assert out.abs().max() <= 1


@every_sampler
def test_the_state_stays_float32_whatever_the_network_computes_in(sampler: Sampler):
    gammas = logsnr_grid(5, GAMMA_MIN, GAMMA_MAX)
    states = []

    def coarse(y: Tensor, gamma: Tensor) -> Tensor:
        states.append(y)
        return bend(y, gamma).bfloat16()

    def rounded(y: Tensor, gamma: Tensor) -> Tensor:
        return bend(y, gamma).bfloat16().float()

    out = sampler(coarse, gammas, partial(noise_of, [0]), free)
    assert {y.dtype for y in [*states, out]} == {torch.float32}
    assert torch.equal(out, sampler(rounded, gammas, partial(noise_of, [0]), free))


@every_sampler
def test_no_step_reads_a_tensor_back(sampler: Sampler):
    """Tensors without data: reading one, which would wait for a GPU, is an error."""
    noise = partial(torch.empty, (2, 3, 8, 8), device="meta")
    out = sampler(bend, logsnr_grid(5, GAMMA_MIN, GAMMA_MAX), lambda k: noise(), free)
    assert out.device.type == "meta"


@pytest.mark.parametrize(
    "gammas", [[], [[0.1, 0.5]], [0.5, 0.1], [0.1, 0.1], [0.0, 0.5], [0.5, 1.0], [math.nan]]
)
@every_sampler
def test_wrong_grids_are_refused(sampler: Sampler, gammas: list):
    with pytest.raises(ValueError, match="increasing and inside of"):
        sampler(bend, torch.tensor(gammas), partial(noise_of, [0]), free)


def test_wrong_options_are_named_with_the_choices():
    grid = logsnr_grid(3, GAMMA_MIN, GAMMA_MAX)
    with pytest.raises(ValueError, match="order 4: choose 2 or 3"):
        unipc(bend, grid, partial(noise_of, [0]), free, order=4)
    with pytest.raises(ValueError, match=r"resamplings 0.*1 or more"):
        repaint(bend, grid, partial(noise_of, [0]), free, resamplings=0)
