"""The five folders are one package, in a checkout and in a wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINKS = ("tasks", "data", "degradations", "eval")


def shipped() -> set[str]:
    """Every file of the packages, by its path in site-packages."""
    folders = CONFIG["tool"]["setuptools"]["package-dir"]
    found = set()
    for package, folder in folders.items():
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        inside = [path.relative_to(ROOT / folder) for path in files if path.suffix != ".pyc"]
        site = package.replace(".", "/")
        found |= {f"{site}/{path.as_posix()}" for path in inside if path.parts[0] not in LINKS}
    return found


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    modules = {path for path in shipped() if path.endswith(".py")}
    found = {path.rpartition("/")[0].replace("/", ".") for path in modules}
    assert set(CONFIG["tool"]["setuptools"]["packages"]) == found
    assert {f"{package.replace('.', '/')}/__init__.py" for package in found} <= modules


def test_data_files_are_listed() -> None:
    """Everything beside Python files in the packages is in package-data."""
    listed = CONFIG["tool"]["setuptools"]["package-data"]
    for path in (Path(name) for name in shipped() if not name.endswith(".py")):
        package = next(p for p in path.parents if f"{p.as_posix()}/__init__.py" in shipped())
        patterns = listed.get(".".join(package.parts), [])
        assert any(path.match(pattern) for pattern in patterns), path


def test_the_links_of_the_checkout_lead_to_the_folders() -> None:
    for folder in LINKS:
        assert (ROOT / "palette" / folder).resolve() == ROOT / folder


def test_no_second_module_object() -> None:
    import palette.tasks

    assert "tasks" not in sys.modules
    assert sys.modules["palette.tasks"] is palette.tasks


@pytest.mark.slow
def test_the_wheel_runs_outside_of_the_checkout(photos: Path, tmp_path: Path) -> None:
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # modules of before would be packed too
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {name for name in files if ".dist-info/" not in name} == shipped()
    modules = sorted(name[:-3].replace("/", ".") for name in shipped() if name.endswith(".py"))
    code = (
        f"import importlib, sys; sys.path.insert(0, {str(site)!r})\n"
        f"for name in {[name for name in modules if not name.endswith('__main__')]}:\n"
        f"    module = importlib.import_module(name.removesuffix('.__init__'))\n"
        f"    assert module.__file__.startswith({str(site)!r}), module.__file__\n"
        f"from palette.cli.main import main\n"
        f"sys.exit(main(['compare', {str(photos)!r}, {str(photos)!r}, '--out', 'report']))"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
    assert (tmp_path / "report" / "report.html").exists()
