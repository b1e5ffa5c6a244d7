"""LaMa's thin, medium and thick masks (Suvorov et al. 2022, supplementary, and its settings)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from palette.degradations.base import integer_between, quantile
from palette.degradations.masks import draw_boxes
from palette.degradations.strokes import draw_strokes
from palette.errors import UserError
from palette.types import Mask, Params, Spec

STROKES = 0.77
"""How often strokes, else boxes, where a kind has both."""

LARGEST_AREA = 0.5
"""Masks above it are drawn again."""

SWITCH = 384
"""Pictures with a larger √(height · width) take the settings for 512 pixels, others for 256."""


@dataclass(frozen=True)
class LamaSettings:
    """Lengths in pixels of a picture of ``side`` pixels. ``boxes`` (0, 0) means strokes only.

    ``strokes`` goes to one more than ``max_times`` of the published settings, as its code does.
    """

    side: int
    strokes: tuple[int, int]
    max_width: int
    max_length: int
    boxes: tuple[int, int] = (0, 0)
    box_side: tuple[int, int] = (0, 0)
    margin: int = 0


LAMA = {
    "thin": (
        LamaSettings(256, (4, 51), 10, 40),
        LamaSettings(512, (4, 71), 20, 100),
    ),
    "medium": (
        LamaSettings(256, (4, 6), 50, 100, (1, 5), (10, 50)),
        LamaSettings(512, (4, 11), 100, 200, (1, 5), (30, 150)),
    ),
    "thick": (
        LamaSettings(256, (1, 6), 100, 200, (1, 3), (30, 150), margin=10),
        LamaSettings(512, (1, 6), 250, 450, (1, 4), (30, 300), margin=10),
    ),
}
"""Kind to its settings for pictures of 256 and of 512 pixels."""


@dataclass(frozen=True)
class Lama:
    """One kind of LaMa mask; lengths grow with √(height · width). Params: size, strokes, boxes.

    A stroke is 1–5 segments to one side of the y axis; every segment has its own angle in 0–3
    radians, length and width. Strokes alternate between left and right. The published code always
    starts to the left; here the side is random, which keeps the hole rate even.
    """

    kind: str

    def settings(self, spec: Spec) -> LamaSettings:
        """Those for the size of picture that is nearer."""
        if self.kind not in LAMA:
            raise UserError(f"LaMa mask {self.kind!r} is not one of {', '.join(LAMA)}")
        return LAMA[self.kind][math.sqrt(spec.height * spec.width) > SWITCH]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        settings = self.settings(spec)
        params: Params = {"height": spec.height, "width": spec.width, "strokes": [], "boxes": []}
        smallest = math.inf
        for _ in range(50):
            if settings.boxes[1] == 0 or rng.random() < STROKES:
                drawn = {"strokes": _draw_strokes(settings, spec, rng), "boxes": []}
            else:
                drawn = {"strokes": [], "boxes": _draw_boxes(settings, spec, rng)}
            area = self.mask(params | drawn).mean()
            if area < smallest:  # a picture of a few pixels may never have a small enough mask
                smallest, params = area, params | drawn
            if area <= LARGEST_AREA:
                break
        return params

    def mask(self, params: Params) -> Mask:
        return draw_strokes(params) | draw_boxes(params)


def _scale(settings: LamaSettings, spec: Spec) -> float:
    return math.sqrt(spec.height * spec.width) / settings.side


def _draw_strokes(settings: LamaSettings, spec: Spec, rng: np.random.Generator) -> list[Params]:
    scale = _scale(settings, spec)
    segments: list[Params] = []
    side = 1 if rng.random() < 0.5 else -1
    for _ in range(integer_between(*settings.strokes, quantile(spec, rng))):
        x, y = int(rng.integers(spec.width)), int(rng.integers(spec.height))
        side = -side
        for _ in range(int(rng.integers(1, 6))):
            angle = side * (0.01 + int(rng.integers(4)))
            length = (10 + int(rng.integers(settings.max_length))) * scale
            width = (5 + int(rng.integers(settings.max_width))) * scale
            end_x = min(max(round(x + length * math.sin(angle)), 0), spec.width - 1)
            end_y = min(max(round(y + length * math.cos(angle)), 0), spec.height - 1)
            points = [[x, y], [end_x, end_y]]
            segments.append({"width": max(1, round(width)), "points": points})
            x, y = end_x, end_y
    return segments


def _draw_boxes(settings: LamaSettings, spec: Spec, rng: np.random.Generator) -> list[list[int]]:
    scale = _scale(settings, spec)
    margin = round(settings.margin * scale)
    low, high = (round(side * scale) for side in settings.box_side)
    boxes = []
    for _ in range(integer_between(*settings.boxes, quantile(spec, rng))):
        height = _side(low, high, spec.height - 2 * margin, rng)
        width = _side(low, high, spec.width - 2 * margin, rng)
        top = _offset(spec.height, height, margin, rng)
        left = _offset(spec.width, width, margin, rng)
        boxes.append([top, left, height, width])
    return boxes


def _side(low: int, high: int, longest: int, rng: np.random.Generator) -> int:
    low, high = max(1, min(low, longest)), max(1, min(high, longest))
    return int(rng.integers(low, high + 1))


def _offset(length: int, side: int, margin: int, rng: np.random.Generator) -> int:
    room = max(0, length - side - 2 * margin)
    return min(margin, length - side) + int(rng.integers(room + 1))
