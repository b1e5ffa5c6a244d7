"""The house stays small: files, functions, and what the documents say of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import palette

ROOT = Path(__file__).parents[1]
PACKAGES = ("palette", "tasks", "data", "degradations", "eval")
FILES = [
    path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))
    if path.relative_to(ROOT).parts[1] not in PACKAGES
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_fit_on_a_screen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= 60, f"{node.name} has {lines} lines"


def test_the_map_shows_every_file() -> None:
    """CONTRIBUTING has a line for each folder of the packages, with the files in it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown: dict[str, set[str]] = {}
    top = folder = ""
    for line in text.split("```")[1].splitlines():
        if found := re.match(r"( *)(\w+)/", line):
            top = top if found[1] else found[2]
            folder = f"{top}/{found[2]}" if found[1] else top
        files = re.sub(r"\w+/|\(.*?\)", "", line)
        shown.setdefault(folder, set()).update(re.findall(r"\w+", files))
    there: dict[str, set[str]] = {}
    for path in FILES:
        if not path.stem.startswith("__"):
            there.setdefault(str(path.parent.relative_to(ROOT)), set()).add(path.stem)
    assert {key: files for key, files in shown.items() if key} == there


def test_public_names_are_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## From Python\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`palette\.(\w+)", section)) == set(palette.__all__)
    for name in palette.__all__:
        assert getattr(palette, name).__doc__, f"{name} has no docstring"


def test_one_version_of_ruff() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.findall(r"rev: v(.*)", hooks) == re.findall(r"^ruff==(.*)", constraints, re.MULTILINE)
