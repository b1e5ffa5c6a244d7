"""docs/machines.md: its commands can be given, its job is YAML, its Dockerfile installs what is."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from palette.cli.arguments import parse
from palette.shard import parse_shard

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:sh|bash)\n(.*?)```", PAGE, flags=re.DOTALL)
LINES = [line for block in BLOCKS for line in re.findall(r"^(?:srun )?(palette .*)$", block, re.M)]
VALUES = {
    "$SLURM_ARRAY_TASK_ID": "3",
    "$SLURM_ARRAY_TASK_COUNT": "8",
    "$(JOB_COMPLETION_INDEX)": "3",
}


@pytest.mark.parametrize("line", LINES)
def test_commands_can_be_given(line: str) -> None:
    for name, value in VALUES.items():
        line = line.replace(name, value)
    _, name, *args = shlex.split(line, comments=True)
    asked = parse(getattr(importlib.import_module(f"palette.cli.{name}"), name.capitalize()), args)
    assert parse_shard(getattr(asked, "shard", "0/1")).index in (0, 1, 3)


def test_all_four_are_shown() -> None:
    assert {line.split()[1] for line in LINES} == {
        "restore",
        "evaluate",
        "degrade",
        "pack",
        "merge",
    }
    assert any("SLURM" in line for line in LINES)


def test_the_job_of_kubernetes_is_what_it_says() -> None:
    yaml = pytest.importorskip("yaml")
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    spec = yaml.safe_load(text)["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    args = " ".join(container["args"])
    for name, value in VALUES.items():
        args = args.replace(name, value)
    test_commands_can_be_given(f"palette {args}")
    assert args.endswith(f"3/{spec['completions']}")
    assert spec["completionMode"] == "Indexed"


def test_the_dockerfile_installs_extras_that_there_are() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"'\.\[(.*)\]'", text)
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    (python,) = re.findall(r"^FROM python:3\.(\d+)-slim$", text, re.MULTILINE)
    assert int(python) >= int(re.findall(r"3\.(\d+)", project["requires-python"])[0])
    assert "palette" in project["scripts"]
    assert 'ENTRYPOINT ["palette"]' in text
    assert "--build-arg PIP_EXTRA_INDEX_URL=" in PAGE
    assert re.search(r"^ARG PIP_EXTRA_INDEX_URL$", text, re.MULTILINE)
    assert "://" not in text, "which index is the user's choice"
