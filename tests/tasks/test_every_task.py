"""What every task promises, by one list."""

from __future__ import annotations

import json
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from palette.cli.main import main
from palette.config import to_dict
from palette.degradations.fill import FILLS
from palette.seeding import rng
from palette.tasks import TASKS, available
from palette.tasks.choosing import make_task
from palette.types import Member, Observation, Spec, Task

NAMES = sorted(TASKS)
DRAWN = [name for name in NAMES if not TASKS[name].paired]
"""Those that degrade pictures themselves."""


def observed(task: Task, clean: np.ndarray, seed: int = 0) -> Observation:
    return task.degrade(clean, task.draw(Spec(*clean.shape[:2]), rng(seed, "degrade")))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_task(name: str) -> None:
    assert isinstance(TASKS[name](), Task)
    assert available()[name] is TASKS[name]
    assert TASKS[name].name == name


@pytest.mark.parametrize("name", DRAWN)
def test_draws_are_json_and_replay(name: str, picture: np.ndarray) -> None:
    task = TASKS[name]()
    params = task.draw(Spec(40, 56), rng(3, "degrade"))
    copy = json.loads(json.dumps(params))
    assert copy == params
    before = picture.copy()
    first, second = task.degrade(picture, params), task.degrade(picture, copy)
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(picture, before)
    assert task.draw(Spec(40, 56), rng(3, "degrade")) == params


@pytest.mark.parametrize("name", DRAWN)
def test_the_condition_has_the_size_of_the_target(name: str, picture: np.ndarray) -> None:
    task = TASKS[name]()
    observation = observed(task, picture)
    condition = task.condition(observation, rng(0, "condition"))
    assert condition.x.shape == picture.shape
    assert condition.x.dtype == np.float32
    baseline = task.baseline(observation)
    assert baseline.shape == picture.shape
    assert baseline.min() >= 0
    assert baseline.max() <= 1
    assert (condition.region is None) == (not task.masked) == (observation.mask is None)
    if condition.region is None:
        np.testing.assert_allclose(condition.x, 2 * baseline - 1, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (33, 40)])
@pytest.mark.parametrize("name", DRAWN)
def test_classical_ways_have_the_size_of_the_target(name: str, size: tuple[int, int]) -> None:
    task = TASKS[name]()
    height, width = (-(-side // task.multiple) * task.multiple for side in size)
    clean = rng(0, "clean").random((height, width, 3), dtype=np.float32)
    for way in task.classical.values():
        made = way(observed(task, clean))
        assert made.shape == clean.shape
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("name", DRAWN)
def test_finishing_the_truth_gives_the_truth(name: str, picture: np.ndarray) -> None:
    task = TASKS[name]()
    finished = task.finish(picture, observed(task, picture))
    np.testing.assert_allclose(finished, picture, atol=1e-7)
    if task.target != "chroma":  # which is added to the luma again
        np.testing.assert_array_equal(finished, picture)


@pytest.mark.parametrize("name", ["inpainting", "uncropping"])
def test_palettes_holes_are_noise_and_the_rest_is_kept(name: str, picture: np.ndarray) -> None:
    task = TASKS[name](fill="noise")
    assert task.target == "picture"
    clean = np.tile(picture, (4, 4, 1))
    observation = observed(task, clean)
    condition = task.condition(observation, rng(0, "condition"))
    hole = observation.mask
    assert hole is not None
    assert condition.region is not None
    assert 0 < hole.mean() < 1
    np.testing.assert_array_equal(condition.region, hole.astype(np.float32))
    np.testing.assert_allclose(condition.x[~hole], 2 * clean[~hole] - 1, atol=1e-6)
    inside = condition.x[hole]
    assert abs(inside.mean()) < 0.05
    assert abs(inside.std() - 1) < 0.05
    other = task.condition(observation, rng(1, "condition")).x
    assert np.abs(other[hole] - inside).mean() > 0.5
    invented = task.finish(np.zeros_like(clean), observation)
    np.testing.assert_array_equal(invented[~hole], clean[~hole])
    assert invented[hole].max() == 0


@pytest.mark.parametrize("name", ["inpainting", "uncropping"])
@pytest.mark.parametrize("fill", FILLS)
def test_a_filled_hole_is_shown_as_the_baseline(name: str, fill: str, picture: np.ndarray) -> None:
    """What the network has to add to it is the residual."""
    task = TASKS[name](fill=fill)
    observation = observed(task, picture)
    condition, baseline = task.condition(observation, rng(0)), task.baseline(observation)
    assert task.target == "residual"
    assert observation.mask is not None
    np.testing.assert_array_equal(condition.x, 2 * baseline - 1)
    np.testing.assert_array_equal(baseline, FILLS[fill](observation.picture, observation.mask))
    np.testing.assert_array_equal(baseline[~observation.mask], picture[~observation.mask])
    shown = condition.shown(True)
    np.testing.assert_array_equal(shown[..., :3], condition.x)
    np.testing.assert_array_equal(shown[..., 3], observation.mask)
    assert condition.shown(False) is condition.x


def test_the_mask_channel_of_a_whole_picture_is_empty(picture: np.ndarray) -> None:
    task = TASKS["denoising"]()
    shown = task.condition(observed(task, picture), rng(0)).shown(True)
    assert shown.shape == (40, 56, 4)
    assert shown[..., 3].max() == 0


@pytest.mark.parametrize("name", ["inpainting", "uncropping"])
def test_extreme_masks(name: str, picture: np.ndarray) -> None:
    task = TASKS[name]()
    nothing = Observation(picture, np.zeros(picture.shape[:2], bool))
    np.testing.assert_array_equal(task.baseline(nothing), picture)
    np.testing.assert_array_equal(task.finish(np.zeros_like(picture), nothing), picture)
    everything = Observation(picture, np.ones(picture.shape[:2], bool))
    for fill in get_args(get_type_hints(TASKS[name])["fill"]):
        assert np.isfinite(TASKS[name](fill=fill).baseline(everything)).all()
    with pytest.raises(ValueError, match="needs a mask"):
        task.condition(Observation(picture), rng(0))
    with pytest.raises(ValueError, match="mask is 5×4 and the picture 56×40"):
        task.condition(Observation(picture, np.zeros((4, 5), bool)), rng(0))


@pytest.mark.parametrize("scale", range(2, 9))
def test_super_resolution_scales(scale: int, picture: np.ndarray) -> None:
    task = TASKS["super-resolution"](scale=scale)
    height, width = (side // scale * scale for side in picture.shape[:2])
    clean = picture[:height, :width]
    observation = observed(task, clean)
    assert observation.picture.shape == (height // scale, width // scale, 3)
    assert task.scale == task.multiple == scale
    assert task.baseline(observation).shape == clean.shape


@pytest.mark.parametrize("scale", [1, 9])
def test_super_resolution_refuses_other_scales(scale: int) -> None:
    with pytest.raises(ValueError, match="from 2 to 8"):
        TASKS["super-resolution"](scale=scale)


def test_jpeg_quality_is_drawn_as_in_the_paper() -> None:
    """p(Q) ∝ exp(−Q/10) on [5, 30] has mean 12.6 (continuous) to 13.0 (integers)."""
    task = TASKS["jpeg-restoration"]()
    generator = np.random.default_rng(0)
    qualities = [task.draw(Spec(64, 64), generator)["quality"] for _ in range(4000)]
    weights = np.exp(-np.arange(5, 31) / 10)
    expected = (np.arange(5, 31) * weights).sum() / weights.sum()
    assert set(qualities) <= set(range(5, 31))
    assert np.mean(qualities) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_the_only_member_of_a_network_for_it(name: str) -> None:
    task = TASKS[name]()
    assert task.members() == (Member(name, task, 1.0),)


def test_every_fill_is_a_choice_and_the_other_way_round() -> None:
    assert set(get_args(get_type_hints(TASKS["inpainting"])["fill"])) == {*FILLS, "noise"}


def test_a_hole_task_needs_a_degradation_with_a_mask() -> None:
    with pytest.raises(ValueError, match="makes no hole"):
        TASKS["inpainting"](degradation="jpeg")


@pytest.mark.parametrize("name", DRAWN)
def test_bad_options_are_refused_at_once(name: str) -> None:
    with pytest.raises(ValueError, match="did you mean"):
        TASKS[name](degradation=TASKS[name]().degradation[:-1])
    with pytest.raises(ValueError, match=r"severity 2\.0 is not in"):
        TASKS[name](severity=2.0)
    with pytest.raises(ValueError, match="nothing to pin"):
        TASKS[name](pins=("nothing.of=1",))


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_pinned_is_called_set_outside(name: str, capsys: pytest.CaptureFixture) -> None:
    """The flag, the key in TOML and the key in a saved configuration."""
    (key, value), *_ = TASKS[name]().draw(Spec(40, 56), rng(0)).items()
    pin = f"{key}={json.dumps(value)}"
    task = make_task(name, {"set": [pin]})
    assert task == TASKS[name](pins=(pin,))
    assert to_dict(task)["set"] == [pin]
    with pytest.raises(ValueError, match="pins is no option"):
        make_task(name, {"pins": [pin]})
    with pytest.raises(SystemExit) as stop:
        main(["train", name, "--set", pin, "--help"])
    assert stop.value.code == 0
    assert "--set" in capsys.readouterr().out


def test_only_options_can_be_set() -> None:
    with pytest.raises(ValueError, match="scale is no option"):
        make_task("jpeg-restoration", {"scale": 2})
    assert "conditioning" not in to_dict(make_task("inpainting", {}))


@pytest.mark.parametrize("name", [name for name in NAMES if TASKS[name].batched])
def test_a_batch_has_the_conditions_of_its_pictures(name: str, picture: np.ndarray) -> None:
    task = TASKS[name](conditioning="blur_conditioning")
    params = [task.draw(Spec(40, 56, augment=True), rng(i)) for i in range(3)]
    clean = torch.from_numpy(picture).permute(2, 0, 1).expand(3, -1, -1, -1)
    for one, x in zip(params, task.condition_batch(clean, params), strict=True):
        condition = task.condition(task.degrade(picture, one), rng(0))
        assert condition.strength == one["augmentation"]["level"]
        assert np.abs(x.permute(1, 2, 0).numpy() - condition.x).max() < 0.01
