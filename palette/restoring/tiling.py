"""Pictures of any size at bounded memory: overlapping tiles, fused at every step of the sampler.

The sampler keeps one canvas of y_t and one canvas of noise; only the network works tile by tile.
Its ε̂ are averaged with raised-cosine weights where tiles overlap, so neighbours agree at every
noise level and no finished samples are ever blended. The memory that is free decides how large the
tiles are, and where it does not suffice after all, they are halved.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import torch
from torch import Tensor

from palette.diffusion.steps import Network
from palette.errors import UserError
from palette.machine.memory import is_out_of_memory

WHOLE_PIXELS = 1024 * 1024
"""tile = auto: pictures of up to this many pixels are not tiled."""
SIDES = (512, 256, 128, 64)
"""Sides that tile = auto tries, the first that memory suffices for."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Tiles:
    """The places of tiles of one size on a canvas: every pixel is in at least one."""

    height: int
    width: int
    """Of one tile, in pixels."""
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    overlap: int

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        for top, left in product(self.tops, self.lefts):
            yield slice(top, top + self.height), slice(left, left + self.width)

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def windows(self) -> list[tuple[Tensor, Tensor]]:
        """Weights of each tile, (height, 1) and (width,), of which the product counts.

        1 inside, raised cosines over the overlaps; those of all tiles add up to 1 everywhere.
        """
        rows = [share[:, None] for share in _shares(self.tops, self.height, self.overlap)]
        return list(product(rows, _shares(self.lefts, self.width, self.overlap)))


def automatic(pixels: int, room: float) -> int | None:
    """The side that tile = auto takes for ``pixels``, where the network may see ``room`` at once.

    None: the picture, or the batch of them, is not tiled.
    """
    if pixels <= min(WHOLE_PIXELS, room):
        return None
    tile = next((side for side in SIDES if side**2 <= room), SIDES[-1])
    if tile < SIDES[0]:
        print(f"little free memory: tiles of {tile}", file=sys.stderr)
    return tile


def halving(run: Callable[[int | None], Answer], tile: int | None) -> Answer:
    """``run(tile)``, and where memory does not suffice with half of the tile, and so on."""
    while True:
        smaller = SIDES[0] if tile is None else tile // 2
        answer = if_memory_suffices(lambda tile=tile: run(tile), last=smaller < SIDES[-1])
        if answer is not None:
            return answer
        print(f"out of memory: trying tiles of {smaller}", file=sys.stderr)
        tile = smaller


def if_memory_suffices(run: Callable[[], Answer], last: bool = False) -> Answer | None:
    """What ``run`` gives, or None where memory does not suffice; the ``last`` raises instead."""
    try:
        return run()
    except (RuntimeError, MemoryError) as error:
        if last or not is_out_of_memory(error):
            raise
    # here the failed run is forgotten, and its tensors with it
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return None


def overlap_of(tile: int) -> int:
    """Pixels that neighbours share: 48 at 512, a fifth more work at 2048², seams not to be seen."""
    return 3 * tile // 32


def plan(height: int, width: int, tile: int, overlap: int, stride: int) -> Tiles:
    """Tiles of at most ``tile`` pixels a side which share at least ``overlap``.

    ``height`` and ``width`` are multiples of ``stride``, the network's; so are all positions.
    UserError where a tile is no multiple of it or does not exceed twice the overlap.
    """
    if tile % stride or tile < stride:
        raise UserError(f"tile is {tile}: with this model it must be a multiple of {stride}")
    if tile <= 2 * overlap:
        raise UserError(f"tile is {tile}: it must exceed {2 * overlap}, twice the overlap")
    tile_height, tops = _fit(height, tile, overlap, stride)
    tile_width, lefts = _fit(width, tile, overlap, stride)
    return Tiles(tile_height, tile_width, tops, lefts, overlap)


def tiled(
    network: Network, x: Tensor, tiles: Tiles, batch: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """A denoiser of the whole canvas (1, 3, H, W) that runs ``network`` on ``batch`` tiles at once.

    ``x`` is the condition's canvas. The sum is taken in the order of the tiles.
    """
    windows = [(row.to(x), column.to(x)) for row, column in tiles.windows()]
    places = list(zip(tiles, windows, strict=True))

    def denoise(y_t: Tensor, gamma: Tensor) -> Tensor:
        total = torch.zeros_like(y_t)
        for first in range(0, len(places), batch):
            group = places[first : first + batch]
            x_tiles = torch.cat([x[:, :, rows, columns] for (rows, columns), _ in group])
            y_tiles = torch.cat([y_t[:, :, rows, columns] for (rows, columns), _ in group])
            eps = network(x_tiles, y_tiles, gamma.expand(len(group)))
            for ((rows, columns), (row, column)), one in zip(group, eps, strict=True):
                total[0, :, rows, columns].addcmul_(one, row * column)
        return total

    return denoise


def _fit(length: int, tile: int, overlap: int, stride: int) -> tuple[int, tuple[int, ...]]:
    """The fewest tiles along a side, then the smallest that do: (tile's length, its starts)."""
    count = max(1, math.ceil((length - overlap) / (tile - overlap)))
    fitting = math.ceil((length + (count - 1) * overlap) / count / stride) * stride
    free = (length - fitting) // stride
    starts = (free * i // max(1, count - 1) * stride for i in range(count))
    return fitting, tuple(starts)


def _shares(starts: tuple[int, ...], length: int, overlap: int) -> list[Tensor]:
    """(length,) weights for each start along one side, which add up to 1 where tiles overlap."""
    ramp = _ramp(length, overlap)
    whole = torch.zeros(starts[-1] + length)
    for start in starts:
        whole[start : start + length] += ramp
    return [ramp / whole[start : start + length] for start in starts]


def _ramp(length: int, overlap: int) -> Tensor:
    """sin² from 0 to 1 over ``overlap`` pixels, 1, and down again; never 0."""
    rise = torch.sin((torch.arange(overlap) + 0.5) * (math.pi / (2 * max(1, overlap)))) ** 2
    ramp = torch.ones(length)
    ends = min(overlap, length)
    ramp[:ends] *= rise[:ends]
    ramp[length - ends :] *= rise[:ends].flip(0)
    return ramp
