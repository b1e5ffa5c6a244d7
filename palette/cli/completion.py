"""`palette --tyro-print-completion SHELL`: a script for all commands and the tasks of train."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

from palette.errors import UserError, nearest

FLAG = "--tyro-print-completion"
SHELLS = ("bash", "zsh", "fish")


def script(shell: str, commands: Mapping[str, str]) -> str:
    """What completes ``commands``, name to description, in ``shell``; UserError for others."""
    import tyro

    if shell not in SHELLS:
        raise UserError(f"{FLAG} is {shell!r}: {nearest(shell, SHELLS)}")
    kinds = [
        Annotated[_arguments(name), tyro.conf.subcommand(name, description=about)]
        for name, about in commands.items()
    ]
    chosen: Any = reduce(or_, kinds)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        tyro.cli(chosen, prog="palette", args=[FLAG, shell])
    # of a text with line breaks tyro would offer each line as a word
    return "\n".join(
        line.replace(r"\n", " ") if line.startswith("COMPLETION_SPEC") else line
        for line in printed.getvalue().splitlines()
    )


def _arguments(command: str) -> Any:
    """The dataclass of a command; of train, whose flags are those of a task, one for each."""
    import tyro

    module = importlib.import_module(f"palette.cli.{command}")
    if command != "train":
        return getattr(module, command.capitalize())
    from palette.tasks import trainable

    tasks = [
        Annotated[module.Train[options], tyro.conf.subcommand(name)]
        for name, options in trainable().items()
    ]
    return Annotated[reduce(or_, tasks), tyro.conf.OmitSubcommandPrefixes]
