"""An imported network gives what the published one gives, to 1e-5, for every family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
from published_networks import GuidedUNet, SR3UNet
from torch import Tensor, nn

from palette.api import read_model
from palette.cli.main import main
from palette.diffusion.schedule import linear_gammas, logsnr
from palette.importing.convert import Conversion, shape_of
from palette.importing.families import PALETTE, SR3, Family
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
    network: nn.Module
    flags: list[str]
    number: Tensor
    """What the published network is shown of the noise level, for two pictures."""
    prefix: str = ""
    buffers: Mapping[str, Tensor] = MappingProxyType({})
    gamma: Tensor = GAMMA
    """The same for ours."""
    noise_first: bool = False
    rest: tuple[Any, ...] = ()
    """Of the published network's arguments."""


def cases() -> dict[str, Case]:
    """A small network of each family and of each way to build one."""
    torch.manual_seed(0)
    two = (1, 2)
    plain = GuidedUNet("cond_embed", 32, two, 2)
    attends = GuidedUNet("cond_embed", 32, (1, 1, 2), 1, (0, 2), head_width=16)
    of_steps = {"number": STEPS.float(), "gamma": DDPM[STEPS].float(), "noise_first": True}
    return {
        "palette": Case(
            plain,
            ["--task", "colorization", "--head-width", "32"],
            GAMMA,
            "denoise_fn.",
            PALETTE_BUFFERS,
        ),
        "palette-attention": Case(
            attends, ["--task", "paired", "--head-width", "16"], GAMMA, "denoise_fn."
        ),
        "palette-sr3": Case(
            SR3UNet(16, two, 1, (), 16),
            ["--task", "jpeg-restoration", "--groups", "16"],
            GAMMA,
            "denoise_fn.",
            PALETTE_BUFFERS,
        ),
        "palette-sr3-average": Case(
            SR3UNet(16, two, 1, (), 16),
            ["--task", "denoising", "--groups", "16"],
            GAMMA,
            "denoise_fn.",
        ),
        "sr3": Case(
            SR3UNet(32, (1, 2, 2), 2, (1,)),
            ["--groups", "32"],
            GAMMA.sqrt(),
            "denoise_fn.",
            SR3_BUFFERS,
        ),
        "guided-diffusion": Case(
            GuidedUNet("time_embed", 32, two, 2, (1,), heads=4, outputs=6),
            ["--heads", "4"],
            **of_steps,
        ),
        "guided-diffusion-fixed-variance": Case(
            GuidedUNet("time_embed", 32, two, 1), ["--head-width", "32"], **of_steps
        ),
        "guided-diffusion-classes": Case(
            GuidedUNet("time_embed", 32, two, 1, heads=2, outputs=6, classes=5, convolutions=True),
            ["--heads", "2", "--label", "3"],
            rest=(3,),
            **of_steps,
        ),
    }


def saved(case: Case, path: Path) -> Path:
    state = {case.prefix + name: value for name, value in case.network.state_dict().items()}
    torch.save({**case.buffers, **state}, path)
    return path


def imported(case: Case, folder: Path) -> Denoiser:
    file, out = saved(case, folder / "published.pth"), folder / "model"
    assert main(["import", str(file), str(out), *case.flags]) == 0
    return read_model(out)[0].denoiser


@pytest.mark.parametrize("name", cases())
def test_the_network_gives_the_same(name: str, tmp_path: Path) -> None:
    case = cases()[name]
    ours, theirs = imported(case, tmp_path), case.network.eval()
    x, y_t = torch.randn(2, 2, 3, 16, 24)
    with torch.inference_mode():
        shown = torch.cat([y_t, x] if case.noise_first else [x, y_t], dim=1)
        expected = theirs(shown, case.number, *case.rest)[:, :3]
        got = ours(x, y_t, case.gamma)
    assert (got - expected).abs().max() <= 1e-5
    assert expected.std() > 0.1


def test_a_network_without_a_condition_does_not_look_at_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = GuidedUNet("time_embed", 32, (1, 2), 1, inputs=3, outputs=6)
    case = Case(network, ["--head-width", "32"], STEPS.float())
    ours = imported(case, tmp_path)
    x, other, y_t = torch.randn(3, 2, 3, 16, 16)
    with torch.inference_mode():
        expected = network.eval()(y_t, STEPS.float())[:, :3]
        got = [ours(one, y_t, DDPM[STEPS].float()) for one in (x, other)]
    assert torch.equal(*got)
    assert (got[0] - expected).abs().max() <= 1e-5


def test_known_pixels_are_shown_to_palettes_network_without_noise(tmp_path: Path) -> None:
    """Its training: y_noisy in the hole, the picture itself elsewhere."""
    torch.manual_seed(0)
    network = GuidedUNet("cond_embed", 32, (1, 2), 1)
    flags = ["--task", "inpainting", "--head-width", "32"]
    ours = imported(Case(network, flags, GAMMA, "denoise_fn."), tmp_path)
    picture, noise, y_t = torch.randn(3, 2, 3, 16, 16)
    hole = torch.zeros(2, 1, 16, 16)
    hole[:, :, 4:10, 3:] = 1
    x = picture * (1 - hole) + noise * hole
    with torch.inference_mode():
        mixed = y_t * hole + picture * (1 - hole)
        expected = network.eval()(torch.cat([x, mixed], dim=1), GAMMA)
        got = ours(torch.cat([x, hole], dim=1), y_t, GAMMA)
    assert (got - expected).abs().max() <= 1e-5


@pytest.mark.parametrize(
    ("family", "published", "count", "head_width"),
    [
        (PALETTE, lambda: GuidedUNet("cond_embed", 64, (1, 2, 4, 8), 2), 62_641_347, 32),
        (SR3, lambda: SR3UNet(64, (1, 2, 4, 8, 8), 2, (3,)), 97_807_491, 512),
        (SR3, lambda: SR3UNet(64, (1, 2, 4, 8, 16), 1, (), 16), 155_334_339, 1024),
    ],
)
def test_the_published_sizes_fit(
    family: Family, published: Any, count: int, head_width: int
) -> None:
    """Without their numbers: nothing is missing or left over, no flag is needed."""
    with torch.device("meta"):
        state = published().state_dict()
    assert sum(value.numel() for value in state.values()) == count
    weights = Weights(Path("published.pth"), state)
    shape = shape_of(family, weights)
    architecture, size = architecture_of(family, shape, Told(), weights.file, clean=False)
    assert architecture.heads_of(512) == 512 // min(head_width, 512)
    with torch.device("meta"):
        denoiser = Denoiser(architecture, size)
    names = Conversion(family, shape, architecture, size).names()
    theirs = {names(name): value for name, value in denoiser.unet.state_dict().items()}
    biases = [name for name in theirs if name.endswith("qkv.bias") and family is SR3]
    assert theirs.keys() - set(biases) == state.keys()
    assert all(theirs[name].numel() == value.numel() for name, value in state.items())


def test_time_steps_are_whole_at_their_levels_and_between_them_in_between() -> None:
    embedding = NoiseEmbedding(8, "ddpm-step", 8)
    assert torch.equal(embedding.step(DDPM.float()), torch.arange(1000.0))
    halfway = torch.sigmoid((logsnr(DDPM[:-1]) + logsnr(DDPM[1:])) / 2).float()
    assert (embedding.step(halfway) - torch.arange(999) - 0.5).abs().max() <= 1 / 64
    ends = embedding.step(torch.tensor([1e-7, 1.0]))
    assert ends.tolist() == [999, 0]
