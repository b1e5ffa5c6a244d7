"""Graphs as ONNX files: for chaiNNer, onnxruntime and whatever else runs them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from palette.errors import UserError
from palette.exporting.choices import Choices, Say
from palette.exporting.graphs import MEAN, Graph
from palette.exporting.openmodeldb import entry_of, refuse_other_names
from palette.exporting.parity import Run
from palette.exporting.readmes import ONNX
from palette.exporting.write import restorer_of, write_graphs
from palette.extras import require
from palette.files import write_json

OPSET = 18
"""Old enough for programs that bring a runtime of their own."""


def write(model: str | Path, out: Path, chosen: Choices, say: Say) -> None:
    """mean.onnx of a task, epsilon.onnx and, where it is to be published, an OpenModelDB entry."""
    require("onnx", "onnxscript", extra="onnx")
    restorer = restorer_of(model, chosen)
    if (chosen.repo is None) != (chosen.license is None):
        raise UserError("an OpenModelDB entry needs --repo OWNER/NAME and --license: give both")
    if chosen.repo is not None:
        refuse_other_names(chosen.repo)
        if restorer.task.masked:
            raise UserError(
                f"{restorer.member.name} takes a mask, and OpenModelDB lists what takes a picture "
                f"alone: leave --repo and --license out"
            )

    def more(folder: Path) -> None:
        if chosen.repo is not None:
            path = folder / f"{MEAN}.onnx"
            name, entry = entry_of(restorer, chosen.repo, chosen.license, path)
            write_json(folder / f"{name}.json", entry)

    about = {"model": restorer.digest, "task": restorer.member.name}
    write_graphs(restorer, out, partial(save_onnx, about=about), ONNX, say, more)


def save_onnx(folder: Path, graph: Graph, about: Mapping[str, str]) -> Run | None:
    """Write NAME.onnx, one file with its weights, and return what onnxruntime makes of it.

    The noise gets its example as a default, so that programs which know of one input give one.
    ``about`` is kept as metadata. None where onnxruntime is not installed.
    """
    import onnx
    from onnx import helper, numpy_helper

    with _quiet():
        converted = torch.onnx.export(
            graph.traced(),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert converted is not None
    model: Any = converted.model_proto
    del model.graph.value_info[:]  # they have the tracer's names of sizes
    if "noise" in graph.inputs:
        default = numpy_helper.from_array(graph.inputs["noise"].numpy(), "noise")
        model.graph.initializer.append(default)
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model)
    path = folder / f"{graph.name}.onnx"
    onnx.save_model(model, path)
    return run_onnx(path)


def run_onnx(path: Path) -> Run | None:
    """What onnxruntime makes of a file; None where it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # a default that may be replaced is worth a warning to it
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        (output,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(output)

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's account of each node that it folds."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
