"""Flags into dataclasses, and usage errors of one line."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from palette.errors import UserError, of_file

NARROWEST = 60
"""Columns. In fewer of them the help would break every word, and in one tyro does not end."""


def parse(cls: Any, args: Sequence[str], command: str | None = None, default: Any = None) -> Any:
    """Parse flags into the dataclass ``cls`` by tyro; a usage error is a UserError of one line."""
    import tyro

    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            keywords = {} if default is None else {"default": default}
            return tyro.cli(
                cls, args=list(args), prog=f"palette {command or cls.__name__.lower()}", **keywords
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UserError(_one_line(printed.getvalue())) from None


def parse_sampling(cls: Any, args: Sequence[str]) -> Any:
    """Parse flags into ``cls``; the model that they name has the defaults of the sampling."""
    from palette.models import sampling_of

    asked = parse(cls, args)
    own = sampling_of(asked.model)
    if not own:
        return asked
    from palette.config import from_dict

    with of_file(asked.model):
        default = replace(asked, sampling=from_dict(type(asked.sampling), own))
    return parse(cls, args, default=default)


def _one_line(box: str) -> str:
    """The text of tyro's box, without its frame."""
    lines = [line.strip(" │╭╮╰╯─┌┐└┘|") for line in box.splitlines()[1:]]
    return " ".join(line for line in lines if line.strip("+-─"))
