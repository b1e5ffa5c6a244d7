"""Training in float16: the loss is scaled, what goes beyond the range is skipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from short_runs import about, assert_equal_bits, lines, run, saved

import palette
from palette.errors import Diverged
from palette.training import loop as training


def set_scale(run: Path, step: int, scale: float) -> None:
    path = run / "checkpoints" / f"step-{step}" / "state.json"
    state = json.loads(path.read_text())
    state["scaler"]["scale"] = scale
    path.write_text(json.dumps(state))


def test_it_learns_what_float32_learns(tmp_path: Path, photos: Path) -> None:
    runs = [
        run(tmp_path / name, photos, 6, "super-resolution", precision=name, log_every=1)
        for name in ("fp32", "fp16")
    ]
    found = [torch.tensor([line["loss"] for line in lines(one)]) for one in runs]
    assert not torch.equal(*found)
    torch.testing.assert_close(*found, rtol=0.02, atol=0)
    assert about(runs[1], 6)["format"]["precision"] == "fp16"
    assert (about(runs[0], 6)["scaler"], about(runs[1], 6)["scaler"]["scale"]) == ({}, 65536.0)
    restored = palette.load(runs[1], precision="fp16", answer="mean").restore(
        next(photos.rglob("*.png"))
    )
    assert restored.size


def test_small_gradients_survive(tmp_path: Path, photos: Path) -> None:
    """A loss of 1e-6 of the usual has gradients below float16's range."""
    loss = training.epsilon_loss
    norms = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "epsilon_loss", lambda *given: 1e-6 * loss(*given))
        for precision in ("fp32", "fp16"):
            out = run(tmp_path / precision, photos, 1, precision=precision, log_every=1)
            norms[precision] = lines(out)[0]["gradient_norm"]
    assert norms["fp16"] == pytest.approx(norms["fp32"], rel=0.02)


def test_stopped_and_resumed_is_the_same_to_the_bit(tmp_path: Path, photos: Path) -> None:
    once = run(tmp_path / "once", photos, 4, precision="fp16", accumulate=2)
    twice = run(tmp_path / "twice", photos, 2, precision="fp16", accumulate=2)
    palette.resume(twice, steps=4)
    assert_equal_bits(saved(once, 4), saved(twice, 4))
    assert about(once, 4)["scaler"] == about(twice, 4)["scaler"]
    assert about(once, 4)["scaler"]["_growth_tracker"] == 4


def test_a_scale_that_is_too_large_is_halved_and_the_step_skipped(
    tmp_path: Path, photos: Path
) -> None:
    """The last step too, which is then no divergence."""
    out = run(tmp_path / "run", photos, 2, precision="fp16", log_every=1)
    set_scale(out, 2, 2.0**26)
    palette.resume(out, steps=4)
    state = about(out, 4)
    assert (state["updates"], state["scaler"]["scale"]) == (2, 2.0**24)
    assert [line["gradient_norm"] is None for line in lines(out)] == [False, False, True, True]
    before = {name: value for name, value in saved(out, 2).items() if name.startswith("weights")}
    assert all(torch.equal(value, saved(out, 4)[name]) for name, value in before.items())
    palette.resume(out, steps=16)
    assert about(out, 16)["updates"] > 2


def test_a_loss_that_is_not_finite_is_no_matter_of_scale(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "run", photos, 2, precision="fp16")
    loss = training.epsilon_loss
    monkeypatch.setattr(training, "epsilon_loss", lambda *given: loss(*given) * float("nan"))
    with pytest.raises(Diverged, match="not finite in 20 steps up to step 22"):
        palette.resume(tmp_path / "run", steps=100)
