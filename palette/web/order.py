"""What is ordered on the page: plain data, checked before anything is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from palette.config import from_dict
from palette.errors import UserError
from palette.restoring.sampling import Answer

MOST_ITEMS = 50
MOST_SAMPLES = 8
LARGEST_SEED = 2**53 - 1
"""What JavaScript counts to exactly, with room for the seeds of the other samples."""

Frame = tuple[int, int, int, int]
"""Left, top, right and bottom of the result, in pixels of the picture as it is upright. It may
reach beyond the picture where the task fills holes."""
Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Item:
    """One picture; the texts are keys of the :class:`palette.web.store.Store`."""

    picture: str
    mask: str | None = None
    frame: Frame | None = None


@dataclass(frozen=True)
class Order:
    """Pictures that are restored alike. Sample k of each, from 0, has the seed ``seed`` + k."""

    task: str
    items: tuple[Item, ...]
    answer: Answer = "sample"
    steps: int = 8
    """How many there may be is up to the model (:func:`palette.web.effort.most_steps`)."""
    samples: int = 1
    seed: int = 0
    format: Literal["png", "jpg", "webp", "tif"] = "png"

    def __post_init__(self) -> None:
        require("pictures", len(self.items), 1, MOST_ITEMS)
        require("samples", self.samples, 1, MOST_SAMPLES)
        require("seed", self.seed, 0, LARGEST_SEED - MOST_SAMPLES)
        if self.answer == "mean" and self.samples != 1:
            raise UserError(f"samples is {self.samples}: the mean answer is one picture, choose 1")


def read_order(body: bytes) -> Order:
    """Of the JSON that the page sends. UserError for whatever is no order."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the order is no JSON: {error}") from None
    items = values.get("items") if isinstance(values, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise UserError("an order is an object with a list of items, each with its picture")
    whole: dict[str, Any] = {**values, "items": tuple(from_dict(Item, item) for item in items)}
    return from_dict(Order, whole)


def placed(frame: Frame, size: Size) -> tuple[Frame, Frame]:
    """The part of a picture that the frame has, and the pixels that it adds at each side of it."""
    left, top, right, bottom = frame
    height, width = size
    part = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if part[0] >= part[2] or part[1] >= part[3]:
        raise UserError(
            f"the frame {frame} has nothing of the picture, {width}×{height}: draw it over a part"
        )
    return part, (max(-left, 0), max(-top, 0), max(right - width, 0), max(bottom - height, 0))


def require(what: str, value: int, least: int, most: int) -> None:
    """UserError where there are too few or too many of ``what``."""
    if not least <= value <= most:
        raise UserError(f"{what}: {value} is too {'few' if value < least else 'many'}, "
                        f"choose {least} to {most}")  # fmt: skip
