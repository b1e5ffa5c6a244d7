"""The mean answer as a function of tensors is palette's own, of every task and every size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_models import random_model

import palette
from palette.data.stored import is_colourless
from palette.degradations.fill import FILLS as FILLS_OF_PIXELS
from palette.degradations.resize import resize
from palette.exporting import pictures
from palette.exporting.answer import FILLS, MeanAnswer
from palette.exporting.choices import Choices
from palette.exporting.graphs import mean_graph, own_noise
from palette.exporting.parity import as_inputs, check_mean, tolerance_of
from palette.exporting.readmes import ONNX, TORCH, for_graphs
from palette.exporting.write import restorer_of
from palette.restoring.pictures import padded
from palette.seeding import rng
from palette.tasks.super_resolution import SuperResolution
from palette.types import Observation, Picture

SIZES = [(1, 1), (5, 3), (8, 9)]
"""Smaller than a stride; :func:`check_mean` has larger ones."""
ARCHITECTURES = [{"patch": 2}, {"mask": True, "middle_attention": False}]
TASKS: list[tuple[str, dict[str, Any]]] = [
    ("super-resolution", {"scale": 3}),
    ("jpeg-restoration", {}),
    ("denoising", {}),
    ("colorization", {}),
    ("colorization", {"diffuse": "picture"}),
    ("inpainting", {}),
    ("uncropping", {"fill": "mean"}),
    ("paired", {"scale": 2}),
    ("paired", {"diffuse": "picture"}),
]


def a_picture(height: int, width: int) -> Picture:
    return rng(0, "picture", height, width).random((height, width, 3), dtype=np.float32)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None]


def as_picture(tensor: torch.Tensor) -> Picture:
    return tensor[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("number", range(len(TASKS)), ids=lambda number: str(TASKS[number]))
def test_every_task_at_every_size(number: int, tmp_path: Path) -> None:
    (task, options), architecture = TASKS[number], ARCHITECTURES[number % 2]
    restorer = restorer_of(random_model(tmp_path / "m", task, options, **architecture), Choices())
    mean = MeanAnswer(restorer)
    assert check_mean(restorer, lambda inputs: mean(**inputs), "graph") < 2e-5
    for height, width in SIZES:
        mask = np.zeros((height, width), bool)
        mask[height // 3 : height // 3 + 5, : width // 2 + 1] = True
        held = Observation(a_picture(height, width), mask if restorer.task.masked else None)
        (own,) = restorer.restore_observations([held], "mean")
        np.testing.assert_allclose(as_picture(mean(**as_inputs(restorer, held))), own, atol=2e-5)


def test_it_is_what_restore_returns(tmp_path: Path) -> None:
    """The public face, with a seed of the user's."""
    model = random_model(tmp_path / "m", "denoising", {})
    held = a_picture(21, 30)
    own = palette.load(model, precision="fp32").restore(held, answer="mean", seed=5)
    restorer = restorer_of(model, Choices())
    inputs = as_inputs(restorer, Observation(held), seed=5)
    np.testing.assert_allclose(as_picture(MeanAnswer(restorer)(**inputs)), own, atol=2e-5)
    inputs["noise"] = own_noise()
    assert np.abs(as_picture(MeanAnswer(restorer)(**inputs)) - own).max() > 1e-3


@pytest.mark.parametrize("task", ["denoising", "colorization", "inpainting"])
def test_without_noise_where_the_model_starts_from_none(task: str, tmp_path: Path) -> None:
    restorer = restorer_of(random_model(tmp_path / "m", task, {}, mean_share=0.3), Choices())
    mean = MeanAnswer(restorer)
    assert check_mean(restorer, lambda inputs: mean(**inputs), "graph") < 2e-5
    assert "noise" not in mean_graph(restorer).inputs
    for usage in (ONNX, TORCH):
        assert "noise" not in for_graphs(restorer, usage).replace("starts from no noise", "")


def test_grey_stays_grey(tmp_path: Path) -> None:
    restorer = restorer_of(random_model(tmp_path / "m", "denoising", {}), Choices())
    held = Observation(np.repeat(a_picture(20, 20)[..., :1], 3, axis=2))
    (own,) = restorer.restore_observations([held], "mean")
    answer = as_picture(MeanAnswer(restorer)(**as_inputs(restorer, held)))
    assert is_colourless(answer)
    np.testing.assert_allclose(answer, own, atol=2e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (41, 77)])
def test_pictures_around_the_network(size: tuple[int, int]) -> None:
    held = a_picture(*size)
    np.testing.assert_array_equal(as_picture(pictures.padded(as_tensor(held), 8)), padded(held, 8))
    for scale in (2, 3):
        larger = resize(held, scale * size[0], scale * size[1], "cubic_aa")
        answer = as_picture(pictures.enlarged(as_tensor(held), scale))
        np.testing.assert_allclose(answer, larger, atol=2e-6)
        off = np.clip(larger + rng(2, "off").normal(0, 0.1, larger.shape), 0, 1).astype(np.float32)
        answer = as_picture(pictures.fitted(as_tensor(off), as_tensor(held), scale))
        finished = SuperResolution(scale=scale).finish(off, Observation(held))
        np.testing.assert_allclose(answer, finished, atol=3e-6)
    for share in (0.1, 0.9, 1.0):
        hole = rng(1, "hole", *size).random(size) < share
        for name, fill in FILLS.items():
            filled = fill(as_tensor(held), as_tensor(hole[..., None].astype(np.float32)))
            own = FILLS_OF_PIXELS[name](held, hole)
            np.testing.assert_allclose(as_picture(filled), own, atol=2e-6)


def test_what_no_graph_can_do_is_refused(tmp_path: Path) -> None:
    model = random_model(tmp_path / "m", "inpainting", {"fill": "telea"})
    with pytest.raises(palette.UserError, match="inpainting fills holes by telea"):
        MeanAnswer(restorer_of(model, Choices()))


def test_a_plain_output_is_compared_in_eps(tmp_path: Path) -> None:
    """Published networks give ε̂, whose rounding the noisiest level makes 150 times as large."""
    models = [
        random_model(tmp_path / output, "denoising", {}, output=output, embedding="gamma")
        for output in ("skip", "plain")
    ]
    restorers = [restorer_of(model, Choices()) for model in models]
    skip, plain = map(tolerance_of, restorers)
    assert skip == 1e-4
    assert plain == pytest.approx(1e-5 * 148.4 / 2, rel=1e-3)
    mean = MeanAnswer(restorers[1])
    assert check_mean(restorers[1], lambda inputs: mean(**inputs), "graph") < 1e-5


def test_an_answer_that_is_not_palettes_is_refused(tmp_path: Path) -> None:
    restorer = restorer_of(random_model(tmp_path / "m", "denoising", {}), Choices())
    mean = MeanAnswer(restorer)
    with pytest.raises(palette.UserError, match=r"the file of denoising differs .* by 0\.001,"):
        check_mean(restorer, lambda inputs: mean(**inputs) + 1e-3, "file")
    with pytest.raises(palette.UserError, match="differs"):
        check_mean(restorer, lambda inputs: mean(**inputs) * float("nan"), "file")
