"""The training set: examples by position, of every task, as a user's picture would be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from short_runs import GENERALIST, training_set

import palette
from palette.cli.main import main
from palette.config import merge
from palette.data.cache import CachedSource
from palette.data.crops import Crops
from palette.data.images import write
from palette.data.loader import batches
from palette.data.opening import open_source
from palette.diffusion.loss import Target
from palette.resolving import resolve
from palette.seeding import rng
from palette.tasks import Generalist, trainable
from palette.training import loop as training
from palette.training.set import TrainingSet
from palette.types import Picture, Spec


class Pictures:
    """A source of arrays."""

    labels = None
    inputs = None

    def __init__(self, *pictures: np.ndarray) -> None:
        self.pictures = [picture.astype(np.float32) for picture in pictures]
        self.ids = [str(i) for i in range(len(pictures))]

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int) -> Picture:
        return self.pictures[index].copy()

    def fingerprint(self) -> str:
        return "of a test"


def of_pictures(task: str, *layers: dict[str, Any], pictures: list[np.ndarray]) -> TrainingSet:
    config, members = resolve(task, TINY, *layers)
    return TrainingSet(CachedSource(Pictures(*pictures), 2**24), members, config)


@pytest.mark.parametrize(("cache_gib", "readings"), [(0, 4), (2, 1)])
def test_decoded_pictures_are_kept_in_the_memory_that_is_given(
    cache_gib: float, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, members = resolve("colorization", TINY, {"train": {"cache_gib": cache_gib}})
    source, read = Pictures(np.random.default_rng(0).random((40, 40, 3))), Pictures.read
    seen: list[int] = []
    monkeypatch.setattr(Pictures, "read", lambda *args: seen.append(1) or read(*args))
    examples = TrainingSet.of(source, members, config)
    for position in range(4):
        examples.example(position)
    assert len(seen) == readings


def options(task: str) -> dict[str, Any]:
    return {"options": GENERALIST} if task == "generalist" else {}


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3))


@pytest.mark.parametrize("task", sorted(trainable()))
def test_examples_have_their_shapes_and_ranges(task: str, photos: Path) -> None:
    crops = training_set(task, photos, options(task))
    masked = any(member.task.masked for member in crops.members)
    shown = bool(crops.config.model.mask)
    numbers = set()
    for position in range(8):
        example = crops.example(position)
        assert example["y"].shape == (3, 32, 32)
        assert example["x"].shape == (3 + shown, 32, 32)
        assert {a.dtype for name, a in example.items() if name != "task"} == {np.dtype(np.float32)}
        assert np.abs(example["y"]).max() <= 1
        assert np.abs(example["x"]).max() <= 1
        assert ("region" in example) == masked
        assert ("task" in example) == (len(crops.members) > 1)
        number = int(example.get("task", 0))
        numbers.add(number)
        hole = crops.members[number].task.masked
        if masked:
            assert example["region"].shape == (1, 32, 32)
            assert set(np.unique(example["region"])) <= ({0.0, 1.0} if hole else {1.0})
            np.testing.assert_array_equal(example["x"][3:], example["region"] * hole)
        if hole:
            known = example["region"][0] == 0
            np.testing.assert_allclose(example["x"][:3, known], example["y"][:, known], atol=1e-6)
    assert len(numbers) == min(len(crops.members), 4) or len(crops.members) > 1 < len(numbers)


def test_noise_in_a_hole_leaves_the_range(photos: Path) -> None:
    crops = training_set("inpainting", photos, {"options": {"fill": "noise"}})
    examples = [crops.example(i) for i in range(8)]
    inside = np.concatenate([e["x"][:, e["region"][0] > 0].ravel() for e in examples])
    assert inside.std() == pytest.approx(1, abs=0.05)
    assert crops.targets(residual=True, balance=True) == (Target(),)


@pytest.mark.parametrize("task", sorted(trainable()))
def test_batches_do_not_depend_on_workers(task: str, photos: Path) -> None:
    crops = training_set(task, photos, options(task))
    alone = list(batches(crops.example, 3, 2, 5, workers=0))
    together = list(batches(crops.example, 3, 2, 5, workers=2))
    for a, b in zip(alone, together, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_tasks_are_drawn_by_their_weights() -> None:
    """Each position for itself: within four standard deviations of the binomial."""
    tasks = {"super-resolution": 2.0, "denoising": 3.0, "inpainting": 1.0}
    names = ",".join(f"{name}:{weight:g}" for name, weight in tasks.items())
    layer = {"options": {"tasks": names, "scale": "2,4"}}
    crops = of_pictures("generalist", layer, pictures=[noise(64, 64)])
    drawn = np.array([crops.number(position) for position in range(2000)])
    for number, share in enumerate([1 / 6, 1 / 6, 3 / 6, 1 / 6]):
        spread = np.sqrt(share * (1 - share) * 2000)
        assert abs((drawn == number).sum() - share * 2000) < 4 * spread
    assert [crops.number(position) for position in (1999, 7, 0)] == drawn[[1999, 7, 0]].tolist()
    pairs = set(pairwise(drawn.tolist()))
    assert len(pairs) == 16  # no task follows another one only


@pytest.mark.parametrize("scale", range(2, 9))
def test_every_scale_trains_with_the_default_crop(scale: int, photos: Path, tmp_path: Path) -> None:
    layer = {"options": {"scale": scale}, "data": {"size": 64}, "steps": 1}
    crops = training_set("super-resolution", photos, layer)
    example = crops.example(0)
    assert example["x"].shape == example["y"].shape == (3, 64, 64)
    if scale in (3, 5, 7):
        training.train(crops.config, crops.members, crops.source, None, tmp_path / "run")


class FixedCrops(Crops):
    """At one place, so that the whole picture can be looked at too."""

    place = (0, 0)

    def crop(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top, left = self.place
        assert min(picture.shape[0] - top, picture.shape[1] - left) >= self.size
        return picture[top : top + self.size, left : left + self.size]


@pytest.mark.parametrize(
    ("task", "more"),
    [
        *(("super-resolution", {"scale": scale}) for scale in range(2, 9)),
        ("jpeg-restoration", {"set": ["palette_jpeg.quality=7"]}),
        ("denoising", {"degradation": "gaussian_blur"}),
        ("colorization", {}),
    ],
)
def test_an_example_is_cut_from_a_larger_degraded_picture(
    task: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outermost pixels too are those of a picture that was degraded as a whole."""
    monkeypatch.setattr("palette.training.set.Crops", FixedCrops)
    whole = open_source("bundled").read(0)[:336, :336].copy()  # a multiple of 16, 3, 7 …
    side = 336 // 8 * 8
    scale = more.get("scale", 1)
    whole = whole[: side // scale * scale, : side // scale * scale]
    step = scale * 16 if task == "jpeg-restoration" else scale
    monkeypatch.setattr(FixedCrops, "place", (step * (64 // step), step * (96 // step)))
    layer = {"options": more, "data": {"resize": "none", "flips": False}}
    crops = of_pictures(task, layer, pictures=[whole])
    made = crops.members[0].task
    params = crops.params(0, made)
    if task == "super-resolution":
        params = made.draw(Spec(*whole.shape[:2]), rng(0))
    condition = made.condition(made.degrade(whole, params), rng(0)).x
    example, margin = crops.example(0), crops.margin(made)
    top, left = (start + margin for start in FixedCrops.place)
    assert margin % scale == 0
    cut = condition[top : top + 32, left : left + 32].transpose(2, 0, 1)
    tolerance = 1e-3 if task == "denoising" else 1e-5  # the tails of a Gaussian
    np.testing.assert_allclose(example["x"], cut, atol=tolerance)
    clean = 2 * whole[top : top + 32, left : left + 32].transpose(2, 0, 1) - 1
    np.testing.assert_allclose(example["y"], clean, atol=1e-6)


def ramp(side: int) -> np.ndarray:
    """Red grows from left to right, green from top to bottom: a crop tells its scale."""
    picture = np.full((side, side, 3), 0.5)
    picture[..., 0] = np.linspace(0, 1, side)
    picture[..., 1] = np.linspace(0, 1, side)[:, None]
    return picture


def factors(task: str, resize: str, count: int = 200, side: int = 256) -> np.ndarray:
    """How many pixels of the picture each pixel of the crop stands for."""
    layer = {"data": {"resize": resize, "size": 32}}
    crops = of_pictures(task, layer, pictures=[ramp(side)])
    made = crops.members[0].task
    clean = [crops.crops(position, made, 32)[0] for position in range(count)]
    slopes = [abs(c[16, -1, 0] - c[16, 0, 0]) for c in clean]
    for c in clean:
        assert c.shape == (32, 32, 3)
        across, down = abs(c[16, -1, 0] - c[16, 0, 0]), c[-1, 16, 1] - c[0, 16, 1]
        assert across == pytest.approx(down, abs=0.01)  # nothing is squeezed
    return np.array(slopes) * (side - 1) / 31


@pytest.mark.parametrize(
    ("task", "resize"),
    [
        ("inpainting", "auto"),
        ("colorization", "auto"),
        ("uncropping", "random"),
        ("denoising", "random"),
    ],
)
def test_crops_of_random_scales(task: str, resize: str) -> None:
    """Every quarter of an octave from the picture itself to its largest square, equally often."""
    steps = np.log2(factors(task, resize)) * 4
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.15)
    counts = np.bincount(np.rint(steps).astype(int))
    assert len(counts) == 4 * 3 + 1  # 256 is three octaves above 32
    assert counts.min() > 0
    assert counts.max() < 3 * 200 / 13


@pytest.mark.parametrize(
    ("task", "resize"),
    [("inpainting", "none"), ("denoising", "auto"), ("super-resolution", "auto")],
)
def test_crops_of_the_pictures_own_scale(task: str, resize: str) -> None:
    np.testing.assert_allclose(factors(task, resize, 40), 1, atol=0.02)


def test_a_picture_that_is_no_larger_than_a_crop_is_not_enlarged() -> None:
    crops = of_pictures("inpainting", {"data": {"size": 32}}, pictures=[ramp(20), ramp(33)])
    for position in range(8):
        clean = crops.crops(position, crops.members[0].task, 32)[0]
        assert clean.shape == (32, 32, 3)
        assert np.abs(np.diff(clean[:, :, 0], axis=1)).max() < 1.1 / 19


def grey(side: int, seed: int) -> np.ndarray:
    return np.repeat(noise(side, side, seed)[..., :1], 3, axis=2)


@pytest.mark.parametrize("diffuse", ["chroma", "residual", "picture"])
def test_grey_pictures_teach_no_colours(diffuse: str) -> None:
    """Wherever in its epoch the only coloured picture stands."""
    pictures = [grey(64, 0), grey(64, 1), noise(64, 64)]
    crops = of_pictures("colorization", {"options": {"diffuse": diffuse}}, pictures=pictures)
    for position in range(40):
        y = crops.example(position)["y"]
        assert np.ptp(y, axis=0).mean() > 0.1
    assert crops.grey() == (2, 3)
    assert crops.grey(2) == (2, 2)
    others = of_pictures("denoising", pictures=pictures)
    ranges = [np.ptp(others.example(position)["y"], axis=0).max() for position in range(9)]
    assert sum(value < 1e-6 for value in ranges) == 6


def test_a_share_of_grey_crops_for_other_tasks() -> None:
    layer = {"options": {"tasks": "denoising,colorization"}, "data": {"grey_share": 0.3}}
    crops = of_pictures("generalist", layer, pictures=[noise(96, 96)])
    greys: dict[int, list[bool]] = {0: [], 1: []}
    for position in range(300):
        example = crops.example(position)
        greys[int(example["task"])].append(bool(np.ptp(example["y"], axis=0).max() < 1e-5))
    assert np.mean(greys[0]) == pytest.approx(0.3, abs=0.13)
    assert not any(greys[1])
    one = crops.crops(greys[0].index(True), Generalist("denoising").members()[0].task, 32)[0]
    assert one.max() <= 1


def test_pictures_that_are_all_grey_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "grey").mkdir()
    for i in range(3):
        write(tmp_path / "grey" / f"{i}.png", grey(48, i).astype(np.float32))
    command = ["train", "colorization", "--data", str(tmp_path / "grey"), "--steps", "1"]
    command += ["--data.size", "32", "--model.width", "8", "--model.groups", "4"]
    command += ["--data.val-share", "0"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 2
    assert "all 3 pictures are grey: add coloured ones" in capsys.readouterr().err


def test_grey_pictures_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mixed").mkdir()
    for i in range(3):
        picture = grey(48, i) if i else noise(48, 48)
        write(tmp_path / "mixed" / f"{i}.png", picture.astype(np.float32))
    config = merge(TINY, {"data": {"val_share": 0}})
    palette.train("colorization", tmp_path / "mixed", tmp_path / "run", steps=1, config=config)
    assert "2 of 3 pictures are grey: colorization leaves them out" in capsys.readouterr().err
    palette.train("denoising", tmp_path / "mixed", tmp_path / "other", steps=1, config=TINY)
    assert "grey" not in capsys.readouterr().err


@pytest.mark.parametrize("scale_or_task", ["jpeg-restoration", "colorization", 2, 3, 8])
def test_degrading_on_the_device_agrees_with_the_workers(
    scale_or_task: str | int, photos: Path
) -> None:
    task = scale_or_task if isinstance(scale_or_task, str) else "super-resolution"
    more = {} if task == scale_or_task else {"scale": scale_or_task}
    layer = {"options": more, "model": {"mask": True}}
    (expected,) = batches(training_set(task, photos, layer).example, 4, 1, 2)
    there = training_set(task, photos, layer, {"data": {"degrade_on": "device"}})
    (arrays,) = batches(there.example, 4, 1, 2)
    assert set(arrays) == {"y"}
    found = there.on_device(arrays, range(4, 8), torch.device("cpu"))
    assert torch.equal(found.y, expected["y"])
    assert found.x.shape == expected["x"].shape == (4, 4, 32, 32)
    assert (found.x - expected["x"]).square().mean() < 1e-4  # JPEG: within 45 dB of the codec


def test_holes_and_mixtures_are_cut_by_workers(photos: Path) -> None:
    for task in ("inpainting", "generalist"):
        with pytest.raises(ValueError, match=f"'device', which {task} cannot: choose 'worker'"):
            training_set(task, photos, {"data": {"degrade_on": "device"}})


def test_a_task_may_be_shown_an_embedding_that_is_larger(photos: Path, tmp_path: Path) -> None:
    """For weights that are to fit a generalist's."""
    config = merge(TINY, {"model": {"tasks": 3, "mask": True}})
    model = palette.train("denoising", photos, tmp_path / "run", steps=1, config=config)
    assert model.restore(noise(24, 24).astype(np.float32)).shape == (24, 24, 3)
