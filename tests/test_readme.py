"""The README's promises: its example runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from palette.cli.main import COMMANDS
from palette.data.images import write
from palette.tasks import TASKS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(
    photos: Path, picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "steps=5000" in code
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, "photos")
    write(Path("broken.jpg"), picture)
    Path("in").mkdir()
    write(Path("in/one.png"), picture)
    exec(code.replace("steps=5000", "steps=1"), {})
    assert Path("restored.png").exists()
    assert Path("out/one.png").exists()
    assert Path("report/report.html").exists()


def commands() -> list[list[str]]:
    """Every `palette …` line of the README's code blocks."""
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("palette ")]


def test_the_commands_exist() -> None:
    used = {command[1] for command in commands()}
    assert used <= set(COMMANDS)
    assert used >= {"demo", "train", "restore", "evaluate", "degrade"}


def test_the_training_commands_parse() -> None:
    from palette.cli.train import read_arguments

    trained = {read_arguments(command[2:])[0] for command in commands() if command[1] == "train"}
    assert trained == {*TASKS, "generalist"}


def test_the_restoring_commands_parse() -> None:
    from palette.cli.arguments import parse
    from palette.cli.evaluate import Evaluate
    from palette.cli.restore import Restore

    for command in commands():
        if command[1] == "restore":
            parse(Restore, command[2:])
        if command[1] == "evaluate":
            parse(Evaluate, command[2:])


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")
)])  # fmt: skip
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).exists(), link
