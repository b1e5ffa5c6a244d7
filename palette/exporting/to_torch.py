"""Graphs as files of torch.export (.pt2): they run without palette, on any device of torch."""

from __future__ import annotations

from pathlib import Path

import torch

from palette.exporting.choices import Choices, Say
from palette.exporting.graphs import Graph
from palette.exporting.parity import Run
from palette.exporting.readmes import TORCH
from palette.exporting.write import restorer_of, write_graphs


def write(model: str | Path, out: Path, chosen: Choices, say: Say) -> None:
    """mean.pt2 of a task, and epsilon.pt2."""
    write_graphs(restorer_of(model, chosen), out, save_torch, TORCH, say)


def save_torch(folder: Path, graph: Graph) -> Run:
    """Write NAME.pt2 and return what it computes, read again from the file."""
    path = folder / f"{graph.name}.pt2"
    torch.export.save(graph.traced(), path)
    module = torch.export.load(path).module()
    return lambda inputs: module(**inputs)
