"""What the tasks do around the network, as tensor operations of any size that can be exported.

All of it is (1, C, H, W). Sizes stay symbolic, so that one graph serves every height and width:
pixels are taken by computed places, as slices and paddings would ask how large a size is. Each
function says what it renders; :mod:`palette.exporting.parity` compares the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from palette.degradations.fill import SWEEPS
from palette.diffusion.loss import luma_of
from palette.tasks.super_resolution import PROJECTIONS, ROUNDING

SCALES, SHRINKING = 13, 3
"""Of the harmonic fill, each half of the one before: 13 lead from 8192 pixels to one. The first
shrink the canvas; the others stay on it, as a side of one pixel would need a graph of its own."""
LEAST_SIDE = 2**SHRINKING + 1
"""Of the pictures that a graph takes."""


def padded(layers: Tensor, stride: int) -> Tensor:
    """Reflected at the bottom and at the right up to multiples of ``stride``, as `np.pad` does."""
    for axis in (2, 3):
        side = layers.shape[axis]
        place = torch.arange((side + stride - 1) // stride * stride) % number(max(2 * side - 2, 1))
        places = torch.minimum(place, 2 * side - 2 - place)
        layers = torch.index_select(layers, axis, places)
    return layers


def cut(layers: Tensor, height: int, width: int) -> Tensor:
    """The upper left corner."""
    layers = torch.index_select(layers, 2, torch.arange(height))
    return torch.index_select(layers, 3, torch.arange(width))


def repeated(layers: Tensor, height: int, width: int) -> Tensor:
    """Of that size: cut, or begun again where it ends."""
    layers = torch.index_select(layers, 2, torch.arange(height) % number(layers.shape[2]))
    return torch.index_select(layers, 3, torch.arange(width) % number(layers.shape[3]))


def enlarged(picture: Tensor, scale: int) -> Tensor:
    """``scale`` times as large by the cubic_aa of :mod:`palette.degradations.resize`, clipped.

    torch has the same as an interpolation, but runtimes of exported graphs differ in what they make
    of that.
    """
    return _enlarged(picture, scale).clamp(0, 1)


def fitted(restored: Tensor, small: Tensor, scale: int) -> Tensor:
    """``restored`` reducing to ``small``, as super-resolution finishes its pictures."""
    for _ in range(PROJECTIONS):
        missed = small - _reduced(restored, small.shape, scale).clamp(0, 1)
        missed = missed - missed.clamp(-ROUNDING, ROUNDING)
        restored = (restored + _enlarged(missed, scale)).clamp(0, 1)
    return restored


def _enlarged(picture: Tensor, scale: int) -> Tensor:
    for axis in (2, 3):
        centres = 2 * torch.arange(picture.shape[axis] * scale) + 1 - scale
        picture = _by_cubic(picture, axis, centres, 2 * scale)
    return picture


def _reduced(picture: Tensor, shape: torch.Size, scale: int) -> Tensor:
    for axis in (2, 3):
        centres = (2 * torch.arange(shape[axis]) + 1) * scale - 1
        picture = _by_cubic(picture, axis, centres, 2, widened=scale)
    return picture


def _by_cubic(picture: Tensor, axis: int, centres: Tensor, unit: int, widened: int = 1) -> Tensor:
    """Along one side, at ``centres`` in units of 1/unit pixels; no taps beyond the border."""
    side = picture.shape[axis]
    first, beyond = centres // unit, (centres % unit).float() / unit
    total, weights = torch.zeros(()), torch.zeros(())
    for tap in range(1 - 2 * widened, 1 + 2 * widened):
        place = first + tap
        inside = (place >= 0) & (place <= side - 1)
        weight = torch.where(inside, _cubic((tap - beyond).abs() / widened), 0.0)
        taken = torch.index_select(picture, axis, place.clamp(0, side - 1))
        total = total + taken * _along(weight, axis)
        weights = weights + weight
    return total / _along(weights, axis)


def _cubic(x: Tensor) -> Tensor:
    """Keys 1981 with a = −0.5, for x ≥ 0."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))


def harmonic(picture: Tensor, hole: Tensor) -> Tensor:
    """:func:`palette.degradations.fill.harmonic`; ``hole`` (1, 1, H, W) is 1 where it is missing.

    The same from coarse to fine, over as many scales as a picture of 8192 pixels has.
    """
    known = 1 - hole
    height, width = (number(side) for side in known.shape[2:])
    layers = torch.cat([picture * known, known], dim=1)
    scales = [(layers, height, width)]
    for scale in range(SCALES):
        height, width = (height + 1) // 2, (width + 1) // 2
        sums = _sums_of_four(layers, shrink=scale < SHRINKING)
        count = sums[:, 3:]
        layers = torch.cat([sums[:, :3] / count.clamp(min=1), count.clamp(max=1)], dim=1)
        scales.append((layers, height, width))
    layers, height, width = scales.pop()
    filled = torch.where(layers[:, 3:] > 0, layers[:, :3], 0.5)
    for layers, *finer in reversed(scales):
        for axis, side in ((2, height), (3, width)):
            filled = _twice_as_large(filled, axis, side, layers.shape[axis])
        filled = _relaxed(filled, layers[:, :3], layers[:, 3:] > 0, *finer)
        height, width = finer
    return torch.where(hole > 0, filled, picture)


def mean_colour(picture: Tensor, hole: Tensor) -> Tensor:
    """:func:`palette.degradations.fill.mean_colour`."""
    known = 1 - hole
    count = known.sum()
    colour = (picture * known).sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
    return torch.where(hole > 0, torch.where(count > 0, colour, 0.5), picture)


def with_luma(picture: Tensor, grey: Tensor) -> Tensor:
    """The colours of ``picture`` on the luma ``grey``, as colorization finishes its pictures."""
    chroma = picture - luma_of(picture)
    room = torch.where(chroma > 0, 1 - grey, grey) / chroma.abs().clamp(min=1e-6)
    share = room.amin(dim=1, keepdim=True).clamp(max=1)
    return (grey + share * chroma).clamp(0, 1)


def grey_like(picture: Tensor, observed: Tensor) -> Tensor:
    """``picture`` without colour where ``observed`` has none anywhere."""
    colourless = (observed == observed[:, :1]).all()
    return torch.where(colourless, picture.mean(dim=1, keepdim=True), picture)


def _sums_of_four(layers: Tensor, shrink: bool) -> Tensor:
    """Over blocks of 2×2, 0 beyond the border; without ``shrink`` 0 follows on the same canvas."""
    for axis in (2, 3):
        side = layers.shape[axis]
        first = 2 * torch.arange((side + 1) // 2 if shrink else side)
        layers = _or_zero(layers, axis, first) + _or_zero(layers, axis, first + 1)
    return layers


def _or_zero(layers: Tensor, axis: int, places: Tensor) -> Tensor:
    """``layers`` at ``places``; 0 at those beyond its end."""
    side = layers.shape[axis]
    taken = torch.index_select(layers, axis, places.clamp(max=side - 1))
    return taken * _along(places < side, axis)


def _twice_as_large(coarse: Tensor, axis: int, side: Tensor, count: int) -> Tensor:
    """Linear between centres, and constant beyond the outermost of the ``side`` pixels."""
    places = torch.arange(count)
    nearest = torch.minimum(places // 2, side - 1)
    other = torch.minimum((places // 2 + 2 * (places % 2) - 1).clamp(min=0), side - 1)
    near, far = (torch.index_select(coarse, axis, which) for which in (nearest, other))
    return 0.75 * near + 0.25 * far


def _relaxed(filled: Tensor, seen: Tensor, known: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Jacobi sweeps: unknown pixels become the mean of their four neighbours."""
    cross = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    cross = cross.expand(3, 1, 3, 3)
    wider = []
    for axis, side in ((2, height), (3, width)):
        places = torch.arange(filled.shape[axis] + 2) - 1
        wider.append(torch.minimum(places.clamp(min=0), side - 1))
    filled = torch.where(known, seen, filled)
    for _ in range(SWEEPS):
        edged = torch.index_select(torch.index_select(filled, 2, wider[0]), 3, wider[1])
        filled = torch.where(known, seen, functional.conv2d(edged, cross, groups=3))
    return filled


def _along(values: Tensor, axis: int) -> Tensor:
    """(n,) values to multiply (1, C, H, W) by, along one side."""
    return values.reshape([-1 if dim == axis else 1 for dim in range(4)])


def number(side: int) -> Tensor:
    """A size as a tensor: exporters take a divisor that is known later in no other form."""
    return torch.scalar_tensor(side, dtype=torch.int64)
