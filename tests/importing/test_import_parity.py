"""An imported network gives what the published one gives, to 1e-5, for every family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
import torch
from published_networks import GuidedUNet, SR3UNet
from torch import Tensor, nn

from palette.api import read_model
from palette.cli.main import main
from palette.diffusion.schedule import linear_gammas, logsnr
from palette.importing.convert import Conversion, shape_of
from palette.importing.families import PALETTE, SR3
from palette.importing.files import Weights
from palette.importing.published import Told, architecture_of
from palette.network.denoiser import Denoiser
from palette.network.embedding import NoiseEmbedding

TRAINED = linear_gammas(2000, 1e-6, 0.01).float()
PALETTE_BUFFERS = {"gammas": TRAINED, "sqrt_recip_gammas": TRAINED.rsqrt()}
SR3_BUFFERS = {"alphas_cumprod": TRAINED, "betas": TRAINED, "posterior_variance": TRAINED}
DDPM = linear_gammas(1000, 1e-4, 0.02)
GAMMA = torch.tensor([0.003, 0.7])
STEPS = torch.tensor([700, 0])


class Case(NamedTuple):
    network: Callable[[], nn.Module]
    flags: str
    number: Tensor = GAMMA
    """What the published network is shown of the noise level, for two pictures."""
    gamma: Tensor = GAMMA
    """The same for ours."""
    prefix: str = "denoise_fn."
    buffers: Mapping[str, Tensor] = MappingProxyType({})
    label: tuple[int, ...] = ()

    @property
    def noise_first(self) -> bool:
        return not self.prefix


def of_steps(network: Callable[[], nn.Module], flags: str, *label: int) -> Case:
    """Of guided-diffusion."""
    return Case(network, flags, STEPS.float(), DDPM[STEPS].float(), prefix="", label=label)


TWO = (1, 2)
CASES = {
    "palette": Case(
        lambda: GuidedUNet("cond_embed", 32, TWO, 2),
        "--task colorization --head-width 32",
        buffers=PALETTE_BUFFERS,
    ),
    "palette-attention": Case(
        lambda: GuidedUNet("cond_embed", 32, (1, 1, 2), 1, (0, 2), head_width=16),
        "--task paired --head-width 16",
    ),
    "palette-sr3": Case(
        lambda: SR3UNet(16, TWO, 1, (), 16),
        "--task jpeg-restoration --groups 16",
        buffers=PALETTE_BUFFERS,
    ),
    "palette-sr3-average": Case(
        lambda: SR3UNet(16, TWO, 1, (), 16), "--task denoising --groups 16"
    ),
    "sr3": Case(
        lambda: SR3UNet(32, (1, 2, 2), 2, (1,)),
        "--groups 32",
        number=GAMMA.sqrt(),
        buffers=SR3_BUFFERS,
    ),
    "guided-diffusion": of_steps(
        lambda: GuidedUNet("time_embed", 32, TWO, 2, (1,), heads=4, outputs=6), "--heads 4"
    ),
    "guided-diffusion-fixed-variance": of_steps(
        lambda: GuidedUNet("time_embed", 32, TWO, 1), "--head-width 32"
    ),
    "guided-diffusion-classes": of_steps(
        lambda: GuidedUNet(
            "time_embed", 32, TWO, 1, heads=2, outputs=6, classes=5, convolutions=True
        ),
        "--heads 2 --label 3",
        3,
    ),
}


def imported(case: Case, folder: Path) -> tuple[Denoiser, nn.Module]:
    """The network of the model, and the published one."""
    torch.manual_seed(0)
    network = case.network().eval()
    state = {case.prefix + name: value for name, value in network.state_dict().items()}
    torch.save({**case.buffers, **state}, folder / "published.pth")
    command = ["import", str(folder / "published.pth"), str(folder / "model")]
    assert main([*command, *case.flags.split()]) == 0
    return read_model(folder / "model")[0].denoiser, network


@pytest.mark.parametrize("name", CASES)
def test_the_network_gives_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    ours, theirs = imported(case, tmp_path)
    x, y_t = torch.randn(2, 2, 3, 16, 24)
    with torch.inference_mode():
        shown = torch.cat([y_t, x] if case.noise_first else [x, y_t], dim=1)
        expected = theirs(shown, case.number, *case.label)[:, :3]
        got = ours(x, y_t, case.gamma)
    assert (got - expected).abs().max() <= 1e-5
    assert expected.std() > 0.1


def test_a_network_without_a_condition_does_not_look_at_it(tmp_path: Path) -> None:
    blind = lambda: GuidedUNet("time_embed", 32, TWO, 1, inputs=3, outputs=6)  # noqa: E731
    ours, theirs = imported(of_steps(blind, "--head-width 32"), tmp_path)
    x, other, y_t = torch.randn(3, 2, 3, 16, 16)
    with torch.inference_mode():
        expected = theirs(y_t, STEPS.float())[:, :3]
        got = [ours(one, y_t, DDPM[STEPS].float()) for one in (x, other)]
    assert torch.equal(*got)
    assert (got[0] - expected).abs().max() <= 1e-5


def test_known_pixels_are_shown_to_palettes_network_without_noise(tmp_path: Path) -> None:
    """Its training: y_noisy in the hole, the picture itself elsewhere."""
    flags = "--task inpainting --head-width 32"
    case = Case(lambda: GuidedUNet("cond_embed", 32, TWO, 1), flags)
    ours, theirs = imported(case, tmp_path)
    picture, noise, y_t = torch.randn(3, 2, 3, 16, 16)
    hole = torch.zeros(2, 1, 16, 16)
    hole[:, :, 4:10, 3:] = 1
    x = picture * (1 - hole) + noise * hole
    with torch.inference_mode():
        mixed = y_t * hole + picture * (1 - hole)
        expected = theirs(torch.cat([x, mixed], dim=1), GAMMA)
        got = ours(torch.cat([x, hole], dim=1), y_t, GAMMA)
    assert (got - expected).abs().max() <= 1e-5


PUBLISHED = {
    "palette": (PALETTE, lambda: GuidedUNet("cond_embed", 64, (1, 2, 4, 8), 2), 62_641_347),
    "sr3-16-128": (SR3, lambda: SR3UNet(64, (1, 2, 4, 8, 8), 2, (3,)), 97_807_491),
    "sr3-64-512": (SR3, lambda: SR3UNet(64, (1, 2, 4, 8, 16), 1, (), 16), 155_334_339),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_sizes_fit(name: str) -> None:
    """Without their numbers: nothing is missing or left over, no flag is needed."""
    family, published, count = PUBLISHED[name]
    with torch.device("meta"):
        state = published().state_dict()
    assert sum(value.numel() for value in state.values()) == count
    weights = Weights(Path("published.pth"), state)
    shape = shape_of(family, weights)
    architecture, size = architecture_of(family, shape, Told(), weights.file, clean=False)
    assert architecture.heads_of(512) == (16 if family is PALETTE else 1)
    with torch.device("meta"):
        denoiser = Denoiser(architecture, size)
    names = Conversion(family, shape, architecture, size).names()
    theirs = {names(key): value for key, value in denoiser.unet.state_dict().items()}
    biases = [key for key in theirs if key.endswith("qkv.bias") and family is SR3]
    assert theirs.keys() - set(biases) == state.keys()
    assert all(theirs[key].numel() == value.numel() for key, value in state.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_of_the_published_sizes_give_the_same(name: str, tmp_path: Path) -> None:
    family, published, _ = PUBLISHED[name]
    if family is PALETTE:
        case = Case(published, "--task uncropping", buffers=PALETTE_BUFFERS)
    else:
        case = Case(published, "", number=GAMMA.sqrt(), buffers=SR3_BUFFERS)
    ours, theirs = imported(case, tmp_path)
    x, y_t = torch.randn(2, 2, 3, 32, 32)
    with torch.inference_mode():
        expected = theirs(torch.cat([x, y_t], dim=1), case.number)
        mask = torch.ones(2, int(family is PALETTE), 32, 32)  # all is missing
        difference = (ours(torch.cat([x, mask], dim=1), y_t, GAMMA) - expected).abs().max()
    print(f"{name}: {difference:.1e} of {expected.std():.2f}")
    assert difference <= 1e-5


def test_time_steps_are_whole_at_their_levels_and_between_them_in_between() -> None:
    embedding = NoiseEmbedding(8, "ddpm-step", 8)
    assert torch.equal(embedding.step(DDPM.float()), torch.arange(1000.0))
    halfway = torch.sigmoid((logsnr(DDPM[:-1]) + logsnr(DDPM[1:])) / 2).float()
    assert (embedding.step(halfway) - torch.arange(999) - 0.5).abs().max() <= 1 / 64
    ends = embedding.step(torch.tensor([1e-7, 1.0]))
    assert ends.tolist() == [999, 0]
