"""What is missing of a picture: a mask, a border to add, or where it is transparent."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from palette.data.images import Photo, mask_of
from palette.errors import UserError
from palette.restoring.pictures import to_array, to_photo
from palette.types import Extend, Mask, Observation, Task


def observe(
    photo: Photo, task: Task, mask: Any = None, extend: Extend | None = None
) -> tuple[Photo, Observation]:
    """The observation of a task, and the photo that its restoration is.

    For a task that fills a hole, that is ``mask`` (True or white = missing), a border of ``extend``
    pixels, or where alpha is below a half. In the last case the result is opaque; otherwise alpha
    stays as it is. A grey photo stays grey unless the task colours.
    """
    require_hole(task.masked, mask, extend)
    if task.coloured:
        photo = replace(photo, grey=False)
    if not task.masked:
        return photo, Observation(photo.picture)
    if extend is not None:
        photo, missing = extended(photo, extend)
    elif mask is not None:
        missing = to_mask(mask, photo.picture.shape[:2])
    elif photo.alpha is not None:
        missing = photo.alpha < 0.5
        photo = replace(photo, alpha=None)
    else:
        raise UserError(
            "this model fills holes: give a mask (white = missing), pixels to extend by, or a "
            "picture with transparent parts"
        )
    if photo.beyond is not None:
        photo = replace(photo, beyond=np.where(missing[..., None], np.float32(0), photo.beyond))
    return photo, Observation(photo.picture, missing)


def require_hole(masked: bool, mask: Any, extend: Any) -> None:
    """UserError for what no picture could make right: a hole for a task without one, …"""
    if not masked and (mask is not None or extend is not None):
        raise UserError("this model fills no holes: leave the mask and the extension out")
    if mask is not None and extend is not None:
        raise UserError("give either a mask or an extension, not both")
    if extend is not None and not _four_sides(extend):
        raise UserError(
            f"extend is {extend}: give the pixels to add at left, top, right and bottom, e.g. "
            f"(64, 0, 64, 0)"
        )


def _four_sides(extend: Any) -> bool:
    if not isinstance(extend, tuple | list) or len(extend) != 4:
        return False
    return all(isinstance(side, Integral) and int(side) >= 0 for side in extend) and any(extend)


def extended(photo: Photo, extend: Extend) -> tuple[Photo, Mask]:
    """On a larger canvas, and what is missing of it; alpha goes on as it is at the edge."""
    left, top, right, bottom = extend
    sides = ((top, bottom), (left, right))
    known = np.pad(np.ones(photo.picture.shape[:2], bool), sides)
    wider = replace(
        photo,
        picture=np.pad(photo.picture, (*sides, (0, 0)), constant_values=0.5),
        alpha=None if photo.alpha is None else np.pad(photo.alpha, sides, mode="edge"),
        beyond=None if photo.beyond is None else np.pad(photo.beyond, (*sides, (0, 0))),
    )
    return wider, ~known


def to_mask(mask: Any, size: tuple[int, int]) -> Mask:
    """(H, W), True where a picture of ``size`` is missing, of any type that a picture may have.

    Booleans of any type and shape, and integers that are all 0 or 1, mean what they say; else see
    :func:`palette.data.images.mask_of`.
    """
    if isinstance(mask, torch.Tensor):
        mask = to_array(mask if mask.ndim == 2 else mask.movedim(0, -1))
    elif isinstance(mask, Image.Image) and mask.mode == "I":
        mask = np.asarray(mask)
    if isinstance(mask, np.ndarray) and _is_boolean(mask):
        mask = mask.astype(np.uint8) * 255
    name = f"the mask {mask}" if isinstance(mask, str | Path) else "the mask"
    return mask_of(to_photo(mask), size, name)


def _is_boolean(mask: np.ndarray) -> bool:
    if mask.dtype.kind == "b":
        return True
    return mask.dtype.kind in "iu" and mask.size > 0 and 0 <= mask.min() <= mask.max() <= 1
