"""What comes in, a path, PIL picture, array or tensor, and what goes out: the same type."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from palette.data.encoding import encode, holds_16_bits
from palette.data.images import Photo, from_pil, read
from palette.data.layout import hidden_filled
from palette.data.stored import from_stored, grey_of, to_stored
from palette.degradations.resize import resize
from palette.errors import UserError
from palette.files import write_bytes
from palette.types import Picture

T = TypeVar("T", np.float32, np.bool_)
_WRONG_DTYPE = "pictures are uint8, uint16 or float in [0, 1], not {}"


def to_photo(value: Any) -> Photo:
    """Decode any supported type; UserError names the type, shape, dtype or range that does not fit.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); tensors (3, H, W) or (1, H, W); both hold
    floats in [0, 1], uint8 or uint16.
    """
    if isinstance(value, str | Path):
        return read(value)
    if isinstance(value, Image.Image):
        return _from_array(np.asarray(value)) if value.mode in ("I", "F") else from_pil(value)
    if isinstance(value, torch.Tensor):
        if value.ndim != 3 or value.shape[0] not in (1, 3):
            raise UserError(
                f"a tensor picture is (3, H, W) or (1, H, W), this one is {tuple(value.shape)}: "
                f"give a batch as a list of pictures"
            )
        return _from_array(to_array(value).transpose(1, 2, 0))
    if isinstance(value, np.ndarray):
        return _from_array(value)
    raise UserError(
        f"cannot restore a {type(value).__name__}: give a path, a PIL picture, an array or a tensor"
    )


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """Its values in NumPy, floats as float32: bfloat16 and floats of 8 bits are not there."""
    tensor = tensor.detach().cpu()
    try:
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    except (TypeError, NotImplementedError):
        raise UserError(_WRONG_DTYPE.format(tensor.dtype)) from None


def from_photo(picture: Picture, photo: Photo, like: Any) -> Any:
    """``picture`` (H, W, 3) in [0, 1] as the type of ``like``, with the alpha of ``photo``.

    Of a grey photo it has one channel, as ``like`` has. Paths give PIL pictures in sRGB, and where
    those cannot hold it, 16 bits of colour or with alpha, a uint16 array. Integers are rounded to
    the nearest stored value.
    """
    layers = grey_of(picture) if photo.grey else picture
    if isinstance(like, torch.Tensor):
        integers = like.dtype in (torch.uint8, torch.uint16)
        array = to_stored(layers, photo.bit_depth) if integers else layers
        return torch.from_numpy(array).permute(2, 0, 1).contiguous().to(like.dtype)
    if photo.alpha is not None:
        layers = np.dstack([layers, fit(photo.alpha[..., None], picture)])
    if isinstance(like, np.ndarray):
        array = layers[..., 0] if photo.grey and like.ndim == 2 else layers
        if like.dtype.kind == "f":
            return array.astype(like.dtype)
        return to_stored(array, photo.bit_depth)
    stored = to_stored(layers, photo.bit_depth)
    if stored.shape[2] == 1:
        return Image.fromarray(stored[..., 0])
    return stored if photo.bit_depth == 16 else Image.fromarray(stored)


def as_file(
    path: Path,
    picture: Picture,
    photo: Photo,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> bytes:
    """The file ``path`` of a restored ``photo``, with all that its format can hold.

    Alpha, 16 bits, grey, EXIF, XMP, dpi and the colour profile, with the pixels in its colours;
    without metadata in sRGB. UserError for alpha in a .jpg, and a quality where nothing is lost.
    """
    return encode(
        path,
        picture,
        None if photo.alpha is None else fit(photo.alpha[..., None], picture)[..., 0],
        photo.bit_depth if holds_16_bits(path) else 8,
        grey=photo.grey,
        quality=quality,
        metadata=None if strip_metadata else photo.metadata,
        beyond=None if photo.beyond is None else fit(photo.beyond, picture),
    )


def save(
    path: Path,
    picture: Picture,
    photo: Photo,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> None:
    """Write :func:`as_file`, complete or not at all."""
    write_bytes(path, as_file(path, picture, photo, quality, strip_metadata))


def fit(layers: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    """(H, W, C) at the size of ``picture``: values between their least and their highest."""
    height, width = picture.shape[:2]
    if layers.shape[:2] == (height, width):
        return layers
    low, high = layers.min(), layers.max()
    span = max(high - low, np.float32(1e-6))
    unit = ((layers - low) / span).clip(0, 1)
    unit = np.repeat(unit, 3, axis=2) if layers.shape[2] == 1 else unit
    return resize(unit, height, width, "cubic_aa")[..., : layers.shape[2]] * span + low


def padded(array: NDArray[T], stride: int) -> NDArray[T]:
    """Reflect (H, W, …) at the bottom and at the right until both are multiples of ``stride``."""
    down, right = (-side % stride for side in array.shape[:2])
    if down == right == 0:
        return array
    return np.pad(array, ((0, down), (0, right), *[(0, 0)] * (array.ndim - 2)), mode="reflect")


def _from_array(array: np.ndarray) -> Photo:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise UserError(
            f"an array picture is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), this one is "
            f"{array.shape}: move the channels to the end and drop others"
        )
    if array.dtype.kind == "u" and array.itemsize <= 2:
        unit = from_stored(array)
    elif array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also where there is a NaN
            raise UserError(f"float pictures are in [0, 1], this one spans [{low:g}, {high:g}]")
        unit = array.astype(np.float32)
    else:
        raise UserError(_WRONG_DTYPE.format(array.dtype))
    channels = unit.shape[2]
    picture = np.repeat(unit, 3, axis=2) if channels == 1 else unit[..., :3]
    alpha = unit[..., 3] if channels == 4 else None
    if alpha is not None:
        picture = hidden_filled(picture, alpha)
    depth = 16 if array.dtype.kind == "u" and array.itemsize == 2 else 8
    return Photo(np.ascontiguousarray(picture), alpha, depth, channels == 1)
