"""Follow the tutorials by copy and paste: every block, page after page, in one folder.

    python docs/follow.py FOLDER [PAGE ...]

A block in `sh` goes to bash. One in `python` goes to the page's own session, unless its first line
is the comment `# FILE`: then it is saved as that file, as are such blocks in `toml`. One in `text`
is what the block before printed; its words are compared, its numbers are not, as they depend on the
machine, and a line of … stands for any lines.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parent
PAGES = (
    "first-five-minutes",
    "your-own-pairs",
    "your-own-degradation",
    "your-own-task",
    "your-photographs",
    "any-tool",
)
"""The tutorials, in the order in which they use what the ones before have made."""

Shell = Callable[[str], str]
"""Runs the lines of a block in the current folder; what they print on stdout."""


class Block(NamedTuple):
    """A fenced block of a page: its language, its text and the line that it begins in."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """Where a reader saves it."""
        named = re.match(r"# ([\w/-]+\.(?:py|toml))\n", self.text)
        return named[1] if named else None


def page(name: str) -> Path:
    return DOCS / "tutorials" / f"{name}.md"


def blocks(path: Path) -> Iterator[Block]:
    """Those of plain languages; Sphinx's directives are none."""
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


def agrees(expected: str, printed: str) -> bool:
    """Whether a transcript shows what was printed, but for numbers and left-out lines."""
    lines = [re.escape(_words(line)) for line in expected.strip().splitlines()]
    pattern = "\n".join(lines).replace(re.escape("…") + "\n", "(?:.*\n)*")
    return re.fullmatch(pattern, "\n".join(map(_words, printed.strip().splitlines()))) is not None


def _words(line: str) -> str:
    """Without what depends on the machine: numbers, what follows of them, the width of columns."""
    line = re.sub(r"[-+]?\d[\d.,]*", "#", line.replace("not resolved", "resolved"))
    return " ".join(line.split())


def follow(path: Path, shell: Shell) -> None:
    """Do what the page says, in the current folder. AssertionError names the line that fails."""
    session: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(path):
        where = f"{path.name}, line {block.line}"
        if block.language == "text":
            assert agrees(block.text, printed), f"{where}:\n{block.text}\nbut it was\n{printed}"
        elif block.file is not None:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block.text, where, "exec"), session)
            printed = output.getvalue()
        else:
            assert block.language == "sh", f"{where}: nobody runs {block.language}"
            printed = shell(block.text)


def bash(text: str) -> str:
    """As a reader's terminal would, which stops at the first error."""
    command = ["bash", "-e", "-c", text]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, end="", flush=True)
    return done.stdout


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for name in names or PAGES:
        print(f"== {name}", flush=True)
        follow(page(name), bash)
    print("followed without a stop")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python docs/follow.py FOLDER [PAGE ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
