"""docs/reliability.md: each of forty faults, and those beside them, has a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTS = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").split("\n## What a file")[0]
ROWS = [
    line
    for line in FAULTS.splitlines()
    if line.startswith("| ") and not re.match(r"\| (nr|fault) \|", line)
]


def test_every_fault_has_a_test() -> None:
    for row in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for path, test in named:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert test in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, row


def test_all_forty_are_there() -> None:
    numbers = {int(nr) for row in ROWS if (nr := row.split("|")[1].strip()).isdigit()}
    assert numbers == set(range(1, 41))
