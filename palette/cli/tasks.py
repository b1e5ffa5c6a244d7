"""`palette tasks`: the tasks, their options and what they do."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import MISSING, Field, dataclass
from typing import Any

from palette.errors import OK

WIDTH = 100
STAY = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Tasks:
    """List the tasks and their options."""


def run(args: Tasks) -> int:
    from palette.config import options_of
    from palette.tasks import trainable

    for name, cls in trainable().items():
        options = [_option(key, field) for key, field in options_of(cls).items()]
        about = " ".join((inspect.getdoc(cls) or "").split())
        print(name, _indented(about), _indented("  ".join(filter(None, options))), sep="\n")
    print("\n`palette train TASK --help` explains the options.")
    return OK


def _option(key: str, field: Field[Any]) -> str:
    """The flag with its default, … for none; "" where there is no flag."""
    if field.default is MISSING or field.metadata.get("found"):  # a table; what data decide
        return ""
    value = "…" if field.default in (None, ()) else str(field.default)
    return f"--{key.replace('_', '-')}{STAY}{value}"


def _indented(text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "    ").replace(STAY, " ")
