"""An imported model samples as its authors do, unless a user says otherwise."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from published_networks import GuidedUNet, SR3UNet
from torch import Tensor, nn

import palette
from palette.checkpoint import load_model
from palette.cli.main import main
from palette.cli.restore import read_arguments
from palette.diffusion.schedule import SCHEDULES, linear_gammas
from palette.importing.families import GUIDED_DIFFUSION, PALETTE, SR3, Family
from palette.importing.model import published_sampling
from palette.importing.shape import Shape
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.solve import levels
from palette.seeding import normal
from palette.types import Condition, Observation

SHAPE = Shape(64, (1, 2), 2, (), "residual", inputs=6, outputs=3)


def network() -> GuidedUNet:
    torch.manual_seed(0)
    return GuidedUNet("cond_embed", 32, (1, 2), 1)


def model_of(net: nn.Module, folder: Path, *flags: str) -> Path:
    state = {f"denoise_fn.{name}": value for name, value in net.state_dict().items()}
    torch.save(state, folder / "200_Network_ema.pth")
    out = folder / "model"
    assert main(["import", str(folder / "200_Network_ema.pth"), str(out), *flags]) == 0
    return out


@pytest.fixture
def inpainting(tmp_path: Path) -> Path:
    return model_of(network(), tmp_path, "--task", "inpainting", "--head-width", "32")


@pytest.mark.parametrize(
    ("family", "betas", "trained", "sampler"),
    [
        (PALETTE, (1000, 1e-4, 0.09), (2000, 1e-6, 0.01), "ancestral"),
        (SR3, (2000, 1e-6, 0.01), (2000, 1e-6, 0.01), "ancestral"),
        (GUIDED_DIFFUSION, (1000, 1e-4, 0.02), (1000, 1e-4, 0.02), "ancestral_beta"),
    ],
)
def test_the_levels_are_the_published_ones_that_were_trained(
    family: Family, betas: tuple[int, float, float], trained: tuple[int, float, float], sampler: str
) -> None:
    sampling = Sampling(**published_sampling(family, SHAPE))
    assert sampling.sampler == sampler
    visited = levels(sampling, SCHEDULES[family.schedule])
    published = linear_gammas(*betas)
    low = float(linear_gammas(*trained).min())
    expected = [gamma for gamma in published.tolist() if low <= gamma <= 0.9999][::-1]
    if family is GUIDED_DIFFUSION:  # 250 of 1000, both ends among them
        assert len(visited) == 250
        assert set(visited.tolist()) <= set(expected)
        assert (visited[0].item(), visited[-1].item()) == (expected[0], expected[-1])
    else:
        assert visited.tolist() == expected


def test_what_saw_no_condition_fills_holes_by_repaint() -> None:
    shape = Shape(64, (1, 2), 2, (), "residual", inputs=3, outputs=6)
    sampling = Sampling(**published_sampling(GUIDED_DIFFUSION, shape))
    assert (sampling.sampler, sampling.resamplings) == ("repaint", 10)
    assert len(levels(sampling, SCHEDULES["ddpm"])) == 250


def test_palettes_inpainting_is_that_of_its_port(inpainting: Path) -> None:
    """Its loop as it is written there, with the same noise: known pixels stay without any."""
    torch.manual_seed(1)
    loaded = palette.load(inpainting, precision="fp32", device="cpu")
    assert isinstance(loaded, Restorer)
    hole = np.zeros((16, 16), np.float32)
    hole[3:11, 4:] = 1
    picture = np.random.default_rng(0).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(picture.shape).astype(np.float32)
    x = np.where(hole[..., None] > 0, noise, picture)
    solver = loaded.solver
    batch = solver.batch([Condition(x, hole)], [7], Sampling(sampler="ancestral", steps=6))
    got = 2 * torch.from_numpy(solver.solve(batch)) - 1

    gammas = levels(batch.sampling, solver.schedule).tolist()
    expected = published_loop(network().eval(), gammas, x, picture, hole)
    assert (got - expected.clamp(-1, 1)).abs().max() <= 1e-4


def published_loop(
    net: nn.Module, gammas: list[float], x: np.ndarray, picture: np.ndarray, hole: np.ndarray
) -> Tensor:
    condition, y_0 = (torch.from_numpy(one).permute(2, 0, 1)[None] for one in (x, picture))
    mask = torch.from_numpy(hole)[None, None]
    drawn = lambda k: normal([7], (3, 16, 16), k)  # noqa: E731
    y = y_0 * (1 - mask) + mask * drawn(0)
    with torch.inference_mode():
        for k, (now, after) in enumerate([*pairwise(gammas), (gammas[-1], 1.0)], 1):
            eps = net(torch.cat([condition, y], dim=1), torch.tensor([now]))
            clean = ((y - math.sqrt(1 - now) * eps) / math.sqrt(now)).clamp(-1, 1)
            beta = 1 - now / after
            mean = beta * math.sqrt(after) / (1 - now) * clean
            mean += (1 - after) * math.sqrt(1 - beta) / (1 - now) * y
            spread = math.sqrt(beta * (1 - after) / (1 - now))
            y = mean + (spread * drawn(k) if after < 1 else 0)
            y = y_0 * (1 - mask) + mask * y
    return y.permute(0, 2, 3, 1)


def test_flags_go_before_what_was_published(inpainting: Path, trained: dict[str, Path]) -> None:
    def sampling(model: Path, *flags: str) -> Sampling:
        return read_arguments([str(model), "in.png", "out.png", *flags]).sampling

    own = Sampling(sampler="ancestral", grid="palette", steps=468)
    assert sampling(inpainting) == own
    # 8 is the default of other models
    chosen = sampling(inpainting, "--steps", "8", "--sampler", "dpmpp_2m", "--grid", "logsnr")
    assert chosen == Sampling(steps=8, sampler="dpmpp_2m", grid="logsnr")
    assert sampling(trained["denoising"]) == Sampling()
    assert palette.load(inpainting).sampling == own
    assert palette.load(inpainting, steps=8).sampling.steps == 8
    assert palette.load(trained["denoising"]).sampling == Sampling()


def test_an_imported_model_is_a_model(inpainting: Path, tmp_path: Path) -> None:
    """Restored from the command line, known pixels untouched; copied with its sampling."""
    from palette.data.images import read, write

    picture = np.random.default_rng(0).uniform(size=(16, 20, 3)).astype(np.float32)
    mask = np.zeros_like(picture)
    mask[4:9, 4:9] = 1
    write(tmp_path / "in.png", picture)
    write(tmp_path / "mask.png", mask)
    files = [str(tmp_path / name) for name in ("in.png", "out.png")]
    command = ["restore", str(inpainting), *files, "--mask", str(tmp_path / "mask.png")]
    assert main([*command, "--steps", "6"]) == 0  # not 468, for time
    before, after = (read(Path(file)).picture for file in files)
    assert np.array_equal(before[9:], after[9:])
    assert not np.array_equal(before[4:9, 4:9], after[4:9, 4:9])
    assert main(["export", str(inpainting), str(tmp_path / "copy"), "--precision", "fp32"]) == 0
    both = [load_model(folder) for folder in (inpainting, tmp_path / "copy")]
    assert both[0].info["sampling"] == both[1].info["sampling"]


def test_super_resolution_is_shown_what_it_was_trained_on(tmp_path: Path) -> None:
    """SR3's port enlarges bicubically by 8, guided-diffusion bilinearly by 4."""
    torch.manual_seed(0)
    gammas = {"alphas_cumprod": linear_gammas(2000, 1e-6, 0.01).float()}
    sr3 = {f"denoise_fn.{k}": v for k, v in SR3UNet(16, (1, 2), 1, (), 16).state_dict().items()}
    torch.save({**sr3, **gammas}, tmp_path / "I1_E1_gen.pth")
    guided = GuidedUNet("time_embed", 32, (1, 2), 1, outputs=6)
    torch.save(guided.state_dict(), tmp_path / "model000001.pt")
    for name, flags in {
        "I1_E1_gen.pth": ["--groups", "16"],
        "model000001.pt": ["--head-width", "32"],
    }.items():
        assert main(["import", str(tmp_path / name), str(tmp_path / f"{name}-model"), *flags]) == 0
    small = np.random.default_rng(0).uniform(size=(4, 6, 3)).astype(np.float32)
    for name, scale, mode in (("I1_E1_gen.pth", 8, "bicubic"), ("model000001.pt", 4, "bilinear")):
        task = palette.load(tmp_path / f"{name}-model").task
        shown = task.condition(Observation(small), np.random.default_rng(0)).x
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None]
        size = (4 * scale, 6 * scale)
        expected = torch.nn.functional.interpolate(pixels, size, mode=mode, antialias=True)
        expected = 2 * expected.clamp(0, 1) - 1
        assert np.abs(shown - expected[0].permute(1, 2, 0).numpy()).max() < 1e-5
        sampled = np.zeros((4 * scale, 6 * scale, 3), np.float32)
        assert task.finish(sampled, Observation(small)) is sampled  # as its authors leave it
