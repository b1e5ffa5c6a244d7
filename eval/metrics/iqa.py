"""DISTS, NIQE, MUSIQ, CLIP-IQA and TOPIQ, by the package pyiqa: an adapter, nothing of our own.

pyiqa fetches weights from the network when it makes a metric. Here each metric is made of a file
that is at hand, so nothing is ever downloaded. The files are pickles, which can run code.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palette.errors import UserError
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.per_picture import Begin, Pair, Setup, each
from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights
from palette.extras import require

NIQE_BLOCK = 96
"""Pixels of the side of a block, of whose statistics NIQE takes the covariance."""

VGG = "vgg16-397923af.pth"
"""What DISTS needs beside its own file, where torchvision keeps it."""


@dataclass(frozen=True)
class Judge:
    """One metric: the ``name`` that pyiqa has for it, the kind of its weights, and what pyiqa is
    told of their file. ``compares`` it with the original, or looks at the answer alone.
    """

    name: str
    weights: str
    options: Callable[[Path], dict[str, Any]]
    compares: bool = False


def _path(path: Path) -> dict[str, Any]:
    return {"pretrained_model_path": str(path)}


JUDGES = {
    "dists": Judge("dists", "dists", _path, compares=True),
    "niqe": Judge("niqe", "niqe", _path),
    "musiq": Judge("musiq", "musiq", _path),
    "clip-iqa": Judge("clipiqa", "clip", lambda path: {"backbone": str(path)}),
    "topiq": Judge(
        "topiq_fr",
        "topiq",
        lambda path: {**_path(path), "backbone_pretrain": False},
        compares=True,
    ),
}
"""By the names of :mod:`palette.eval.metrics.registry`."""


def judged_by(name: str) -> Begin:
    """The metric of this name, for the registry."""
    judge = JUDGES[name]

    def begin(setup: Setup) -> Callable[[Any], list[float | str]]:
        score = made(judge, setup.weights[judge.weights], setup.device)

        def value(pair: Pair) -> float:
            if name == "niqe":
                _require_blocks(pair.answer)
            with contextlib.redirect_stdout(io.StringIO()):
                pictures = [_unit(pair.answer, setup.device)]
                if judge.compares:
                    pictures.append(_unit(pair.target, setup.device))
                return float(score(*pictures))

        return each(value)

    return begin


def made(judge: Judge, weights: Weights, device: str = "cpu") -> Callable[..., Any]:
    """pyiqa's metric, of pictures ``(1, 3, H, W)`` in [0, 1]. UserError where something is lacking.

    The weights of NIQE may also be an .npz with mu_pris_param and cov_pris_param, as BasicSR has.
    """
    require("pyiqa", extra="iqa")
    import pyiqa  # pyright: ignore[reportMissingImports] -- an extra

    if judge.name == "dists":
        _require_vgg()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = weights.path
        if judge.name == "niqe" and path.suffix == ".npz":
            path = _as_mat(path, Path(folder))
        try:
            score = pyiqa.create_metric(judge.name, device=device, **judge.options(path))
        except Exception as error:  # unpickling raises anything at all on foreign files
            said = str(error).strip().split("\n")[0]
            raise UserError(f"{path} holds no weights of {judge.name}: {said}") from error
    if judge.weights == "topiq":
        _require_all(score.net, weights)
    return score


def _require_vgg() -> None:
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / VGG
    if not path.is_file():
        raise UserError(
            f"DISTS needs torchvision's VGG-16 too: get {VGG} (SHA-256 397923af…) and put it at "
            f"{path}"
        )


def _require_all(network: Any, weights: Weights) -> None:
    """pyiqa takes what it finds of TOPIQ's weights; a rest of random ones must not judge."""
    found = weights.load()
    found = found.get("params", found)
    missing = [name for name, _ in network.named_parameters() if name not in found]
    if missing:
        raise UserError(f"{weights.path} holds no whole TOPIQ: it lacks {missing[0]}")


def _require_blocks(picture: Pixels) -> None:
    """NIQE takes a covariance over blocks: of one there is none."""
    height, width = picture.shape[:2]
    if (height // NIQE_BLOCK) * (width // NIQE_BLOCK) < 2:
        raise Undefined(f"NIQE needs two blocks of {NIQE_BLOCK}×{NIQE_BLOCK} pixels or more")


def _as_mat(path: Path, folder: Path) -> Path:
    """The same parameters in the file that pyiqa reads."""
    from scipy.io import savemat

    with np.load(path) as arrays:
        try:
            mean, covariance = arrays["mu_pris_param"], arrays["cov_pris_param"]
        except KeyError as error:
            raise UserError(f"{path} holds no parameters of NIQE: {error}") from None
    savemat(folder / "niqe.mat", {"mu_prisparam": mean, "cov_prisparam": covariance})
    return folder / "niqe.mat"


def _unit(picture: Pixels, device: str) -> Any:
    """``(1, 3, H, W)`` in [0, 1]."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(picture)).to(device)
    return tensor.permute(2, 0, 1)[None].float() / 255
