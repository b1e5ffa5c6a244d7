"""Holes: what is missing of a picture. A shape draws where; :class:`Hole` cuts it out.

A shape has ``draw(spec, rng)``, plain JSON values, and ``mask(params)``, (H, W) bool, True where
the picture is missing. Its params have ``height`` and ``width``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from palette.degradations.base import Degradation, between, check, quantile
from palette.degradations.batches import Batch, by_size
from palette.errors import UserError
from palette.types import Mask, Params, Picture, Spec

GREY = 0.5
"""The colour of a hole."""


class Shape(Protocol):
    """A random region of a picture."""

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params: ...

    def mask(self, params: Params) -> Mask: ...


@dataclass(frozen=True)
class Hole(Degradation):
    """A picture with a grey (0.5) hole. Params: those of the shape, with height and width."""

    shape: Shape

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return self.shape.draw(spec, rng)

    def mask(self, params: Params) -> Mask:
        """(H, W) bool, True where the picture is missing."""
        return self.shape.mask(params)

    def apply(self, picture: Picture, params: Params) -> Picture:
        missing = self._mask_for(picture.shape[:2], params)
        return np.where(missing[..., None], np.float32(GREY), check(picture))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        size = tuple(pictures.shape[2:])
        missing = np.stack([self._mask_for(size, one)[None] for one in params])
        return pictures.masked_fill(torch.from_numpy(missing).to(pictures.device), GREY)

    def _mask_for(self, size: tuple[int, ...], params: Params) -> Mask:
        missing = self.mask(params)
        if missing.shape != size:
            raise UserError(f"the mask was drawn for {missing.shape}, the picture is {size}")
        return missing


@dataclass(frozen=True)
class AnyShape:
    """One of several shapes, by weight. Params: height, width, name, params."""

    shapes: dict[str, tuple[float, Shape]]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        names = list(self.shapes)
        weights = np.array([self.shapes[name][0] for name in names])
        name = names[rng.choice(len(names), p=weights / weights.sum())]
        params = self.shapes[name][1].draw(spec, rng)
        return {"height": spec.height, "width": spec.width, "name": name, "params": params}

    def mask(self, params: Params) -> Mask:
        return self.shapes[params["name"]][1].mask(params["params"])


def draw_boxes(params: Params) -> Mask:
    """The union of ``params["boxes"]``: [top, left, height, width] in pixels."""
    missing = np.zeros((params["height"], params["width"]), dtype=bool)
    for top, left, height, width in params["boxes"]:
        missing[top : top + height, left : left + width] = True
    return missing


@dataclass(frozen=True)
class Boxes:
    """1–5 rectangles which together cover 10–40 % of the area (Palette, appendix).

    Params: height, width, boxes ([top, left, height, width]). The area is that of the union.
    Sides are in a ratio between 1:2 and 2:1. Pictures too small for it get the nearest area.
    """

    count: tuple[int, int] = (1, 5)
    area: tuple[float, float] = (0.1, 0.4)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        area = between(*self.area, quantile(spec, rng)) * spec.height * spec.width
        count = int(rng.integers(self.count[0], self.count[1] + 1))
        params: Params = {"height": spec.height, "width": spec.width, "boxes": []}
        nearest = math.inf
        for _ in range(20):  # boxes overlap: keep the layout whose union is nearest to the area
            boxes = self._layout(spec, area, count, rng)
            error = abs(draw_boxes(params | {"boxes": boxes}).sum() - area)
            if error < nearest:
                nearest, params["boxes"] = error, boxes
            if error <= 0.05 * area:
                break
        return params

    def _layout(
        self, spec: Spec, area: float, count: int, rng: np.random.Generator
    ) -> list[list[int]]:
        boxes = []
        for share in rng.dirichlet(np.full(count, 4.0)):
            side_ratio = 2 ** rng.uniform(-1, 1)
            height = min(spec.height, max(1, round(math.sqrt(area * share * side_ratio))))
            width = min(spec.width, max(1, round(area * share / height)))
            top = int(rng.integers(spec.height - height + 1))
            left = int(rng.integers(spec.width - width + 1))
            boxes.append([top, left, height, width])
        return boxes

    def mask(self, params: Params) -> Mask:
        return draw_boxes(params)


@dataclass(frozen=True)
class Centre:
    """A centred rectangle whose sides are ``side`` of the picture's. Params: size, boxes."""

    side: float = 0.5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        height, width = round(spec.height * self.side), round(spec.width * self.side)
        top, left = (spec.height - height) // 2, (spec.width - width) // 2
        box = [top, left, height, width]
        return {"height": spec.height, "width": spec.width, "boxes": [box]}

    def mask(self, params: Params) -> Mask:
        return draw_boxes(params)


@dataclass(frozen=True)
class Border:
    """Uncropping (Palette, appendix): ``area`` of the picture is missing at its border.

    One of ``sides`` with probability 0.5, else all four sides around a centred rest.
    Params: height, width, top, bottom, left, right (missing rows and columns).
    """

    area: float = 0.5
    one_side: float = 0.5
    sides: tuple[str, ...] = ("top", "bottom", "left", "right")

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        sides = {"top": 0, "bottom": 0, "left": 0, "right": 0}
        if rng.random() < self.one_side:
            side = self.sides[rng.integers(len(self.sides))]
            length = spec.height if side in ("top", "bottom") else spec.width
            sides[side] = min(length - 1, round(length * self.area))
        else:
            rest = spec.height * spec.width * (1 - self.area)
            height = min(spec.height, max(1, round(spec.height * math.sqrt(1 - self.area))))
            width = min(spec.width, max(1, round(rest / height)))
            sides["top"], sides["left"] = (spec.height - height) // 2, (spec.width - width) // 2
            sides["bottom"] = spec.height - height - sides["top"]
            sides["right"] = spec.width - width - sides["left"]
        return {"height": spec.height, "width": spec.width, **sides}

    def mask(self, params: Params) -> Mask:
        missing = np.ones((params["height"], params["width"]), dtype=bool)
        bottom = params["height"] - params["bottom"]
        right = params["width"] - params["right"]
        missing[params["top"] : bottom, params["left"] : right] = False
        return missing
