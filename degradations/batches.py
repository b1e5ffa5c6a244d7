"""Batches of tensors on a device: what the batched forms of the operators share.

Noise is made on the device from the seeds of the params: on the CPU the numbers of the NumPy form,
on a GPU others of the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.backends import cudnn

from palette.errors import UserError
from palette.types import Params, Picture, Spec

if TYPE_CHECKING:
    from palette.degradations.base import Degradation

Pictures = Sequence[Tensor] | Tensor
"""Tensors (3, H, W) in [0, 1], each of its own size, or one tensor (B, 3, H, W)."""

Batch = Sequence[Params]
"""The params of each picture."""

D = TypeVar("D", bound="Degradation")


def by_size(
    form: Callable[[D, Tensor, Batch], Tensor],
) -> Callable[[D, Pictures, Batch], list[Tensor]]:
    """Turn a form for pictures of one size into an ``apply_batch`` for pictures of any sizes.

    ``form`` gets (B, 3, H, W) and the params of each picture; the results are of one size, too.
    """

    @wraps(form)
    def apply_batch(self: D, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        def together(_: Hashable, some: list[Tensor], theirs: Batch) -> Tensor:
            return form(self, torch.stack(some), theirs)

        def sizes(picture: Tensor, one: Params) -> tuple[int, ...]:
            height, width = picture.shape[1:]
            after = self.resized(Spec(height, width), one)
            return height, width, after.height, after.width

        return grouped(sizes, pictures, params, together)

    return apply_batch


def grouped(
    label: Callable[[Tensor, Params], Hashable],
    pictures: Pictures,
    params: Batch,
    apply: Callable[[Any, list[Tensor], Batch], Pictures],
) -> list[Tensor]:
    """Pictures with the same ``label(picture, params)`` go through ``apply`` together.

    It gets the label, pictures and params. Inside of it float32 is exact, whatever autocast and
    TF32 are set to around it.
    """
    results = _checked(pictures, params)
    places: dict[Hashable, list[int]] = {}
    for i, pair in enumerate(zip(results, params, strict=True)):
        places.setdefault(label(*pair), []).append(i)
    for shared, chosen in places.items():
        device = results[chosen[0]].device
        with torch.no_grad(), nullcontext() if _is_exact(device) else _exact(device):
            done = apply(shared, [results[i] for i in chosen], [params[i] for i in chosen])
        for i, result in zip(chosen, done, strict=True):
            results[i] = result
    return results


def one_by_one(
    apply: Callable[[Picture, Params], Picture], pictures: Pictures, params: Batch
) -> list[Tensor]:
    """Each picture through the NumPy form, on the CPU."""
    results = []
    for picture, one in zip(_checked(pictures, params), params, strict=True):
        array = picture.detach().permute(1, 2, 0).cpu().numpy()
        result = apply(np.ascontiguousarray(array, dtype=np.float32), one)
        tensor = torch.from_numpy(np.ascontiguousarray(result)).permute(2, 0, 1)
        results.append(tensor.to(picture))
    return results


def stacked(pictures: Sequence[Tensor]) -> Tensor:
    """Tensors (3, H, W) as one (B, 3, H, W); UserError where they differ in size."""
    sizes = sorted({(picture.shape[1], picture.shape[2]) for picture in pictures})
    if len(sizes) > 1:
        raise UserError(f"results of sizes {sizes} are no batch: choose a degradation of one size")
    return torch.stack(list(pictures))


def _checked(pictures: Pictures, params: Batch) -> list[Tensor]:
    if len(pictures) != len(params):
        raise UserError(f"{len(pictures)} pictures and {len(params)} params: give one for each")
    for picture in pictures:
        if picture.ndim != 3 or len(picture) != 3 or not picture.is_floating_point():
            raise UserError(
                f"a picture is a float tensor (3, H, W) in [0, 1], "
                f"not {picture.dtype} {tuple(picture.shape)}"
            )
    return list(pictures)


def _is_exact(device: torch.device) -> bool:
    """Whether there is nothing for :func:`_exact` to do, as within another one; it takes longer."""
    if torch.is_autocast_enabled(device.type) or torch.get_float32_matmul_precision() != "highest":
        return False
    return device.type != "cuda" or not cudnn.allow_tf32


@contextmanager
def _exact(device: torch.device) -> Iterator[None]:
    """No autocast, and no TF32 (the default of convolutions on GPUs): its ten bits of a pixel are
    not enough for the eight bits of a file."""
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), cudnn.flags(True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(products)


def column(params: Batch, key: str, like: Tensor) -> Tensor:
    """One parameter of each picture, ``(B, 1, 1, 1)``."""
    values = [one[key] for one in params]
    return torch.tensor(values, device=like.device, dtype=like.dtype)[:, None, None, None]


def generator(params: Params, device: torch.device) -> torch.Generator:
    """The randomness of one picture, from the seed in its params."""
    return torch.Generator(device).manual_seed(params["seed"])


def normal_batch(params: Batch, channels: int, like: Tensor) -> Tensor:
    """Standard normal ``(B, channels, H, W)``: picture i depends on its own seed only."""
    shape, device = (*like.shape[2:], channels), like.device  # in the order of a NumPy picture
    fields = [
        torch.randn(shape, generator=generator(one, device), device=device, dtype=like.dtype)
        for one in params
    ]
    return torch.stack(fields).permute(0, 3, 1, 2)


def mirrored(pictures: Tensor, pad: int) -> Tensor:
    """``(B, C, H + 2 pad, W + 2 pad)``, mirrored at the centre of the outermost pixel; any pad."""
    rows, columns = (_mirrored(side, pad, pictures.device) for side in pictures.shape[2:])
    return pictures[:, :, rows][..., columns]


def _mirrored(length: int, pad: int, device: torch.device) -> Tensor:
    period = max(2 * length - 2, 1)
    indices = torch.arange(-pad, length + pad, device=device) % period
    return torch.minimum(indices, period - indices) if length > 1 else indices * 0
