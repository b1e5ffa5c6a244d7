"""docs/exporting.md: its commands are commands, and its code runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palette
from palette.cli.arguments import parse
from palette.cli.export import Export
from palette.exporting.answer import MeanAnswer
from palette.exporting.choices import USED, Choices
from palette.hub import fetch
from palette.models import shipped

PAGE = (Path(__file__).parents[2] / "docs" / "exporting.md").read_text(encoding="utf-8")


def test_its_commands_parse() -> None:
    lines = re.findall(r"(?:^    |`)palette (export [^`\n]*)", PAGE.replace("\\\n", " "), re.M)
    given = [line for line in lines if "[" not in line]
    assert len(given) >= 4
    for line in given:
        args = parse(Export, shlex.split(line)[1:])
        asked = {key: value for key, value in vars(args).items() if key in vars(Choices())}
        Choices(**asked).refuse_unused(args.to)
    assert {to for to in USED if f"`{to}`" in PAGE or f"--to {to}" in PAGE} == set(USED)


def test_its_code_runs(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: str(shipped()["photos"]))
    fetch.cache_clear()
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope: dict[str, Any] = {"picture": picture, "palette": palette}
    exec(first, scope)
    answer = MeanAnswer(scope["restorer"])(**scope["inputs"])[0].permute(1, 2, 0).numpy()
    own = palette.load("photos", task="denoising", precision="fp32", answer="mean").restore(picture)
    np.testing.assert_allclose(answer, own, atol=1e-4)
    exec(second.replace('NAME")', 'NAME", task="denoising")'), scope)
    assert scope["model"].member.name == "denoising"
