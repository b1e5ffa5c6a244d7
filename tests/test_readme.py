"""The README's promises: its example runs, its links lead somewhere. Its commands: tests/docs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from palette.data.images import write

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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")
)])  # fmt: skip
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).exists(), link
