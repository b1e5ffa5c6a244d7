"""Every command's help ends with two commands that can be given."""

from __future__ import annotations

import importlib
import shlex

import pytest

from palette.cli.arguments import parse
from palette.cli.examples import EXAMPLES
from palette.cli.main import COMMANDS, main


def test_each_command_has_two() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()
    assert {len(lines) for lines in EXAMPLES.values()} == {2}


@pytest.mark.parametrize("command", COMMANDS)
def test_they_parse(command: str) -> None:
    for line in EXAMPLES[command]:
        program, name, *args = shlex.split(line, comments=True)
        assert program == "palette"
        module = importlib.import_module(f"palette.cli.{name}")
        if "--help" in args:
            continue
        if hasattr(module, "read_arguments"):
            module.read_arguments(args)
        else:
            parse(getattr(module, name.capitalize()), args)
    assert any(line.split()[1] == command for line in EXAMPLES[command])


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["train", "denoising"]])
def test_the_help_ends_with_them(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.rstrip().endswith("\n  ".join(EXAMPLES[command[0]]))
