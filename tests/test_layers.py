"""Imports point down the layers. The map is the one of CONTRIBUTING.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "palette": "palette",
    "tasks": "palette.tasks",
    "data": "palette.data",
    "degradations": "palette.degradations",
    "eval": "palette.eval",
}
LAYER_0 = {
    "types",
    "seeding",
    "files",
    "precision",
    "norm",
    "speed",
    "architecture",
    "schedule",
    "diffusion",
    "samplers",
    "unet",
    "tiling",
    "memory",
    "guard",
}
LAYER_4 = ["api", "cli", "commands", "__main__"]
ENGINE_OF_EVAL = ["evaluate", "compare", "merge", "protocols"]


def modules() -> dict[str, Path]:
    found = {}
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            relative = path.relative_to(ROOT / folder)
            if folder == "palette" and relative.parts[0] in FOLDERS:
                continue  # the links to the other four
            parts = [package, *relative.with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def layer(module: str) -> int:
    if module == "palette":
        return 4
    first, *rest = module.split(".")[1:]
    if first in LAYER_0:
        return 0
    if first in ("degradations", "data"):
        return 1
    if first == "eval":
        return 3 if rest and rest[0] in ENGINE_OF_EVAL else 1
    if first == "tasks":
        return 2
    return 4 if first in LAYER_4 else 3


def imports(path: Path) -> set[str]:
    """Modules of palette that a file imports at run time (not under TYPE_CHECKING)."""
    known, found = modules(), set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
    return {name for name in found if name.split(".")[0] == "palette"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    for imported in imports(modules()[module]):
        if imported == "palette":
            continue  # the package itself holds nothing but its version and lazy names
        assert layer(imported) <= layer(module), f"{module} imports {imported} from above"
        rooms = {name.split(".")[1] for name in (module, imported) if layer(name) == 1}
        if layer(module) == 1 and layer(imported) == 1:
            assert len(rooms) == 1, f"{module} imports {imported}: rooms of layer 1 are apart"
        if layer(module) == 3:
            assert not imported.startswith("palette.tasks"), f"{module} knows a concrete task"


def test_the_map_names_existing_modules() -> None:
    names = {module.split(".")[1] for module in modules() if "." in module}
    assert names >= set(LAYER_4)
    assert names >= LAYER_0


def test_importing_is_light() -> None:
    """`palette --help` must answer at once: the package and the command line load no torch."""
    import subprocess
    import sys

    code = "import sys, palette, palette.cli; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)
