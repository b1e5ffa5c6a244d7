"""What comes in, a path, PIL picture, array or tensor, and what goes out: the same type."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from palette.data.images import Photo, read
from palette.data.stored import from_stored, to_stored
from palette.degradations.resize import resize
from palette.errors import UserError
from palette.types import Picture

T = TypeVar("T", np.float32, np.bool_)


def to_photo(value: Any) -> Photo:
    """Decode any supported type; UserError names the type, shape, dtype or range that does not fit.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); tensors (3, H, W) or (1, H, W); both
    hold floats in [0, 1], uint8 or (arrays) uint16.
    """
    if isinstance(value, str | Path):
        return read(value)
    if isinstance(value, Image.Image):
        return _from_pil(value)
    if isinstance(value, torch.Tensor):
        if value.ndim != 3 or value.shape[0] not in (1, 3):
            raise UserError(
                f"a tensor picture is (3, H, W) or (1, H, W), this one is {tuple(value.shape)}: "
                f"give a batch as a list of pictures"
            )
        return _from_array(value.detach().cpu().permute(1, 2, 0).numpy())
    if isinstance(value, np.ndarray):
        return _from_array(value)
    raise UserError(
        f"cannot restore a {type(value).__name__}: give a path, a PIL picture, an array or a tensor"
    )


def from_photo(picture: Picture, photo: Photo, like: Any) -> Any:
    """``picture`` (H, W, 3) in [0, 1] as the type of ``like``, with the alpha of ``photo``.

    Paths give PIL pictures; integers are rounded to the nearest stored value.
    """
    if isinstance(like, torch.Tensor):
        tensor = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
        if like.dtype == torch.uint8:
            return (tensor * 255).round().to(like)
        return tensor.to(like)
    layers = [picture] if photo.alpha is None else [picture, fit_alpha(photo.alpha, picture)]
    array = np.dstack(layers)
    if isinstance(like, np.ndarray):
        if like.dtype.kind == "f":
            return array.astype(like.dtype)
        return to_stored(array, 16 if like.dtype == np.uint16 else 8)
    return Image.fromarray(to_stored(array, 8))


def fit_alpha(alpha: np.ndarray, picture: Picture) -> np.ndarray:
    """Alpha (H, W) at the size of ``picture``."""
    height, width = picture.shape[:2]
    if alpha.shape == (height, width):
        return alpha
    layers = np.repeat(alpha[..., None], 3, axis=2)
    return resize(layers, height, width, "cubic_aa")[..., 0]


def padded(array: NDArray[T], stride: int) -> NDArray[T]:
    """Reflect (H, W, …) at the bottom and at the right until both are multiples of ``stride``."""
    down, right = (-side % stride for side in array.shape[:2])
    if down == right == 0:
        return array
    return np.pad(array, ((0, down), (0, right), *[(0, 0)] * (array.ndim - 2)), mode="reflect")


def _from_pil(image: Image.Image) -> Photo:
    image = ImageOps.exif_transpose(image)
    grey = image.mode in ("1", "L", "LA")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_array(np.asarray(image))
    converted = image.convert("RGBA" if image.has_transparency_data else "RGB")
    photo = _from_array(np.asarray(converted))
    return Photo(photo.picture, photo.alpha, photo.bit_depth, grey)


def _from_array(array: np.ndarray) -> Photo:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise UserError(
            f"an array picture is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), this one is "
            f"{array.shape}: move the channels to the end and drop others"
        )
    if array.dtype in (np.uint8, np.uint16):
        unit = from_stored(array)
    elif array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also where there is a NaN
            raise UserError(f"float pictures are in [0, 1], this one spans [{low:g}, {high:g}]")
        unit = array.astype(np.float32)
    else:
        raise UserError(f"pictures are uint8, uint16 or float in [0, 1], not {array.dtype}")
    channels = unit.shape[2]
    picture = np.repeat(unit, 3, axis=2) if channels == 1 else unit[..., :3]
    alpha = unit[..., 3] if channels == 4 else None
    depth = 16 if array.dtype == np.uint16 else 8
    return Photo(np.ascontiguousarray(picture), alpha, depth, channels == 1)
