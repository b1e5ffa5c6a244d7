"""Write docs/first_five_minutes.ipynb from the page of that name: `python docs/make_notebook.py`.

Each block of the page is a cell, without its output; the transcripts are left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from follow import DOCS, page

NAME = "first-five-minutes"
NOTEBOOK = DOCS / "first_five_minutes.ipynb"


def _cell(kind: str, number: int, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return {**cell, "source": text.strip().splitlines(keepends=True)}


def _moved(text: str) -> str:
    """Markdown of the tutorials' folder as its parent's; it does not name itself."""
    text = re.sub(r" This page is also\s+\[a notebook\].*?\.ipynb\)\.", "", text)
    return re.sub(
        r"\]\((\.\./)?([^)#]+)",
        lambda link: f"]({'' if link[1] else 'tutorials/'}{link[2]}",
        text,
    )


def cells(text: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    parts = re.split(r"^```(sh|python|text)\n(.*?)^```\n", text, flags=re.DOTALL | re.MULTILINE)
    parts += ["text", ""]  # after the last prose
    for prose, language, code in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if prose.strip():
            made.append(_cell("markdown", len(made), _moved(prose)))
        if language == "sh":
            code = "".join(f"!{line}\n" for line in code.splitlines())
        if language != "text":
            made.append(_cell("code", len(made), code))
    return made


def notebook() -> str:
    """The file's content."""
    content = {
        "cells": cells(page(NAME).read_text(encoding="utf-8")),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(NOTEBOOK).write_text(notebook(), encoding="utf-8")
