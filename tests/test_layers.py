"""Imports point down the layers and never in a circle. The folder is the layer (CONTRIBUTING)."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "palette"
LAYERS = {"": 0, "network": 0, "diffusion": 0, "machine": 0, "degradations": 1, "data": 1,
          "eval.metrics": 1, "tasks": 2, "training": 3, "restoring": 3, "eval": 3, "eval.report": 3,
          "cli": 5, "web": 5}  # fmt: skip
ABOVE = {"palette.checkpoint": 2, "palette.config": 2, "palette.degrading": 2, "palette.api": 4, "palette": 4,
         "palette.__main__": 5}  # fmt: skip
APART = {("degradations", "data"), ("data", "degradations"), ("tasks", "data")}
STRANGERS = [("palette.training", "palette.tasks"), ("palette.restoring", "palette.tasks"),
             ("palette.eval", "palette.tasks"), ("palette.eval", "palette.restoring")]  # fmt: skip


def modules() -> dict[str, Path]:
    paths = [p for top in (PACKAGE, *PACKAGE.glob("*/")) for p in top.glob("*.py")]
    paths += [p for p in PACKAGE.glob("*/*/*.py")]
    return {
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): p
        for p in paths
    }


MODULES = modules()


def room(module: str) -> str:
    inside = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    return inside.removeprefix("palette").removeprefix(".")


def layer(module: str) -> int:
    return ABOVE[module] if module in ABOVE else LAYERS[room(module)]


def imports(path: Path, deferred: bool = True) -> set[str]:
    """What a file imports of palette, type checking apart; ``deferred``: in functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
    ]
    hidden += [] if deferred else [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    skipped = {id(child) for node in hidden for child in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in skipped:
            found |= {
                w if (w := f"{node.module}.{a.name}") in MODULES else node.module
                for a in node.names
            }
        elif isinstance(node, ast.Import) and id(node) not in skipped:
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def test_imports_point_down() -> None:
    for module, path in MODULES.items():
        for imported in imports(path):
            assert layer(imported) <= layer(module), f"{module} imports {imported} from above"
            assert (room(module), room(imported)) not in APART, f"{module} imports {imported}"
            for who, whom in STRANGERS:
                strange = module.startswith(who) and imported.startswith(whom)
                assert not strange, f"{module} knows {imported}"


def test_no_circles() -> None:
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_importing_is_light() -> None:
    """`palette --help` must answer at once: the package and the command line load no torch."""
    code = "import sys, palette, palette.cli.main; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)
