"""Completion in a shell: tyro's script knows every command, the tasks and their flags."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from palette.cli.completion import SHELLS
from palette.cli.main import COMMANDS, main
from palette.errors import USAGE
from palette.tasks import trainable

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_tyro_palette
printf '%s\\n' "${COMPREPLY[@]}"
"""


def printed(shell: str, folder: Path) -> Path:
    """The script as a user saves it."""
    path = folder / shell
    with path.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        assert main(["--tyro-print-completion", shell]) == 0
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], {*COMMANDS}),
        (["re"], {name for name in COMMANDS if name.startswith("re")}),
        (["train", ""], {*trainable()}),
        (["train", "colorization", "--train.b"], {"--train.batch"}),
        (["restore", "--sta"], {"--start", "--start-logsnr"}),
        (["restore", "--answer", ""], {"auto", "mean", "sample"}),
    ],
)
def test_bash(completion: Path, words: list[str], offered: set[str]) -> None:
    command = ["bash", "-c", ASK, "bash", str(completion), "palette", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = set(done.stdout.split("\n")) - {""}
    assert {word for word in found if not word.startswith("-") or words[-1]} == offered


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(shell: str, tmp_path: Path) -> None:
    path = printed(shell, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert all(name in text for name in (*COMMANDS, "eta", "train.batch"))
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n", str(path)], check=True)


def test_other_shells_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tyro-print-completion", "bsh"]) == USAGE
    assert "did you mean 'bash'" in capsys.readouterr().err
