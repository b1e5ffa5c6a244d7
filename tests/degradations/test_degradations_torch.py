"""The batched forms: what they refuse and leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from palette.degradations import DEGRADATIONS, build
from palette.degradations.batches import stacked
from palette.degradations.blur import convolve, convolve_batch
from palette.degradations.compose import Sequence
from palette.degradations.resize import Rescale
from palette.seeding import rng
from palette.types import Spec


def test_a_batch_needs_one_size_and_params_for_each() -> None:
    pictures = torch.rand(2, 3, 20, 20)
    rescale = Rescale((1.0, 0.25))
    params = [rescale.draw(Spec(20, 20), rng(i)) for i in range(2)]
    with pytest.raises(ValueError, match="are no batch: choose a degradation of one size"):
        stacked(rescale.apply_batch(pictures, params))
    assert len(rescale.apply_batch(list(pictures), params)) == 2
    sequence = Sequence({"rescale": rescale})
    inner = [{"steps": [{"name": "rescale", "params": one}]} for one in params]
    for degradation, drawn in ((rescale, params), (sequence, inner), (build("webp"), params)):
        with pytest.raises(ValueError, match="2 pictures and 1 params"):
            degradation.apply_batch(pictures, drawn[:1])
        with pytest.raises(ValueError, match=r"a float tensor \(3, H, W\)"):
            degradation.apply_batch([torch.zeros(20, 20, 3)], drawn[:1])
        with pytest.raises(ValueError, match=r"not torch.uint8"):
            degradation.apply_batch([torch.zeros(3, 20, 20, dtype=torch.uint8)], drawn[:1])


def test_batched_forms_leave_their_input() -> None:
    for name in DEGRADATIONS:
        degradation = build(name)
        pictures = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))
        before = pictures.clone()
        params = [degradation.draw(Spec(24, 20), rng(i)) for i in range(2)]
        degradation.apply_batch(pictures, params)
        assert torch.equal(pictures, before), name


def test_convolution_turns_the_kernel_and_takes_one_for_each_picture() -> None:
    generator = np.random.default_rng(0)
    pictures = [generator.random((20, 26, 3), dtype=np.float32) for _ in range(3)]
    taps = [generator.random((size, size)).astype(np.float32) for size in (3, 9, 15)]
    taps = [kernel / kernel.sum() for kernel in taps]
    batch = torch.stack([torch.from_numpy(one).permute(2, 0, 1) for one in pictures])
    for picture, kernel, result in zip(pictures, taps, convolve_batch(batch, taps), strict=True):
        expected = convolve(picture, kernel)
        assert np.abs(result.permute(1, 2, 0).numpy() - expected).max() < 1e-5


def test_autocast_and_tf32_do_not_reach_it() -> None:
    degradation = build("bsr_light", 2)
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    params = [degradation.draw(Spec(40, 40), rng(0))]
    (expected,) = degradation.apply_batch(picture, params)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(degradation.apply_batch(picture, params)[0], expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert degradation.apply_batch([], []) == []
    assert build("jpeg").apply_batch([], []) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["gaussian_blur", "shrink", "jpeg", "grayscale", "quantise"])
def test_a_gpu_agrees(name: str) -> None:
    degradation = build(name)
    pictures = torch.rand(3, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    params = [degradation.draw(Spec(64, 48), rng(i)) for i in range(3)]
    there = stacked(degradation.apply_batch(pictures.cuda(), params)).cpu()
    assert (there - stacked(degradation.apply_batch(pictures, params))).abs().max() < 1e-5
