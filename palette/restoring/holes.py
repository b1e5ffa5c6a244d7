"""What is missing of a picture: a mask, a border to add, or where it is transparent."""

from __future__ import annotations

from typing import Any

import numpy as np

from palette.data.images import Photo
from palette.errors import UserError
from palette.restoring.pictures import to_photo
from palette.types import Mask, Observation, Picture

Extend = tuple[int, int, int, int]
"""Pixels to add at the left, top, right and bottom."""


def observe(
    photo: Photo, masked: bool, mask: Any = None, extend: Extend | None = None
) -> tuple[Photo, Observation]:
    """The observation of a task, and the photo that belongs to it.

    ``masked``: whether the task fills a hole. Then the hole is ``mask`` (True or white = missing),
    a border of ``extend`` pixels, or where the photo is transparent.
    """
    if not masked:
        if mask is not None or extend is not None:
            raise UserError("this model fills no holes: leave the mask and the extension out")
        return photo, Observation(photo.picture)
    if mask is not None and extend is not None:
        raise UserError("give either a mask or an extension, not both")
    if extend is not None:
        picture, missing = extended(photo.picture, extend)
    elif mask is not None:
        picture, missing = photo.picture, _to_mask(mask, photo.picture)
    elif photo.alpha is not None:
        picture, missing = photo.picture, photo.alpha < 0.5
    else:
        raise UserError(
            "this model fills holes: give a mask (white = missing), pixels to extend by, or a "
            "picture with transparent parts"
        )
    opaque = Photo(picture, None, photo.bit_depth, photo.grey)
    return opaque, Observation(picture, missing)


def extended(picture: Picture, extend: Extend) -> tuple[Picture, Mask]:
    """A larger canvas with the picture on it, and what is missing of it."""
    if min(extend) < 0 or max(extend) == 0:
        raise UserError(
            f"extend is {extend}: give the pixels to add at left, top, right and bottom, e.g. "
            f"(64, 0, 64, 0)"
        )
    left, top, right, bottom = extend
    sides = ((top, bottom), (left, right))
    known = np.pad(np.ones(picture.shape[:2], bool), sides)
    return np.pad(picture, (*sides, (0, 0)), constant_values=0.5), ~known


def _to_mask(mask: Any, picture: Picture) -> Mask:
    if isinstance(mask, np.ndarray) and mask.dtype == bool and mask.ndim == 2:
        missing = mask
    else:
        missing = to_photo(mask).picture.mean(axis=-1) >= 0.5
    if missing.shape != picture.shape[:2]:
        raise UserError(
            f"the mask has {missing.shape[1]}×{missing.shape[0]} pixels and the picture "
            f"{picture.shape[1]}×{picture.shape[0]}: make them equal"
        )
    return missing
