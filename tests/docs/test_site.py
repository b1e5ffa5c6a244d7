"""The documentation site: nothing is left out of it, and nothing is fetched from elsewhere."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import palette
from palette.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//
    |<link\b[^>]*\bhref="(?:https?:)?//
    |@import|url\(["']?(?:https?:)?//""",
    re.VERBOSE,
)


def test_every_page_has_its_place() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^(?:.*<)?([\w/-]+)>?$", index, re.MULTILINE))
    assert "*" in index.split(), "those of the folder itself come as they are"
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.glob("*/*.md")}
    assert pages <= listed


def test_every_tutorial_is_followed() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    followed = importlib.import_module("follow").PAGES
    assert tuple(re.findall(r"^tutorials/([\w-]+)$", index, re.MULTILINE)) == followed
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} == set(followed)


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^.. auto\w+:: (\w+)", text, re.MULTILINE)) == set(palette.__all__)


def test_the_notebook_is_that_of_the_page() -> None:
    written = importlib.import_module("make_notebook").notebook()
    assert (DOCS / "first_five_minutes.ipynb").read_text(encoding="utf-8") == written, (
        "give: python docs/make_notebook.py"
    )


def test_a_page_on_which_something_is_fetched_is_found() -> None:
    assert FETCHED.search('<script async src="https://cdn.example/mathjax.js">')
    assert FETCHED.search('<link rel="stylesheet" href="//fonts.example/css">')
    assert not FETCHED.search('<a href="https://example.org">')


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="needs the extra docs")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(DOCS), str(site)]
    subprocess.run(command, check=True, cwd=ROOT)
    pages = list(site.rglob("*.html"))
    for path in (*pages, *site.rglob("*.css")):
        found = FETCHED.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path} fetches {found and found[0]}"
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert commands.count("<h2>") == len(COMMANDS) + 1
    assert commands.count("--help</summary>\n<div class=") == len(COMMANDS)
    assert "--start-logsnr" in commands
    assert "<math" in (site / "mathematics.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the extra docs")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(DOCS / "first_five_minutes.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=folder).execute()
    assert (tmp_path / "sample.png").exists()
    assert (tmp_path / "palette-demo" / "report" / "report.html").exists()
    printed = json.dumps(notebook.cells)
    assert "ranking by PSNR" in printed
    assert "(451, 300) True" in printed
