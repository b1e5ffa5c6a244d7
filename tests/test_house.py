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
READING = [
    *FILES,
    *sorted((ROOT / "benchmarks").glob("*.py")),
    *sorted((ROOT / "docs").rglob("*.py")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_fit_on_a_screen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", READING, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_read_and_written_as_utf8(path: Path) -> None:
    """Whatever the system's own encoding is."""
    calls = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    lines = [node.lineno for node in calls if isinstance(node, ast.Call) and leaves_open(node)]
    assert not lines, 'say encoding="utf-8"'


def leaves_open(call: ast.Call) -> bool:
    """Whether it opens text without an encoding."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name not in ("open", "read_text", "write_text") or "encoding" in given:
        return False
    if name != "open":
        return True
    place = 0 if isinstance(call.func, ast.Attribute) else 1
    mode = given.get("mode", call.args[place] if len(call.args) > place else ast.Constant("r"))
    if not isinstance(mode, ast.Constant):  # what is opened is no text: Image.open(path)
        return False
    return isinstance(mode.value, str) and not set(mode.value) - set("rwax+t")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("path.open()", True),
        ("path.open('a+')", True),
        ("path.open(mode='w')", True),
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("open(path, 'rb')", False),
        ("path.open('r+b')", False),
        ("Image.open(path)", False),
        ("os.open(folder, os.O_RDONLY)", False),
        ("io.open(path, encoding='utf-8')", False),
    ],
)
def test_what_leaves_the_encoding_open_is_found(code: str, found: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert leaves_open(call) == found


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
