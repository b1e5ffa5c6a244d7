"""Brush strokes: the free-form masks of DeepFill v2 and LaMa's thin, medium and thick masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from palette.degradations.base import integer_between, quantile
from palette.types import Mask, Params, Spec


def draw_strokes(params: Params) -> Mask:
    """The union of ``params["strokes"]``: {"width": pixels, "points": [[x, y], …]}."""
    canvas = np.zeros((params["height"], params["width"]), dtype=np.uint8)
    for stroke in params["strokes"]:
        points = np.asarray(stroke["points"], dtype=np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], False, 1, thickness=stroke["width"])  # round ends, joints
    return canvas.astype(bool)


@dataclass(frozen=True)
class FreeForm:
    """Zigzag strokes (Yu et al. 2019, DeepFill v2), scaled from 256 px to the picture.

    Params: height, width, strokes. 1–3 strokes of 4–11 segments; each turns by 2π/5 ±
    U(0, 2π/15), alternately to the one and the other side, with a length N(diagonal/8,
    ⌊diagonal/16⌋) clipped to [0, diagonal/4]. Both axes are flipped half of the time.
    """

    strokes: tuple[int, int] = (1, 3)
    segments: tuple[int, int] = (4, 11)
    width_256: tuple[int, int] = (12, 39)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        count = integer_between(*self.strokes, quantile(spec, rng))
        strokes = [self._stroke(spec, rng) for _ in range(count)]
        if rng.random() < 0.5:
            _flip(strokes, 0, spec.width)
        if rng.random() < 0.5:
            _flip(strokes, 1, spec.height)
        return {"height": spec.height, "width": spec.width, "strokes": strokes}

    def _stroke(self, spec: Spec, rng: np.random.Generator) -> Params:
        diagonal = math.hypot(spec.height, spec.width)
        low = 2 * math.pi / 5 - rng.uniform(0, 2 * math.pi / 15)
        high = 2 * math.pi / 5 + rng.uniform(0, 2 * math.pi / 15)
        width = integer_between(*self.width_256, quantile(spec, rng))
        x, y = int(rng.integers(spec.width)), int(rng.integers(spec.height))
        points = [[x, y]]
        for i in range(int(rng.integers(self.segments[0], self.segments[1] + 1))):
            angle = rng.uniform(low, high) * (1 if i % 2 else -1)
            length = min(max(rng.normal(diagonal / 8, diagonal // 16), 0), diagonal / 4)
            x = int(min(max(x + length * math.cos(angle), 0), spec.width - 1))
            y = int(min(max(y + length * math.sin(angle), 0), spec.height - 1))
            points.append([x, y])
        pixels = max(1, round(width * math.sqrt(spec.height * spec.width) / 256))
        return {"width": pixels, "points": points}

    def mask(self, params: Params) -> Mask:
        return draw_strokes(params)


def _flip(strokes: list[Params], axis: int, length: int) -> None:
    for stroke in strokes:
        for point in stroke["points"]:
            point[axis] = length - 1 - point[axis]
