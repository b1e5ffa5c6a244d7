"""Imports point down the layers and never in a circle. The folder is the layer (CONTRIBUTING)."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "palette"
LAYERS = {"": 0, "network": 0, "diffusion": 0, "machine": 0, "models": 0, "workers": 0,
          "degradations": 1, "data": 1, "eval.metrics": 1, "tasks": 2, "degrading": 2,
          "importing": 2, "training": 3, "restoring": 3, "eval": 3, "eval.report": 3,
          "exporting": 4, "cli": 5, "web": 5}  # fmt: skip
SINGLE = {"palette.config": 2, "palette.checkpoint": 2, "palette.resolving": 2,
          "palette.fitting": 2, "palette.api": 4, "palette.judging": 4,
          "palette.preparing": 4, "palette": 4, "palette.__main__": 5}  # fmt: skip
STRANGERS = [("degradations", "data"), ("data", "degradations"), ("tasks", "data"),
             ("training", "tasks"), ("restoring", "tasks"), ("eval", "tasks"),
             ("eval", "restoring")]  # fmt: skip
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for depth in ("*.py", "*/*.py", "*/*/*.py")
    for path in PACKAGE.glob(depth)
}


def room(module: str) -> str:
    return ".".join(MODULES[module].relative_to(PACKAGE).parts[:-1])


def imports(path: Path) -> set[str]:
    """The modules of palette that a file imports, at its top or later; type checking apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CH" in ast.dump(n.test)]
    hidden = {id(node) for block in blocks for node in ast.walk(block)}
    nodes = [node for node in ast.walk(tree) if id(node) not in hidden]
    found = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    parts = [(n.module, a.name) for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names]
    found |= {f"{of}.{name}" if f"{of}.{name}" in MODULES else of for of, name in parts}
    return {name for name in found if name in MODULES}


GRAPH = {module: imports(path) - {module} for module, path in MODULES.items()}


def test_imports_point_down() -> None:
    for module, imported in ((one, other) for one in GRAPH for other in GRAPH[one]):
        low, high = (SINGLE.get(one, LAYERS[room(one)]) for one in (imported, module))
        assert low <= high, f"{module} imports {imported} from above"
        for one, other in STRANGERS:
            knows = room(module).startswith(one) and room(imported).startswith(other)
            assert not knows, f"{module} knows {imported}"


def test_no_circles() -> None:
    TopologicalSorter(GRAPH).prepare()
