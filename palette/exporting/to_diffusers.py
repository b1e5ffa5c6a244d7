"""The network as a diffusers ``UNet2DModel``, weight by weight: the same numbers to rounding.

Both descend from Dhariwal & Nichol (2021). Ours enters the noise level as γ or as log-SNR; theirs
takes one number, ``timestep``, whose sinusoids have other frequencies. With ``freq_shift`` and a
factor, :func:`timestep`, they are the same, in another order, which the first linear layer undoes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from palette.api import read_model
from palette.errors import UserError
from palette.exporting.choices import Choices, Say
from palette.exporting.readme_diffusers import for_diffusers
from palette.extras import require
from palette.files import complete_folder
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser
from palette.network.unet import SelfAttention, Stage, UNet

TOLERANCE = 1e-5
"""Of the network's output."""
WRITTEN = {
    "embedding": ("logsnr", "gamma"),
    "modulation": ("scale-shift",),
    "resampling": ("residual",),
    "known": ("noised",),
}
"""What there may be of the choices of an architecture that published weights need."""
SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "linear", "beta_end": 0.0195}
"""Of the scheduler that is written beside the network: DDPM's linear β, ended a little earlier, so
that no level is noisier than those that our networks have seen."""


def write(model: str | Path, out: Path, chosen: Choices, say: Say) -> None:
    """Config, weights, scheduler and a README with the loop that samples with them."""
    loaded, members = read_model(model)
    with complete_folder(out) as folder:
        difference = save_diffusers(folder, loaded.denoiser)
        text = for_diffusers(loaded, members, factor(loaded.config.model))
        (folder / "README.md").write_text(text, encoding="utf-8")
    say(f"UNet2DModel: within {difference:.1e} of palette's own")


def save_diffusers(folder: Path, denoiser: Denoiser) -> float:
    """Write config, weights and scheduler; return the largest difference to our network.

    UserError where the package is missing, and for a shape that it has not.
    """
    require("diffusers", extra="diffusers")
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    unet = denoiser.unet
    network = UNet2DModel(**configuration(unet))
    network.load_state_dict(dict(weights(unet)))
    network.requires_grad_(False).eval()
    difference = _difference(unet, network)
    if not difference <= TOLERANCE:
        raise UserError(
            f"the network as diffusers computes it differs by {difference:.2g}, more than "
            f"{TOLERANCE}: nothing was written"
        )
    network.save_pretrained(folder)
    plain = unet.architecture.output == "plain"
    DDIMScheduler(
        **SCHEDULE,
        prediction_type="epsilon" if plain else "v_prediction",
        clip_sample=False,
        timestep_spacing="trailing",
    ).save_pretrained(folder)
    return difference


def configuration(unet: UNet) -> dict[str, Any]:
    """The arguments of ``UNet2DModel``; UserError names what of the shape it cannot have."""
    a = unet.architecture
    widths = [a.width * multiplier for multiplier in a.multipliers]
    attends = [_attention(unet, depth) is not None for depth in range(len(widths))]
    _refuse_other_shapes(a, [w for w, has in zip(widths, attends, strict=True) if has])
    down = ["AttnDownBlock2D" if has else "ResnetDownsampleBlock2D" for has in attends]
    up = ["AttnUpBlock2D" if has else "ResnetUpsampleBlock2D" for has in reversed(attends)]
    return {
        "in_channels": (6 + bool(a.mask)) * a.patch**2,
        "out_channels": 3 * a.patch**2,
        "freq_shift": 0 if a.embedding == "gamma" else -(a.width // 2),
        "flip_sin_to_cos": True,
        "down_block_types": down,
        "up_block_types": up,
        "block_out_channels": widths,
        "layers_per_block": a.blocks,
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "dropout": a.dropout,
        "attention_head_dim": widths[-1] // a.heads_of(widths[-1]),
        "norm_num_groups": a.groups,
        "attn_norm_num_groups": a.groups,
        "resnet_time_scale_shift": "scale_shift",
        "add_attention": a.middle_attention,
        "num_class_embeds": a.tasks or None,
    }


def timestep(architecture: Architecture, gamma: Tensor) -> Tensor:
    """What ``UNet2DModel`` takes for the noise levels γ (B,): γ, or log-SNR times a constant."""
    if architecture.embedding == "gamma":
        return gamma
    return torch.logit(gamma) * factor(architecture)


def factor(architecture: Architecture) -> float:
    """Of log-SNR: diffusers' highest frequency is 1, ours is this."""
    return 0.1 * 100 ** (1 - 1 / (architecture.width // 2))


def weights(unet: UNet) -> Iterator[tuple[str, Tensor]]:
    """The state dict of ``UNet2DModel``."""
    a = unet.architecture
    layers: Any = unet.embedding.mlp
    linear, _, second = layers
    columns = torch.arange(a.width)
    if a.embedding == "logsnr":  # ours rise in frequency, theirs fall, cosines and sines apart
        columns = columns.reshape(2, -1).flip(1).flatten()
    yield "time_embedding.linear_1.weight", linear.weight[:, columns]
    yield "time_embedding.linear_1.bias", linear.bias
    yield from _layer("time_embedding.linear_2", second)
    if unet.task_embedding is not None:
        yield "class_embedding.weight", unet.task_embedding.weight
    yield from _layer("conv_in", unet.stem)
    for name, stages in (("down", unet.down), ("up", unet.up)):
        yield from _blocks(name, list(stages))
    for number, stage in enumerate(unet.middle):
        yield from _stage("mid_block", stage, number)
    yield from _layer("conv_norm_out", unet.head_norm)
    yield from _layer("conv_out", unet.head)


def _blocks(name: str, stages: list[Any]) -> Iterator[tuple[str, Tensor]]:
    """Those of one direction: a block ends with the stage that changes the resolution."""
    block = number = 0
    for stage in stages:
        if stage.block.resample is None:
            yield from _stage(f"{name}_blocks.{block}", stage, number)
            number += 1
        else:
            yield from _residual(f"{name}_blocks.{block}.{name}samplers.0", stage.block)
            block, number = block + 1, 0


def _stage(block: str, stage: Any, number: int) -> Iterator[tuple[str, Tensor]]:
    yield from _residual(f"{block}.resnets.{number}", stage.block)
    if stage.attention is not None:
        yield from _attended(f"{block}.attentions.{number}", stage.attention)


def _residual(name: str, block: Any) -> Iterator[tuple[str, Tensor]]:
    ours = {
        "norm1": block.norm1,
        "conv1": block.conv1,
        "time_emb_proj": block.scale_shift,
        "norm2": block.norm2,
        "conv2": block.conv2,
    }
    for theirs, layer in ours.items():
        yield from _layer(f"{name}.{theirs}", layer)
    if not isinstance(block.skip, torch.nn.Identity):
        yield from _layer(f"{name}.conv_shortcut", block.skip)


def _attended(name: str, attention: SelfAttention) -> Iterator[tuple[str, Tensor]]:
    yield from _layer(f"{name}.group_norm", attention.norm)
    assert attention.qkv.bias is not None
    parts = zip(attention.qkv.weight.chunk(3), attention.qkv.bias.chunk(3), strict=True)
    for letter, (weight, bias) in zip("qkv", parts, strict=True):
        yield f"{name}.to_{letter}.weight", weight[:, :, 0, 0]
        yield f"{name}.to_{letter}.bias", bias
    assert attention.out.bias is not None
    yield f"{name}.to_out.0.weight", attention.out.weight[:, :, 0, 0]
    yield f"{name}.to_out.0.bias", attention.out.bias


def _layer(name: str, layer: Any) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", layer.weight
    yield f"{name}.bias", layer.bias


def _attention(unet: UNet, depth: int) -> SelfAttention | None:
    stage = unet.down[depth * (unet.architecture.blocks + 1)]
    assert isinstance(stage, Stage)
    return stage.attention


def _refuse_other_shapes(a: Architecture, attending: list[int]) -> None:
    reasons = []
    if a.multipliers[0] != 1:
        reasons.append(
            f"its first depth is {a.multipliers[0]} times as wide as its stem, where diffusers has "
            f"one width (model.multipliers must begin with 1)"
        )
    if a.strength:
        reasons.append("it embeds the strength of an augmentation (model.strength)")
    widths = [*attending, *([a.width * a.multipliers[-1]] if a.middle_attention else [])]
    if len({width // a.heads_of(width) for width in widths}) > 1:
        reasons.append("its attention heads are not of one width (model.head_width)")
    reasons += [
        f"its {name} is {getattr(a, name)}, and palette writes {' or '.join(choices)} alone "
        f"(model.{name})"
        for name, choices in WRITTEN.items()
        if getattr(a, name) not in choices
    ]
    if reasons:
        raise UserError(
            f"no UNet2DModel has this network's shape: {'; '.join(reasons)}. "
            f"Export it --to onnx or --to torch"
        )


def _difference(unet: UNet, network: Any) -> float:
    """Of both outputs, at noise levels from one end to the other."""
    a = unet.architecture
    draws = torch.Generator().manual_seed(0)
    gamma = torch.tensor([1e-4, 0.3, 0.9, 0.999])
    shape = (4, 3, 2 * a.stride, 3 * a.stride)
    y_t = torch.randn(shape, generator=draws)
    x = torch.rand(4, 3 + bool(a.mask), *shape[2:], generator=draws) * 2 - 1
    task = torch.arange(4) % a.tasks if a.tasks else None
    with torch.no_grad():
        ours = unet(x, y_t, gamma, None, task)
        both = torch.nn.functional.pixel_unshuffle(torch.cat([x, y_t], dim=1), a.patch)
        theirs = network(both, timestep(a, gamma), task, return_dict=False)[0]
        theirs = torch.nn.functional.pixel_shuffle(theirs, a.patch)
    return float((ours - theirs).abs().max())
