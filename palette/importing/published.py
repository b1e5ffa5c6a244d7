"""What no tensor tells of the networks that were published: heads, groups, the training size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from palette.errors import UserError
from palette.importing.families import GUIDED_DIFFUSION, PALETTE, PALETTE_SR3, SR3, Family
from palette.importing.shape import Shape
from palette.network.architecture import Architecture

NORMALIZED = 32
"""Groups of guided-diffusion's normalizations, whatever the network."""
ANY_SIZE = 256
"""Where nobody says at which size a network was trained: it decides no output."""


class Told(NamedTuple):
    """By the configuration that a network was published with, or by the user."""

    size: int | None = None
    """Side of the pictures that it was trained on."""
    heads: int | None = None
    head_width: int | None = None
    groups: int | None = None


@dataclass(frozen=True)
class Published:
    """A network that was published, recognised by its shape."""

    families: tuple[Family, ...]
    width: int
    multipliers: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    told: Told

    def is_of(self, family: Family, shape: Shape) -> bool:
        own = (self.width, self.multipliers, self.blocks, self.attention)
        theirs = (shape.width, shape.multipliers, shape.blocks, shape.attention)
        return family in self.families and own == theirs


DEEP = (1, 1, 2, 2, 4, 4)
PUBLISHED = (
    # colorization, inpainting and uncropping, 62.6M
    Published((PALETTE,), 64, (1, 2, 4, 8), 2, (), Told(256, head_width=32)),
    # 16 to 128, 97.8M, and 64 to 512, 155.3M; their attention has one head always
    Published((SR3, PALETTE_SR3), 64, (1, 2, 4, 8, 8), 2, (3,), Told(128, groups=32)),
    Published((SR3, PALETTE_SR3), 64, (1, 2, 4, 8, 16), 1, (), Told(512, groups=16)),
    # 64 to 256 and 128 to 512, then the pictures of 256, ImageNet and LSUN
    Published((GUIDED_DIFFUSION,), 192, DEEP, 2, (3, 4, 5), Told(256, heads=4)),
    Published((GUIDED_DIFFUSION,), 192, DEEP, 2, (4, 5), Told(512, head_width=64)),
    Published((GUIDED_DIFFUSION,), 256, DEEP, 2, (3, 4, 5), Told(256, head_width=64)),
)


def architecture_of(
    family: Family, shape: Shape, given: Told, file: Path, clean: bool
) -> tuple[Architecture, int]:
    """The network, and the size that it was trained at. ``given`` goes before what was published;
    ``clean``: y_t has the picture itself where it is known.

    UserError where neither says what the weights do not.
    """
    told = _told(family, shape, given, file)
    size, stride = told.size or ANY_SIZE, 2 ** (len(shape.multipliers) - 1)
    if size % stride or size < 8:
        raise UserError(f"size is {size}: it must be a multiple of {max(stride, 8)}")
    return Architecture(
        width=shape.width,
        multipliers=shape.multipliers,
        blocks=shape.blocks,
        attention=tuple(size // 2**depth for depth in shape.attention),
        head_width=told.head_width or Architecture.head_width,
        groups=told.groups or NORMALIZED,
        output="plain",
        embedding=family.embedding,
        mask=False,
        tasks=0,
        heads=told.heads,
        modulation="shift" if family.network == "sr3" else "scale-shift",
        resampling=shape.resampling,
        known="clean" if clean else "noised",
    ), size


def _told(family: Family, shape: Shape, given: Told, file: Path) -> Told:
    """What is given, and for the rest what was published."""
    told = next((one.told for one in PUBLISHED if one.is_of(family, shape)), Told())
    told = told._replace(size=given.size or told.size, groups=given.groups or told.groups)
    if given.heads is not None and given.head_width is not None:
        raise UserError("give either the number of heads or their width, not both")
    if given.heads is not None or given.head_width is not None:
        told = told._replace(heads=given.heads, head_width=given.head_width)
    sr3 = family.network == "sr3"
    if sr3 and (given.heads, given.head_width) != (None, None):
        raise UserError(f"attention in {family.title} has one head: leave --heads out")
    if not sr3 and given.groups is not None:
        raise UserError(f"normalizations in {family.title} have 32 groups: leave --groups out")
    unknown = "a network of another shape than the published ones, and its weights do not say"
    if sr3 and told.groups is None:
        raise UserError(
            f"{file} holds {unknown} how many groups its normalizations have: give --groups as in "
            f"its training (norm_groups, 32 by default)"
        )
    if not sr3 and told.heads is None and told.head_width is None:
        raise UserError(
            f"{file} holds {unknown} how its attention is cut into heads: give --head-width "
            f"(num_head_channels) or --heads (num_heads) as in its training"
        )
    return told._replace(heads=1, head_width=None) if sr3 else told._replace(groups=NORMALIZED)
