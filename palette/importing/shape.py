"""What the names and sizes of a network's tensors say of its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from palette.errors import UserError
from palette.importing.files import Weights


@dataclass(frozen=True)
class Shape:
    """A U-Net as published ones are: equally many blocks at each depth."""

    width: int
    multipliers: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    """The depths that have it, beside the middle."""
    resampling: Literal["residual", "convolution"]
    inputs: int
    """Channels of all that the network is shown."""
    outputs: int
    """Channels, twice as many where the variance is learnt too."""
    classes: int = 0
    """That a class-conditional network tells apart."""


def guided_shape(weights: Weights, embed: str) -> Shape:
    """Of the naming of guided-diffusion, whose noise embedding is called ``embed``."""
    down, up = weights.count("input_blocks"), weights.count("output_blocks")
    steps = [n for n in range(up) if _guided_step(weights, n) is not None]
    depths, blocks = _even(weights, len(steps) + 1, down - 1, up)
    firsts = [1 + depth * (blocks + 1) for depth in range(depths)]
    widths = [weights.shape(f"input_blocks.{n}.0.in_layers.2.weight")[0] for n in firsts]
    width = weights.shape(f"{embed}.0.weight")[1]
    modulation = weights.shape("input_blocks.1.0.emb_layers.1.weight")[0]
    if modulation != 2 * widths[0]:
        raise UserError(
            f"{weights.file} adds its noise embedding (use_scale_shift_norm is False): import "
            f"takes networks of this naming that scale and shift by it"
        )
    return Shape(
        width=width,
        multipliers=_multipliers(weights, width, widths, "input_blocks.0.0.weight"),
        blocks=blocks,
        attention=tuple(
            d for d, n in enumerate(firsts) if f"input_blocks.{n}.1.qkv.weight" in weights
        ),
        resampling="convolution"
        if f"input_blocks.{blocks + 1}.0.op.weight" in weights
        else "residual",
        inputs=weights.shape("input_blocks.0.0.weight")[1],
        outputs=weights.shape("out.2.weight")[0],
        classes=weights.shape("label_emb.weight")[0] if "label_emb.weight" in weights else 0,
    )


def _guided_step(weights: Weights, n: int) -> int | None:
    """Where in output block ``n`` the step to the next depth is; None where there is none."""
    for place in (1, 2):
        prefix = f"output_blocks.{n}.{place}"
        if f"{prefix}.in_layers.2.weight" in weights or f"{prefix}.conv.weight" in weights:
            return place
    return None


def sr3_shape(weights: Weights) -> Shape:
    """Of the naming of SR3's public port."""
    down, up = weights.count("downs"), weights.count("ups")
    steps = [n for n in range(down) if f"downs.{n}.conv.weight" in weights]
    depths, blocks = _even(weights, len(steps) + 1, down - 1, up - len(steps))
    firsts = [1 + depth * (blocks + 1) for depth in range(depths)]
    key = "res_block.block1.block.3.weight"
    widths = [weights.shape(f"downs.{n}.{key}")[0] for n in firsts]
    width = weights.shape("noise_level_mlp.1.weight")[1]
    return Shape(
        width=width,
        multipliers=_multipliers(weights, width, widths, "downs.0.weight"),
        blocks=blocks,
        attention=tuple(d for d, n in enumerate(firsts) if f"downs.{n}.attn.qkv.weight" in weights),
        resampling="convolution",
        inputs=weights.shape("downs.0.weight")[1],
        outputs=weights.shape("final_conv.block.3.weight")[0],
    )


def _even(weights: Weights, depths: int, down: int, up: int) -> tuple[int, int]:
    """Depths and blocks, where all depths have as many: ``down`` counts steps too, ``up`` none."""
    blocks = up // depths - 1
    if blocks < 1 or up != depths * (blocks + 1) or down != depths * (blocks + 1) - 1:
        raise UserError(
            f"{weights.file} has {down} parts on the way down and {up} blocks on the way up, "
            f"which is no U-Net of {depths} depths with equally many blocks"
        )
    return depths, blocks


def _multipliers(weights: Weights, width: int, widths: Sequence[int], stem: str) -> tuple[int, ...]:
    if any(one % width for one in widths) or weights.shape(stem)[0] != width:
        raise UserError(
            f"{weights.file} has {', '.join(map(str, widths))} channels at its depths and "
            f"{weights.shape(stem)[0]} before them: import takes multiples of the {width} that "
            f"its noise embedding begins with"
        )
    return tuple(one // width for one in widths)
