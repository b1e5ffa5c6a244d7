"""The mean answer of a task and the ε-network, written by one exporter and compared with ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palette.api import read_model
from palette.exporting.choices import Choices, Say
from palette.exporting.graphs import Graph, epsilon_graph, mean_graph
from palette.exporting.parity import Run, check_mean, check_same
from palette.exporting.readmes import for_graphs
from palette.files import complete_folder
from palette.machine.format import Format
from palette.restoring.restorer import Restorer
from palette.tasks.choosing import find_member

Save = Callable[[Path, Graph], Run | None]
"""Writes a graph to a folder; what the file computes, or None where nothing here can run it."""


def restorer_of(model: str | Path, chosen: Choices) -> Restorer:
    """The model at one of its tasks, on the CPU in float32, as it is exported."""
    loaded, members = read_model(model)
    number = find_member(members, chosen.task, chosen.scale)
    return Restorer(loaded, members, number, device="cpu", precision=Format("fp32", "contiguous"))


def write_graphs(
    restorer: Restorer,
    out: Path,
    save: Save,
    usage: str,
    say: Say,
    more: Callable[[Path], None] = lambda folder: None,
) -> None:
    """``mean`` and ``epsilon`` in the new folder ``out``, with a README of their ``usage``.

    ``more`` writes what else belongs to them. UserError where an answer is not palette's.
    """
    mean, epsilon = mean_graph(restorer), epsilon_graph(restorer.solver.denoiser)
    check_mean(restorer, lambda inputs: mean.module(**inputs), "graph")
    with complete_folder(out) as folder:
        for graph in (mean, epsilon):
            run = save(folder, graph)
            if run is None:
                say(f"{graph.name}: not checked, as onnxruntime is not installed")
                continue
            far = check_mean(restorer, run, "file") if graph is mean else check_same(graph, run)
            say(f"{graph.name}: within {far:.1e} of palette's own")
        (folder / "README.md").write_text(for_graphs(restorer, usage), encoding="utf-8")
        more(folder)
