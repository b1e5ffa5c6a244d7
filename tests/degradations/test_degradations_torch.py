"""The device backend: what it refuses and leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from palette.degradations import DEGRADATIONS, build
from palette.degradations.blur import convolve
from palette.degradations.resize import Rescale
from palette.degradations.torch_backend import apply_batch, apply_each
from palette.degradations.torch_forms import convolve as convolve_batch
from palette.seeding import rng
from palette.types import Spec


def test_a_batch_needs_one_size_and_params_for_each() -> None:
    import torch

    pictures = torch.rand(2, 3, 20, 20)
    rescale = Rescale((1.0, 0.25))
    params = [rescale.draw(Spec(20, 20), rng(i)) for i in range(2)]
    with pytest.raises(ValueError, match="use apply_each"):
        apply_batch(rescale, pictures, params)
    assert len(apply_each(rescale, list(pictures), params)) == 2
    with pytest.raises(ValueError, match="2 pictures and 1 params"):
        apply_batch(rescale, pictures, params[:1])
    with pytest.raises(ValueError, match=r"a float tensor \(3, H, W\)"):
        apply_each(rescale, [torch.zeros(20, 20, 3)], params[:1])
    with pytest.raises(ValueError, match=r"not torch.uint8"):
        apply_each(rescale, [torch.zeros(3, 20, 20, dtype=torch.uint8)], params[:1])


def test_the_device_backend_leaves_its_input() -> None:
    import torch

    for name in DEGRADATIONS:
        degradation = build(name)
        pictures = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))
        before = pictures.clone()
        params = [degradation.draw(Spec(24, 20), rng(i)) for i in range(2)]
        apply_each(degradation, list(pictures), params)
        assert torch.equal(pictures, before), name


def test_convolution_turns_the_kernel_and_takes_one_for_each_picture() -> None:
    import torch

    generator = np.random.default_rng(0)
    pictures = [generator.random((20, 26, 3), dtype=np.float32) for _ in range(3)]
    taps = [generator.random((size, size)).astype(np.float32) for size in (3, 9, 15)]
    taps = [kernel / kernel.sum() for kernel in taps]
    batch = torch.stack([torch.from_numpy(one).permute(2, 0, 1) for one in pictures])
    for picture, kernel, result in zip(pictures, taps, convolve_batch(batch, taps), strict=True):
        expected = convolve(picture, kernel)
        assert np.abs(result.permute(1, 2, 0).numpy() - expected).max() < 1e-5


def test_autocast_and_tf32_do_not_reach_it() -> None:
    import torch

    degradation = build("bsr_light", 2)
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    params = [degradation.draw(Spec(40, 40), rng(0))]
    expected = apply_batch(degradation, picture, params)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(apply_batch(degradation, picture, params), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert apply_each(degradation, [], []) == []


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="needs a GPU")
@pytest.mark.parametrize("name", ["gaussian_blur", "shrink", "jpeg", "grayscale", "quantise"])
def test_a_gpu_agrees(name: str) -> None:
    import torch

    degradation = build(name)
    pictures = torch.rand(3, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    params = [degradation.draw(Spec(64, 48), rng(i)) for i in range(3)]
    result = apply_batch(degradation, pictures.cuda(), params).cpu()
    assert (result - apply_batch(degradation, pictures, params)).abs().max() < 1e-5
