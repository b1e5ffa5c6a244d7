"""The commands of docs/importing.md can be given as they stand."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

from palette.cli.arguments import parse
from palette.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"


def test_they_parse() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    whole = [block.replace("\\\n", " ") for block in blocks]
    lines = [shlex.split(line) for block in whole for line in block.splitlines()]
    assert {line[1] for line in lines} == {"import", "restore", "train"}
    for program, name, *args in lines:
        assert program == "palette"
        assert name in COMMANDS
        module = importlib.import_module(f"palette.cli.{name}")
        if hasattr(module, "read_arguments"):
            module.read_arguments(args)
        else:
            parse(getattr(module, name.capitalize()), args)
