"""Masks: their sizes and places, files, and the distributions that were published."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from distributions import SURE, column, drawn, has_shares, is_integer_uniform, is_uniform
from scipy import stats

from palette.degradations import build
from palette.degradations.lama import LAMA, Lama
from palette.degradations.masks import Boxes, Centre, Hole
from palette.seeding import rng
from palette.types import Picture, Spec


def noise_picture(height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_small_boxes_have_the_nearest_area() -> None:
    shape = Boxes()
    for side in (1, 2, 5):
        mask = shape.mask(shape.draw(Spec(side, side), rng(side)))
        assert 1 <= mask.sum() <= max(1, 0.6 * side * side)


def test_the_centre_is_in_the_middle() -> None:
    shape = Centre()
    mask = shape.mask(shape.draw(Spec(8, 12), rng(0)))
    expected = np.zeros((8, 12), bool)
    expected[2:6, 3:9] = True
    assert np.array_equal(mask, expected)


def test_a_mask_of_another_size_is_refused() -> None:
    hole = Hole(Centre())
    params = hole.draw(Spec(8, 8), rng(0))
    with pytest.raises(ValueError, match=r"drawn for \(8, 8\), the picture is \(48, 64\)"):
        hole.apply(noise_picture(), params)


# Distributions


def test_palette_inpainting_shares_and_areas() -> None:
    degradation: Any = build("palette_inpainting")
    draws = drawn("palette_inpainting")
    has_shares(column(draws, "name"), {"free_form": 0.6, "boxes": 0.4})
    boxes = [p["params"] for p in draws if p["name"] == "boxes"]
    is_integer_uniform([len(p["boxes"]) for p in boxes], 1, 5)
    areas = [degradation.shape.shapes["boxes"][1].mask(p).mean() for p in boxes]
    assert min(areas) > 0.09
    assert max(areas) < 0.42
    assert stats.kstest((np.array(areas) - 0.1) / 0.3, "uniform").pvalue > SURE


def test_free_form_strokes_are_those_of_deepfill() -> None:
    spec = Spec(256, 256)
    diagonal = 256 * math.sqrt(2)
    draws = drawn("free_form", spec=spec)
    is_integer_uniform([len(p["strokes"]) for p in draws], 1, 3)
    strokes = [stroke for p in draws for stroke in p["strokes"]]
    is_integer_uniform([len(s["points"]) - 1 for s in strokes], 4, 11)
    is_integer_uniform(column(strokes, "width"), 12, 39)
    starts = np.array([s["points"][0] for s in strokes])
    is_uniform((starts[:, 0] + 0.5).tolist(), 0, 256)
    is_uniform((starts[:, 1] + 0.5).tolist(), 0, 256)

    inside, angles = [], []
    for stroke in strokes:
        points = np.array(stroke["points"], dtype=float)
        step = np.diff(points, axis=0)
        free = ((points[1:] > 0) & (points[1:] < 255)).all(axis=1)
        lengths = np.hypot(*step.T)
        inside += lengths[free].tolist()
        angles += np.arctan2(np.abs(step[:, 1]), np.abs(step[:, 0]))[free & (lengths > 40)].tolist()
    assert max(inside) <= diagonal / 4 + 2
    # Turned by 72° ± 24° from the x axis, up and down in turns.
    assert math.radians(46) < min(angles)
    assert abs(np.median(angles) - 2 * math.pi / 5) < 0.06


@pytest.mark.parametrize("kind", LAMA)
@pytest.mark.parametrize("side", [256, 512])
def test_lama_masks_have_the_published_numbers(kind: str, side: int) -> None:
    settings = LAMA[kind][side == 512]
    shape = Lama(kind)
    draws = [shape.draw(Spec(side, side), rng(2, kind, i)) for i in range(300)]
    assert max(shape.mask(p).mean() for p in draws[:100]) <= 0.5
    segments = [segment for p in draws for segment in p["strokes"]]
    widths = column(segments, "width")
    assert min(widths) >= 5
    assert max(widths) <= 4 + settings.max_width
    lengths = [math.dist(*segment["points"]) for segment in segments]
    assert max(lengths) <= 10 + settings.max_length
    boxes = [box for p in draws for box in p["boxes"]]
    if kind == "thin":
        assert not boxes
        return
    low, high = settings.box_side
    assert all(low <= side_ <= high for box in boxes for side_ in box[2:])
    margin = 10 if kind == "thick" else 0
    tops = [box[0] for box in boxes]
    bottoms = [side - box[0] - box[2] for box in boxes]
    assert margin <= min(tops + bottoms) < margin + 10
    # Large strokes are rejected more often than boxes, so the share is checked before rejection.
    assert 0.1 < np.mean([bool(p["boxes"]) for p in draws]) < 0.6


def test_every_second_stroke_of_lama_goes_to_the_other_side() -> None:
    """And all segments of a stroke to the same one: they are as many as the published ones."""
    starts, counts = set(), []
    for i in range(200):
        segments = Lama("medium").draw(Spec(1024, 1024), rng(6, i))["strokes"]
        strokes: list[set[int]] = []
        end: list[int] = []
        for segment in segments:
            start, after = segment["points"]
            if start != end:
                strokes.append(set())
            strokes[-1].add(int(np.sign(after[0] - start[0])))
            end = after
        sides = [(stroke - {0} or {0}).pop() for stroke in strokes if len(stroke - {0}) <= 1]
        assert len(sides) == len(strokes)
        assert all(a * b <= 0 for a, b in itertools.pairwise(sides))
        starts.update(sides[:1])
        counts += [len(strokes)] * bool(strokes)
    assert {-1, 1} <= starts
    assert (min(counts), max(counts)) == (4, 11)  # one more than max_times says


@pytest.mark.parametrize("name", ["free_form", "lama_thin", "lama_medium", "lama_thick", "boxes"])
def test_holes_are_as_frequent_on_each_side(name: str) -> None:
    """Left and right, top and bottom within 8 %, on a picture that is not square."""
    degradation: Any = build(name)
    spec, draws = Spec(96, 160), 4000 if name == "free_form" else 1500
    rate = np.mean(
        [degradation.mask(degradation.draw(spec, rng(3, i))) for i in range(draws)], axis=0
    )
    left, right = rate[:, :80].mean(), rate[:, 80:].mean()
    top, bottom = rate[:48].mean(), rate[48:].mean()
    assert abs(left / right - 1) < 0.08
    assert abs(top / bottom - 1) < 0.08


@pytest.mark.parametrize("size", [(256, 256), (97, 181), (64, 63)])
def test_uncropping_masks_a_border_of_half_of_the_area(size: tuple[int, int]) -> None:
    degradation: Any = build("palette_uncropping")
    kinds = []
    for i in range(600):
        params = degradation.draw(Spec(*size), rng(4, i))
        mask = degradation.mask(params)
        assert abs(mask.mean() - 0.5) < 0.01
        edges = {
            "top": mask[0].all(),
            "bottom": mask[-1].all(),
            "left": mask[:, 0].all(),
            "right": mask[:, -1].all(),
        }
        centre = mask[size[0] // 2 - 2 : size[0] // 2 + 3, size[1] // 2 - 2 : size[1] // 2 + 3]
        masked = [edge for edge, full in edges.items() if full]
        if len(masked) == 4:
            assert not centre.any(), "the centre is what is known"
        kinds.append("all" if len(masked) == 4 else masked[0])
        assert len(masked) in (1, 4)
    shares = {"all": 0.5, "top": 0.125, "bottom": 0.125, "left": 0.125, "right": 0.125}
    has_shares(kinds, shares)
