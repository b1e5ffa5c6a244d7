"""Several tasks in one network: what its members are, which of them is asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from palette.config import from_dict, to_dict
from palette.tasks import TASKS, Generalist
from palette.tasks.choosing import find_member
from palette.tasks.generalist import make_trainable
from palette.types import Member


def members(tasks: str, **options: Any) -> list[tuple[str, float]]:
    made = Generalist(tasks, **options)
    return [(member.name, member.weight) for member in made.members()]


def test_tasks_have_their_weights() -> None:
    assert members("inpainting:2, denoising") == [("inpainting", 2), ("denoising", 1)]
    assert [m.name for m in Generalist().members()] == [
        "super-resolution-x4",
        "jpeg-restoration",
        "colorization",
        "inpainting",
        "uncropping",
    ]


def test_scales_share_the_weight() -> None:
    made = Generalist("super-resolution:3,denoising", scale="2,3,4").members()
    assert [(m.name, m.weight, m.task.scale) for m in made] == [
        ("super-resolution-x2", 1, 2),
        ("super-resolution-x3", 1, 3),
        ("super-resolution-x4", 1, 4),
        ("denoising", 1, None),
    ]


def test_parts_have_options_and_names_of_their_own() -> None:
    parts = {
        "inpainting": {"fill": "telea"},
        "real-x4": {"task": "super-resolution", "degradation": "bsr_light", "scale": 4},
        "photos": {"task": "super-resolution", "degradation": "bsr_light"},
    }
    made = Generalist("inpainting,real-x4:2,photos", scale="2", parts=parts)
    inpainting, real, photos = made.members()
    assert inpainting == Member("inpainting", TASKS["inpainting"](fill="telea"), 1)
    assert real.name == "real-x4"
    assert real.task == TASKS["super-resolution"](degradation="bsr_light", scale=4)
    assert (photos.name, photos.task.scale) == ("photos-x2", 2)
    assert from_dict(Generalist, to_dict(made)) == made


@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_be_a_member(name: str) -> None:
    (one, other) = Generalist(
        f"{name},denoising" if name != "denoising" else f"{name},inpainting"
    ).members()
    assert one.task == TASKS[name]()
    assert other.name != one.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": "inpaintin"}, "did you mean 'inpainting'"),
        ({"tasks": ""}, "NAME:WEIGHT|task is ''"),
        ({"tasks": "inpainting:much"}, "'inpainting:much': write NAME:WEIGHT"),
        ({"tasks": "inpainting:0"}, "weight above 0"),
        ({"tasks": "inpainting:-1"}, "weight above 0"),
        ({"tasks": "inpainting:nan"}, "weight above 0"),
        ({"tasks": "inpainting:inf"}, "weight above 0"),
        ({"tasks": "inpainting,inpainting:2"}, "name each task once"),
        ({"tasks": "super-resolution", "scale": "2,x"}, "scale is '2,x': give numbers"),
        ({"tasks": "super-resolution", "scale": "2,9"}, "scale is 9.*from 2 to 8"),
        ({"tasks": "denoising", "parts": {"inpainting": {}}}, "parts.inpainting is not in tasks"),
        (
            {"tasks": "inpainting", "parts": {"inpainting": {"fil": "mean"}}},
            "fil is no option: did you mean 'fill'",
        ),
    ],
)
def test_bad_mixtures_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_trainable("generalist", options)


def test_what_can_be_trained_is_listed() -> None:
    with pytest.raises(ValueError, match=f"did you mean 'generalist'.*{'.*'.join(sorted(TASKS))}"):
        make_trainable("generalists", {})


SEVERAL = Generalist(
    "super-resolution,real,denoising,inpainting",
    scale="2,4",
    parts={"real": {"task": "super-resolution", "degradation": "bsr_light", "scale": 4}},
).members()
NAMES = "super-resolution-x2, super-resolution-x4, real, denoising, inpainting"


@pytest.mark.parametrize(
    ("task", "scale", "name"),
    [
        ("denoising", None, "denoising"),
        ("super-resolution-x4", None, "super-resolution-x4"),
        ("super-resolution-x4", 4, "super-resolution-x4"),
        ("super-resolution", 2, "super-resolution-x2"),
        ("super-resolution", 4, "super-resolution-x4"),  # not real, which has a name of its own
        (None, 2, "super-resolution-x2"),
        ("real", None, "real"),
        ("real", 4, "real"),
    ],
)
def test_a_member_is_found(task: str | None, scale: int | None, name: str) -> None:
    assert SEVERAL[find_member(SEVERAL, task, scale)].name == name


@pytest.mark.parametrize(
    ("task", "scale", "message"),
    [
        (None, None, f"this model does several tasks: choose --task from {NAMES}"),
        ("colorization", None, f"this model does not do colorization: choose --task from {NAMES}"),
        ("super-resolution", 3, f"does not do super-resolution ×3: choose --task from {NAMES}"),
        ("denoising", 2, f"this model does not do denoising ×2: choose --task from {NAMES}"),
        ("inpaint", None, f"not do inpaint: did you mean 'inpainting'? choose --task from {NAMES}"),
        ("upscale", None, f"this model does not do upscale: choose --task from {NAMES}"),
        (
            "super-resolution",
            None,
            "several tasks: choose --task from super-resolution-x2, super-resolution-x4, real",
        ),
        # without a task both of ×4 are meant, and only these
        (None, 4, "several tasks: choose --task from super-resolution-x4, real"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_list(
    task: str | None, scale: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(message)}$"):
        find_member(SEVERAL, task, scale)


def test_a_model_of_one_task_needs_no_name() -> None:
    alone = TASKS["super-resolution"](scale=3).members()
    for task, scale in ((None, None), ("super-resolution", None), (None, 3)):
        assert find_member(alone, task, scale) == 0
    with pytest.raises(ValueError, match="does not do ×2: choose --task from super-resolution"):
        find_member(alone, None, 2)


def test_a_part_may_have_the_name_of_a_task_and_do_another() -> None:
    """The name of the member counts before that of its task."""
    parts = {"old": {"task": "denoising"}, "denoising": {"task": "super-resolution", "scale": 2}}
    mixed = Generalist("old,denoising", parts=parts).members()
    assert find_member(mixed, "denoising") == 1
    assert find_member(mixed, "old") == 0
