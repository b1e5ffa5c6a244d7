"""What quality costs: methods as points, multiply-adds on a logarithmic axis, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from palette.eval.report.plots import COLOURS

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 18, 42
LETTER = 7.0
"""Pixels that a letter takes, at most as a rule."""
LINE = 13
"""Pixels between the baselines of two labels."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Point:
    """A method: 10⁹ multiply-adds for a megapixel, its figure, and whether it is the model's."""

    title: str
    cost: float
    value: float
    own: bool


def quality_against_cost(points: Sequence[Point], level: tuple[str, float] | None) -> str:
    """Points with their names; ``level`` is a method that costs next to nothing: a dashed line."""
    values = [point.value for point in points] + ([level[1]] if level else [])
    low, high = min(values), max(values)
    margin = (high - low) * 0.09 or 1.0
    low, high = low - margin, high + margin
    first = math.floor(math.log10(min(point.cost for point in points)) - 0.1)
    last = max(math.ceil(math.log10(max(point.cost for point in points)) + 0.1), first + 1)

    def across(cost: float) -> float:
        return LEFT + (math.log10(cost) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    body, boxes = _axes(first, last, low, high), []
    if level:
        y = up(level[1])
        dashes = 'class="grid" style="stroke-dasharray: 5 4"'
        body.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" {dashes}/>')
        body.append(_text(WIDTH - RIGHT, y - 5, level[0], "end"))
        name = LETTER * len(level[0])
        boxes = [(WIDTH - RIGHT - name, y - 15, float(WIDTH - RIGHT), y - 3)]
    taken: list[Box] = boxes
    for x, y in ((across(point.cost), up(point.value)) for point in points):
        taken.append((x - 5, y - 5, x + 5, y + 5))
    for point in sorted(points, key=lambda point: (not point.own, point.value)):
        x, y = across(point.cost), up(point.value)
        colour = COLOURS[2] if point.own else COLOURS[0]
        exact = f"{point.title}: {point.value:.2f} dB, {point.cost:,.0f} G"
        body.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if point.own else 4}" fill="{colour}">'
            f"<title>{escape(exact)}</title></circle>"
        )
        body.append(_label(point, x, y, taken))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" width="{WIDTH}">{"".join(body)}</svg>'


def _label(point: Point, x: float, y: float, taken: list[Box]) -> str:
    """The name of a point where nothing else is: right or left of it, or farther up or down."""
    name, width = point.title, LETTER * len(point.title)
    places = [
        (side, y + 4 + step * LINE)
        for step in (0, -1, 1, -2, 2, -3, 3)
        for side in ("start", "end")
    ]
    for side, at in places:
        left = x + 9 if side == "start" else x - 9 - width
        box = (left, at - 10, left + width, at + 2)
        inside = left >= LEFT and left + width <= WIDTH and TOP - 8 < at < HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            bold = ' font-weight="600"' if point.own else ""
            return _text(x + 9 if side == "start" else x - 9, at, name, side, bold)
    return ""  # the pointer still finds its name


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _axes(first: int, last: int, low: float, high: float) -> list[str]:
    base = HEIGHT - BOTTOM
    body = [f'<path d="M{LEFT} {base}H{WIDTH - RIGHT}" class="grid"/>']
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if (high - low) / s <= 7)
    tick = math.ceil(low / step) * step
    while tick <= high:
        y = TOP + (high - tick) / (high - low) * (base - TOP)
        body.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        body.append(_text(LEFT - 6, y + 4, f"{tick:.1f}", "end"))
        tick += step
    for power in range(first, last + 1):
        x = LEFT + (power - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        body.append(f'<path d="M{x:.1f} {TOP}V{base}" class="grid"/>')
        anchor = "end" if power == last else "middle"
        body.append(_text(x, base + 16, _power(power), anchor))
    body.append(_text(WIDTH - RIGHT, HEIGHT - 6, "multiply-adds for a megapixel", "end"))
    return body


def _power(power: int) -> str:
    """10⁹ to that power of ten, as people say it: 10 G, 1 T."""
    unit, rest = ("T", power - 3) if power >= 3 else ("G", power)
    return f"{10**rest:g} {unit}"


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
