"""Small plots as inline SVG: no library, no script, readable in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

import numpy as np

COLOURS = ("#8a94a3", "#c98a1b", "#3d5afe", "#13795b", "#b3261e", "#8e44ad", "#0e8fa3", "#a0522d")
"""Input, baseline, then answers: grey, ochre, blue, green, red, violet, teal, brown."""

CURVES = (COLOURS[2], COLOURS[1], COLOURS[3])
"""Of lines that no row of a report belongs to."""

WIDTH, HEIGHT = 520, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 34
LABELS = 136
"""Room for the titles of rows."""
LETTERS = 21
"""Of a title that fits there."""


def distribution(series: Mapping[str, Sequence[float]], unit: str, digits: int) -> str:
    """One line of dots for each row, one dot for each picture, the mean as a bar."""
    values = [value for row in series.values() for value in row]
    if len(values) < 2:
        return ""
    low, high = _range(values)
    step = 34
    height = TOP + step * len(series) + BOTTOM
    body = []
    for place, (name, row) in enumerate(series.items()):
        y = TOP + step * (place + 0.5)
        colour = COLOURS[place % len(COLOURS)]
        for index, value in enumerate(row):
            # A fixed scatter of the golden ratio keeps equal values apart.
            jitter = ((index * 0.618034) % 1 - 0.5) * step * 0.4
            x = _x(value, low, high)
            body.append(
                f'<circle cx="{x:.1f}" cy="{y + jitter:.1f}" r="2.6" fill="{colour}" '
                'fill-opacity=".55"/>'
            )
        if row:
            x = _x(float(np.mean(row)), low, high)
            body.append(f'<path d="M{x:.1f} {y - 12:.1f}v24" stroke="{colour}" stroke-width="3"/>')
        short = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        body.append(_text(LABELS - 10, y + 4, short, "end"))
    return _svg(height, body + _x_axis(low, high, height, unit, digits))


def by_group(
    groups: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str, digits: int
) -> str:
    """Means by group: one line for each row, the groups from left to right."""
    values = [value for row in series.values() for value in row if value is not None]
    if len(values) < 2 or len(groups) < 2:
        return ""
    low, high = _range(values)
    body = []
    for tick in _ticks(low, high):
        y = _y(tick, low, high)
        body.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        body.append(_text(LEFT - 6, y + 4, _number(tick, digits), "end"))
    columns = np.linspace(LEFT + 24, WIDTH - RIGHT - 24, len(groups))
    for x, group in zip(columns, groups, strict=True):
        body.append(_text(x, HEIGHT - 14, group, "middle"))
    for place, (name, row) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = [
            (x, _y(value, low, high))
            for x, value in zip(columns, row, strict=True)
            if value is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"><title>{escape(name)}'
            "</title></circle>"
            for x, y in points
        ]
    if unit:
        body.append(_text(4, TOP + 6, unit, "start"))
    return _svg(HEIGHT, body)


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]], unit: str, digits: int, along: str
) -> str:
    """Lines through points (x, value); ``along`` says what x is.

    Numbers get more than ``digits`` decimals where they would look equal.
    """
    points = [point for row in series.values() for point in row]
    if len({x for x, _ in points}) < 2:
        return ""
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, high = _range([value for _, value in points])

    def across(x: float) -> float:
        return LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    body, ticks = [], _ticks(low, high)
    digits = max(digits, -int(np.floor(np.log10(ticks[1] - ticks[0]))))
    for tick in ticks:
        y = _y(tick, low, high)
        body.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        body.append(_text(LEFT - 6, y + 4, _number(tick, digits), "end"))
    for tick in _ticks(first, last):
        anchor = "end" if across(tick) > WIDTH - RIGHT - 20 else "middle"
        body.append(_text(across(tick), HEIGHT - BOTTOM + 17, f"{tick:,.0f}", anchor))
    body.append(_text(WIDTH - RIGHT, HEIGHT - 3, along, "end"))
    for colour, row in zip(cycle(CURVES), series.values(), strict=False):
        path = " ".join(f"{across(x):.1f},{_y(value, low, high):.1f}" for x, value in row)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    if unit:
        body.append(_text(4, TOP + 6, unit, "start"))
    return _svg(HEIGHT, body)


def sparkline(values: Sequence[float]) -> str:
    """A curve without axes, as high as a line of text."""
    if len(values) < 2:
        return ""
    low, high = _range(values)
    points = [
        f"{120 * place / (len(values) - 1):.1f},{22 * (high - value) / (high - low):.1f}"
        for place, value in enumerate(values)
    ]
    return (
        f'<svg viewBox="0 -1 120 24" width="120" height="24" role="img"><polyline '
        f'points="{" ".join(points)}" fill="none" stroke="{CURVES[0]}" stroke-width="1.8"/></svg>'
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low <= 1e-9 * abs(high):  # equal but for rounding
        low = high
    margin = (high - low) * 0.06 or abs(high) * 0.5 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between two bounds."""
    raw = (high - low) / 5
    power = 10 ** np.floor(np.log10(raw))
    step = float(next(m * power for m in (1, 2, 5, 10) if m * power >= raw))
    first = np.ceil(low / step)
    return [float(step * n) + 0.0 for n in np.arange(first, np.floor(high / step) + 1)]


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _x(value: float, low: float, high: float) -> float:
    return LABELS + (value - low) / (high - low) * (WIDTH - LABELS - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _x_axis(low: float, high: float, height: float, unit: str, digits: int) -> list[str]:
    base = height - BOTTOM
    body = [f'<path d="M{LABELS} {base:.1f}H{WIDTH - RIGHT}" class="grid"/>']
    for tick in _ticks(low, high):
        x = _x(tick, low, high)
        label = _number(tick, digits)
        body.append(f'<path d="M{x:.1f} {base:.1f}v4" class="grid"/>')
        body.append(_text(x, base + 17, label, "middle"))
    body.append(_text(WIDTH - RIGHT, height - 3, unit, "end"))
    return body


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" width="{WIDTH}">{"".join(body)}</svg>'
    )
