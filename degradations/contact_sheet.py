"""Contact sheets: pictures side by side with a line of text below each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from palette.degradations.jpeg import to_bytes
from palette.types import Params, Picture

CELL, GAP, LINE_HEIGHT, FONT_SIZE = 256, 8, 17, 13
LINES = 4
"""Lines of text below a picture, at most."""

UNINTERESTING = {
    *("seed", "height", "width", "size", "bits", "scale", "shape", "beta", "angle"),
    *("subsampling", "on", "grey", "peak", "camera", "gain", "red_gain", "blue_gain", "read"),
    *("mixing", "soft_sigma", "threshold_255", "top", "bottom", "left", "right"),
}
"""Parameters that a label leaves out."""

PAPER, INK = (255, 255, 255), (20, 20, 20)


@dataclass(frozen=True)
class Cell:
    """A small picture and what to say below it."""

    image: Image.Image
    text: str


def cell(picture: Picture, text: str) -> Cell:
    """A cell of a picture of any size; a text that is too long will be cut."""
    image = Image.fromarray(to_bytes(picture))
    ratio = CELL / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    method = Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.BOX
    return Cell(image.resize(size, method), text)


def summary(name: str, params: Params) -> str:
    """What was drawn in a few words: the steps in their order with their numbers."""
    return " › ".join(_steps(name, params))


def _steps(name: str, params: Params) -> list[str]:
    if params.get("on") is False:
        return []
    if "steps" in params:
        return [part for step in params["steps"] for part in _steps(step["name"], step["params"])]
    if "params" in params:
        return _steps(params.get("name", name), params["params"])
    return [" ".join([name, *_numbers(params)])]


def _numbers(params: Params) -> list[str]:
    texts = []
    for key, value in params.items():
        if key in UNINTERESTING or isinstance(value, dict):
            continue
        if isinstance(value, list):
            value = len(value)
        texts.append(f"{value:.2g}" if isinstance(value, float) else str(value))
    return texts


def contact_sheet(rows: Sequence[Sequence[Cell]]) -> Picture:
    """One picture of all cells: a column wide each, repeated pixels where they are enlarged."""
    font = ImageFont.load_default(FONT_SIZE)
    texts = [[_wrapped(cell.text, font) for cell in row] for row in rows]
    pictures = [max(cell.image.height for cell in row) for row in rows]
    labels = [LINE_HEIGHT * max(len(text) for text in row) for row in texts]
    columns = max(len(row) for row in rows)
    height = sum(pictures) + sum(labels) + len(rows) * GAP + GAP
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            left = GAP + j * (CELL + GAP)
            sheet.paste(cell.image, (left, top))
            for k, line in enumerate(texts[i][j]):
                below = top + pictures[i] + k * LINE_HEIGHT
                draw.text((left, below), line, fill=INK, font=font)
        top += pictures[i] + labels[i] + GAP
    return np.asarray(sheet, dtype=np.float32) / np.float32(255)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= CELL or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1] + " …"]
    return lines
