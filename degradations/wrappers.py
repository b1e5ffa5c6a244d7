"""Any transform of Albumentations or Kornia as an operator, its draw recorded as a seed.

Both are named with their arguments, not handed in ready: they are built here with warnings as
errors (Albumentations only warns about an argument that it does not know, and then ignores it),
and the operator stays plain data. ``drawn`` in the params shows what the seed led to, without
arrays larger than :data:`LARGEST_ARRAY`; replaying needs the seed alone and the same version of
the library.
"""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch

from palette.degradations.base import Degradation, check, clipped
from palette.errors import UserError
from palette.types import Params, Picture, Spec

LARGEST_ARRAY = 16


def _plain(value: Any) -> Any:
    """JSON values; None for what is too large or no data."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist() if value.size <= LARGEST_ARRAY else None
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value] if len(value) <= LARGEST_ARRAY else None
    return value if isinstance(value, bool | int | float | str) else None


def _build(module: Any, name: str, arguments: Mapping[str, Any]) -> Any:
    transform = getattr(module, name, None)
    if transform is None:
        raise UserError(f"{module.__name__} has no transform {name!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            return transform(**arguments)
        except (UserWarning, TypeError) as error:
            raise UserError(f"{name}: {error}") from None


@dataclass(frozen=True)
class _Wrapped(Degradation):
    """What both share. Params: height, width (of the result), seed, drawn."""

    moves_pixels: ClassVar[bool] = True
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @abstractmethod
    def _apply(self, picture: Picture, seed: int) -> tuple[Picture, Any]:
        """The result, and what was drawn."""

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        seed = int(rng.integers(2**32))  # both libraries take 32 bits
        result, drawn = self._apply(np.zeros((spec.height, spec.width, 3), np.float32), seed)
        height, width = result.shape[:2]
        return {"height": height, "width": width, "seed": seed, "drawn": _plain(drawn)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return clipped(self._apply(check(picture).copy(), params["seed"])[0])

    def resized(self, spec: Spec, params: Params) -> Spec:
        return spec.sized(params["height"], params["width"])


class Albumentations(_Wrapped):
    """A transform of Albumentations, e.g. ``Albumentations("RandomFog", {"p": 1.0})``.

    Drawing applies the transform to a black picture of the same size once, because Albumentations
    draws only while it applies.
    """

    def _apply(self, picture: Picture, seed: int) -> tuple[Picture, Any]:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else importing asks the network
        import albumentations

        transform = _build(albumentations, self.name, self.arguments)
        compose = albumentations.Compose([transform], seed=seed, save_applied_params=True)
        result = compose(image=picture)
        return result["image"], dict(result["applied_transforms"])


class Kornia(_Wrapped):
    """An augmentation of Kornia, e.g. ``Kornia("RandomMotionBlur", {"kernel_size": 5, ...})``."""

    def _apply(self, picture: Picture, seed: int) -> tuple[Picture, Any]:
        import kornia.augmentation

        augmentation = _build(kornia.augmentation, self.name, self.arguments)
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None]
        with torch.random.fork_rng(devices=[]), torch.no_grad():  # Kornia knows torch's alone
            torch.manual_seed(seed)
            params = augmentation.forward_parameters(batch.shape)
            result = augmentation(batch, params=params)
        return np.ascontiguousarray(result[0].permute(1, 2, 0).numpy()), params
