"""The five folders are one package, in a checkout and in a wheel."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    listed = set(CONFIG["tool"]["setuptools"]["packages"])
    folders = CONFIG["tool"]["setuptools"]["package-dir"]
    found = set()
    for package, folder in folders.items():
        for path in (ROOT / folder).rglob("__init__.py"):
            inside = path.parent.relative_to(ROOT / folder).parts
            if folder == "palette" and inside and inside[0] in folders.values():
                continue
            found.add(".".join([package, *inside]))
    assert listed == found


def test_the_links_of_the_checkout_lead_to_the_folders() -> None:
    for folder in ("tasks", "data", "degradations", "eval"):
        assert (ROOT / "palette" / folder).resolve() == ROOT / folder


def test_no_second_module_object() -> None:
    import palette.tasks

    assert "tasks" not in sys.modules
    assert sys.modules["palette.tasks"] is palette.tasks


def test_data_files_are_listed() -> None:
    """Everything beside Python files in the packages is in package-data."""
    listed = CONFIG["tool"]["setuptools"]["package-data"]
    folders = CONFIG["tool"]["setuptools"]["package-dir"]
    for package, folder in folders.items():
        for path in (ROOT / folder).iterdir():
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert any(path.match(pattern) for pattern in listed.get(package, [])), path


@pytest.mark.slow
def test_the_wheel_runs_outside_of_the_checkout(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    top = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"palette"}
    assert (site / "palette" / "py.typed").exists()
    assert (site / "palette" / "eval" / "report.html.j2").exists()
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import palette, palette.tasks;"
        f"assert palette.tasks.__file__.startswith({str(site)!r}), palette.tasks.__file__;"
        "from palette.cli import main; sys.exit(main(['tasks']))"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
