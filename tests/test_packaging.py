"""The five folders are one package, in a checkout and in a wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LARGEST = 25 * 2**20
"""Bytes of a wheel and of a source archive, the model in the box included."""
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


def test_one_version() -> None:
    """It stands in pyproject.toml; the package asks what is installed."""
    import palette

    assert palette.__version__ == CONFIG["project"]["version"]
    for path in (ROOT / "palette").rglob("*.py"):
        assert CONFIG["project"]["version"] not in path.read_text(encoding="utf-8"), path


@pytest.mark.slow
def test_the_source_archive_makes_the_same_wheel(tmp_path: Path) -> None:
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], check=True, cwd=ROOT, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    assert archive.stat().st_size < LARGEST
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "constraints.txt"} <= {
        path.name for path in source.iterdir()
    }
    assert packed(wheel_of(source, tmp_path / "wheel")) == shipped()


def wheel_of(source: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(out)]
    subprocess.run([*command, str(source)], check=True)
    (wheel,) = out.glob("*.whl")
    assert wheel.stat().st_size < LARGEST
    return wheel


def packed(wheel: Path) -> set[str]:
    """The files of a wheel, without those that describe it."""
    with zipfile.ZipFile(wheel) as opened:
        names = [name for name in opened.namelist() if not name.endswith("/")]
    return {name for name in names if ".dist-info/" not in name}


@pytest.mark.slow
def test_the_wheel_runs_outside_of_the_checkout(photos: Path, tmp_path: Path) -> None:
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # modules of before would be packed too
    wheel = wheel_of(ROOT, tmp_path)
    assert packed(wheel) == shipped()
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
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
