"""The device backend: the same records applied to a batch of tensors, on a GPU where there is one.

Pictures that share their next step and their size go through it together. Operators without a
batched form run on the CPU, picture by picture.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.backends import cudnn

from palette.degradations import compose
from palette.degradations.masks import GREY, Hole
from palette.degradations.torch_forms import FORMS
from palette.errors import UserError
from palette.types import Degradation, Params, Spec

Pictures = list[Tensor]
"""Tensors (3, H, W) in [0, 1], each of its own size."""


def apply_batch(degradation: Degradation, pictures: Tensor, params: Sequence[Params]) -> Tensor:
    """``(B, 3, H, W)`` in [0, 1] and the params of each picture to the degraded batch.

    Picture i is what it would be alone. ValueError if the results differ in size, which those of
    pipelines do not; :func:`apply_each` returns them as a list.
    """
    results = apply_each(degradation, list(pictures), params)
    sizes = {tuple(result.shape) for result in results}
    if len(sizes) > 1:
        raise UserError(f"results of sizes {sorted(sizes)} are no batch: use apply_each")
    return torch.stack(results)


def apply_each(
    degradation: Degradation, pictures: Sequence[Tensor], params: Sequence[Params]
) -> Pictures:
    """Tensors (3, H, W) of any sizes and the params of each to the degraded tensors."""
    if len(pictures) != len(params):
        raise UserError(f"{len(pictures)} pictures and {len(params)} params: give one for each")
    for picture in pictures:
        if picture.ndim != 3 or len(picture) != 3 or not picture.is_floating_point():
            raise UserError(
                f"a picture is a float tensor (3, H, W) in [0, 1], "
                f"not {picture.dtype} {tuple(picture.shape)}"
            )
    if not pictures:
        return []
    with torch.no_grad(), _exact(pictures[0].device):
        return _apply(degradation, list(pictures), list(params))


@contextmanager
def _exact(device: torch.device) -> Iterator[None]:
    """float32 as it is: no autocast around it, no TF32 in convolutions (the default on GPUs) or
    products. Ten bits of a pixel are not enough for eight in a file."""
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), cudnn.flags(True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(products)


def _apply(degradation: Degradation, pictures: Pictures, params: list[Params]) -> Pictures:
    if isinstance(degradation, compose.Recipe):
        recipe = degradation
        return _grouped(
            [tuple(picture.shape) for picture in pictures],
            lambda shape: recipe.body(Spec(*shape[1:])),
            pictures,
            params,
        )
    if isinstance(degradation, compose.Sequence):
        return _apply_steps(degradation, pictures, params)
    if isinstance(degradation, compose.Choice):
        options = degradation.options
        names = [one["name"] for one in params]
        return _grouped(names, lambda name: options[name][1], pictures, _inner(params))
    if isinstance(degradation, compose.Levels):
        levels = degradation.levels
        numbers = [one["level"] for one in params]
        return _grouped(numbers, lambda level: levels[level - 1], pictures, _inner(params))
    if isinstance(degradation, compose.Sometimes):
        step = degradation.step
        on = [one["on"] for one in params]
        return _grouped(on, lambda is_on: step if is_on else None, pictures, _inner(params))
    if isinstance(degradation, Hole):
        return [_cut(degradation, *pair) for pair in zip(pictures, params, strict=True)]
    if type(degradation) in FORMS:
        return _apply_form(degradation, pictures, params)
    return [_on_cpu(degradation, *pair) for pair in zip(pictures, params, strict=True)]


def _inner(params: list[Params]) -> list[Params]:
    return [one["params"] for one in params]


def _grouped(
    labels: Sequence[Hashable],
    choose: Callable[..., Degradation | None],
    pictures: Pictures,
    params: list[Params],
) -> Pictures:
    """Pictures with the same label through the degradation chosen for it; None leaves as is."""
    results = list(pictures)
    for label in dict.fromkeys(labels):
        degradation = choose(label)
        if degradation is None:
            continue
        chosen = [i for i, other in enumerate(labels) if other == label]
        done = _apply(degradation, [pictures[i] for i in chosen], [params[i] for i in chosen])
        for i, result in zip(chosen, done, strict=True):
            results[i] = result
    return results


def _apply_steps(sequence: compose.Sequence, pictures: Pictures, params: list[Params]) -> Pictures:
    for position in range(len(sequence.steps)):
        steps = [one["steps"][position] for one in params]
        pictures = _grouped(
            [step["name"] for step in steps],
            lambda name: sequence.steps[name],
            pictures,
            [step["params"] for step in steps],
        )
    return pictures


def _apply_form(degradation: Degradation, pictures: Pictures, params: list[Params]) -> Pictures:
    """One call for all pictures whose sizes agree before and after."""
    results = list(pictures)
    labels = []
    for picture, one in zip(pictures, params, strict=True):
        spec = Spec(height=picture.shape[1], width=picture.shape[2])
        after = compose.size_after(degradation, spec, one)
        labels.append((picture.shape, after.height, after.width))
    for label in dict.fromkeys(labels):
        chosen = [i for i, other in enumerate(labels) if other == label]
        batch = torch.stack([pictures[i] for i in chosen])
        done = FORMS[type(degradation)](batch, [params[i] for i in chosen])
        for i, result in zip(chosen, done, strict=True):
            results[i] = result
    return results


def _cut(hole: Hole, picture: Tensor, params: Params) -> Tensor:
    missing = torch.from_numpy(hole.mask(params)).to(picture.device)
    return torch.where(missing, picture.new_tensor(float(GREY)), picture)


def _on_cpu(degradation: Degradation, picture: Tensor, params: Params) -> Tensor:
    array = picture.permute(1, 2, 0).cpu().numpy()
    result = degradation.apply(np.ascontiguousarray(array, dtype=np.float32), params)
    return torch.from_numpy(np.ascontiguousarray(result)).permute(2, 0, 1).to(picture)
