"""What holds for every operator and pipeline: one list, one set of properties."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from palette.degradations import DEGRADATIONS, Degradation, build
from palette.degradations.jpeg import Jpeg
from palette.degradations.noise import PoissonNoise
from palette.degradations.records import draw, key
from palette.degradations.wrappers import Albumentations, Kornia
from palette.seeding import rng
from palette.types import Picture, Spec

CASES: dict[str, Degradation] = {
    **{name: build(name) for name in DEGRADATIONS},
    "bsr ×1": build("bsr", 1),
    "bsr ×2": build("bsr", 2),
    "bsr_light ×3": build("bsr_light", 3),
    "real_esrgan ×1": build("real_esrgan", 1),
    "a mixture": build("bsr:0.7,sr_bicubic:0.3"),
    "a mixture of masks": build("free_form:1,centre:2"),
    "Albumentations, pixels": Albumentations("ImageCompression", {"quality_range": (30, 95)}),
    "Albumentations, noise": Albumentations("GaussNoise", {"std_range": (0.1, 0.2), "p": 1.0}),
    "Kornia, pixels": Kornia("RandomSolarize", {"p": 0.7}),
    "Kornia, noise": Kornia("RandomGaussianNoise", {"std": 0.1, "p": 1.0}),
}

HOLES = {
    *("palette_inpainting", "palette_uncropping", "lama_thin", "lama_medium", "lama_thick"),
    *("free_form", "boxes", "centre", "border", "a mixture of masks"),
}

NAMES = pytest.mark.parametrize("name", CASES)

EXAMPLES = settings(max_examples=12, deadline=None, derandomize=True, database=None)


@st.composite
def pictures(draw: Any) -> Picture:
    """Any size from 1 to 97: constant, black and white, random, or smooth."""
    height, width = draw(st.integers(1, 97)), draw(st.integers(1, 97))
    kind = draw(st.sampled_from(["black", "white", "constant", "extreme", "random", "ramp"]))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    values = {
        "black": np.zeros((height, width, 3)),
        "white": np.ones((height, width, 3)),
        "constant": np.full((height, width, 3), generator.random(3)),
        "extreme": generator.integers(0, 2, (height, width, 3)),
        "random": generator.random((height, width, 3)),
        "ramp": np.linspace(0, 1, height * width * 3).reshape(height, width, 3),
    }
    return values[kind].astype(np.float32)


def spec_of(picture: Picture, severity: float | None = None) -> Spec:
    return Spec(picture.shape[0], picture.shape[1], severity)


@NAMES
@EXAMPLES
@given(picture=pictures(), seed=st.integers(0, 10**6), severity=st.none() | st.floats(0, 1))
def test_a_draw_is_json_and_its_replay_exact(
    name: str, picture: Picture, seed: int, severity: float | None
) -> None:
    degradation, before = CASES[name], picture.copy()
    picture.setflags(write=False)
    params = degradation.draw(spec_of(picture, severity), rng(seed))
    read = json.loads(json.dumps(params, allow_nan=False))
    assert read == params
    result = degradation.apply(picture, params)
    assert np.array_equal(picture, before)
    assert np.array_equal(degradation.apply(picture, read), result)
    assert read == params, "apply changed its params"

    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1
    after = degradation.resized(spec_of(picture, severity), params)
    assert result.shape == (after.height, after.width, 3)
    assert after.severity == severity
    scale = degradation.scale or 1
    if scale == 1 and name not in ("rescale",):
        assert result.shape == picture.shape
    elif scale != 1:
        assert result.shape[:2] == tuple(max(1, side // scale) for side in picture.shape[:2])
    mask = degradation.mask(params)
    assert (mask is None) == (name not in HOLES)
    if mask is not None:
        assert mask.dtype == np.bool_
        assert mask.shape == picture.shape[:2] == (params["height"], params["width"])
        assert np.array_equal(result, np.where(mask[..., None], np.float32(0.5), picture))


@NAMES
def test_memory_layout_and_float_width_do_not_matter(name: str) -> None:
    degradation = CASES[name]
    picture = np.random.default_rng(1).random((23, 31, 3), dtype=np.float32)
    params = degradation.draw(spec_of(picture), rng(2))
    expected = degradation.apply(picture, params)
    layouts = {
        "float64": picture.astype(np.float64),
        "Fortran order": np.asfortranarray(picture),
        "negative strides": picture[::-1, ::-1].copy()[::-1, ::-1],
        "part of a larger picture": np.pad(picture, ((3, 2), (1, 4), (0, 0)))[3:-2, 1:-4],
        "channels first": picture.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    }
    for layout, other in layouts.items():
        assert np.array_equal(degradation.apply(other, params), expected), layout


@NAMES
def test_integers_and_other_shapes_are_refused(name: str) -> None:
    degradation = CASES[name]
    params = degradation.draw(Spec(8, 8), rng(0))
    with pytest.raises(ValueError, match=r"float32 in \[0, 1\], not uint8"):
        degradation.apply(np.zeros((8, 8, 3), np.uint8), params)  # pyright: ignore
    with pytest.raises(ValueError, match=r"shape \(H, W, 3\), not \(8, 8\)"):
        degradation.apply(np.zeros((8, 8), np.float32), params)


@NAMES
def test_the_key_alone_decides(name: str) -> None:
    degradation = CASES[name]
    picture = np.random.default_rng(1).random((33, 40, 3), dtype=np.float32)

    def drawn(seed: int, index: int, view: int) -> Any:
        return draw(degradation, picture, seed=seed, index=index, view=view)

    keys = [(seed, index, view) for seed in (0, 1) for index in (0, 5) for view in (0, 1)]
    forwards = [drawn(*one) for one in keys]
    backwards = [drawn(*one) for one in reversed(keys)]
    assert forwards == backwards[::-1]
    streams = {key(*one).random() for one in keys}
    assert len(streams) == len(keys)


@NAMES
def test_workers_can_have_it(name: str) -> None:
    assert pickle.loads(pickle.dumps(CASES[name])) == CASES[name]


@NAMES
def test_severity_out_of_range_is_refused_or_unused(name: str) -> None:
    degradation, mild = CASES[name], Spec(16, 16, severity=0.0)
    if degradation.draw(mild, rng(0)) == degradation.draw(Spec(16, 16, severity=1.0), rng(0)):
        return
    with pytest.raises(ValueError, match=r"severity 1.5 is not in \[0, 1\]"):
        degradation.draw(Spec(16, 16, severity=1.5), rng(0))


@NAMES
def test_a_batch_is_its_single_pictures(name: str) -> None:
    degradation = CASES[name]
    generator = np.random.default_rng(3)
    batch = [generator.random((40, 56, 3), dtype=np.float32) for _ in range(4)]
    batch.append(generator.random((17, 5, 3), dtype=np.float32))
    params = [degradation.draw(spec_of(one), rng(i)) for i, one in enumerate(batch)]
    tensors = [torch.from_numpy(one).permute(2, 0, 1) for one in batch]
    together = degradation.apply_batch(tensors, params)
    for tensor, one, result in zip(tensors, params, together, strict=True):
        (alone,) = degradation.apply_batch([tensor], [one])
        assert result.shape == alone.shape
        assert (result - alone).abs().max() < 1e-6


def contains(degradation: Degradation, *operators: type) -> bool:
    return any(isinstance(part, operators) for part in degradation.walk())


@NAMES
def test_the_two_forms_agree(name: str) -> None:
    """Within 2.5e-4, a sixteenth of a step of 8 bits.

    Codecs alone agree in every bit, but what differs by less than a step before them may be
    coded otherwise; photons are counted by rejection, and one count more shifts all the others.
    """
    degradation = CASES[name]
    composed = len(list(degradation.walk())) > 1
    if contains(degradation, PoissonNoise):
        return
    y, x = np.mgrid[:57, :75].astype(np.float32)
    waves = np.sin(np.stack([y * x / 300, y / 5, x / 7], axis=-1))
    picture = (0.5 + 0.5 * waves).astype(np.float32)
    params = [degradation.draw(spec_of(picture), rng(i)) for i in range(4)]
    tensor = torch.from_numpy(picture).permute(2, 0, 1)
    for one, result in zip(params, degradation.apply_batch([tensor] * 4, params), strict=True):
        expected = degradation.apply(picture, one)
        difference = np.abs(result.permute(1, 2, 0).numpy() - expected)
        if composed and contains(degradation, Jpeg):
            assert np.sqrt(np.mean(difference**2)) < 0.02
            continue
        # Where both round to 8 bits, a tie may fall to either side.
        ties = (np.abs(difference - 1 / 255) < 1e-6) & (name in ("sr_bicubic", "quantise"))
        assert ties.mean() < 1e-3
        assert difference[~ties].max() < 2.5e-4


def test_importing_is_light() -> None:
    """The libraries that only some operators need are loaded by these."""
    code = (
        "import sys, palette.degradations\n"
        "heavy = {'albumentations', 'kornia', 'scipy', 'skimage', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
