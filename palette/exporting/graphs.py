"""What is exported as a graph: the mean answer of a task, and the ε-network of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from palette.exporting.answer import MeanAnswer
from palette.exporting.pictures import LEAST_SIDE
from palette.network.denoiser import Denoiser
from palette.restoring.restorer import Restorer
from palette.seeding import generator

NOISE_SIDE = 256
"""Of the noise that comes with the mean answer; larger pictures repeat it."""
MEAN, EPSILON = "mean", "epsilon"


@dataclass(frozen=True)
class Graph:
    """A function of tensors with what an exporter needs to know of its arguments."""

    name: str
    """Of its file, without what the format adds."""
    module: nn.Module
    inputs: Mapping[str, Tensor]
    """An example of each argument, by its name and in their order."""
    sizes: Mapping[str, Mapping[int, Any]]
    """The axes of each argument that may have any size, as :class:`torch.export.Dim`."""
    output: str

    def traced(self) -> ExportedProgram:
        """The graph for all sizes."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(
                self.module, (), dict(self.inputs), dynamic_shapes=dict(self.sizes), strict=False
            )


def own_noise() -> Tensor:
    """(1, 3, NOISE_SIDE, NOISE_SIDE), standard normal, the same in every export."""
    draws = generator(0, "export", "noise")
    return torch.randn(1, 3, NOISE_SIDE, NOISE_SIDE, generator=draws)


def mean_graph(restorer: Restorer) -> Graph:
    """``mean``: picture, noise (unless it starts from none) and mask (for holes) → restored."""
    least = max(LEAST_SIDE, restorer.solver.stride + 1)
    height, width = Dim("height", min=least), Dim("width", min=least)
    inputs = {"picture": torch.rand(1, 3, least + 28, least + 41)}
    sizes: dict[str, Any] = {"picture": {2: height, 3: width}}
    if not restorer.solver.hides:
        inputs["noise"] = own_noise()
        sizes["noise"] = {2: Dim("noise_height"), 3: Dim("noise_width")}
    if restorer.task.masked:
        inputs["mask"], sizes["mask"] = torch.zeros(1, 1, least + 28, least + 41), sizes["picture"]
    return Graph(MEAN, MeanAnswer(restorer).eval(), inputs, sizes, "restored")


def epsilon_graph(denoiser: Denoiser) -> Graph:
    """``epsilon``: x, y_t, γ and, where the network has them, strength and task → ε̂."""
    architecture = denoiser.unet.architecture
    stride, batch = architecture.stride, Dim("batch")
    height, width = (stride * Dim(f"{side}_strides", min=2) for side in ("height", "width"))
    shape = (2, 3, 4 * stride, 5 * stride)
    x = torch.randn(2, 3 + bool(architecture.mask), *shape[2:])
    inputs = {"x": x, "y_t": torch.randn(shape), "gamma": torch.tensor([0.2, 0.9])}
    sizes: dict[str, Any] = {name: {0: batch, 2: height, 3: width} for name in ("x", "y_t")}
    sizes["gamma"] = {0: batch}
    if architecture.strength:
        inputs["strength"], sizes["strength"] = torch.tensor([0.0, 0.1]), {0: batch}
    if architecture.tasks:
        inputs["task"], sizes["task"] = torch.tensor([0, architecture.tasks - 1]), {0: batch}
    return Graph(EPSILON, denoiser.eval(), inputs, sizes, "eps")
