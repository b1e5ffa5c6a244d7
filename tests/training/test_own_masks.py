"""Inpainting on masks of a user: in training, in evaluating and in protocols."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from PIL import Image
from short_runs import HOLD, assert_equal_bits, run_and_stop, saved

import palette
from palette.cli.main import main
from palette.config import merge, read_toml
from palette.data.cache import CachedSource
from palette.data.images import read
from palette.data.opening import open_source
from palette.errors import PictureError, UserError
from palette.fitting import fit
from palette.resolving import resolve
from palette.training.set import TrainingSet

COUNT = 4


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four PNG files of 32×32; mask i has a white column for each number up to i, from the left."""
    folder = tmp_path_factory.mktemp("masks")
    for number in range(COUNT):
        white = np.zeros((32, 32), np.uint8)
        white[:16, : 2 * number + 2] = 255
        Image.fromarray(white).save(folder / f"{number}.png")
    return folder


def masks_seen(region: np.ndarray) -> int:
    """Which of the masks a region is, mirrored or not; IndexError for none."""
    for number in range(COUNT):
        white = np.zeros((32, 32))
        white[:16, : 2 * number + 2] = 1
        ways = [white, white[::-1], white[:, ::-1], white[::-1, ::-1]]
        if any(np.array_equal(region, way) for way in ways):
            return number
    raise IndexError("none of the masks")


def options(masks: Path | str) -> dict[str, Any]:
    return {"options": {"mask_files": str(masks)}}


@pytest.mark.parametrize("npz", [False, True])
def test_examples_have_the_masks(photos: Path, masks: Path, tmp_path: Path, npz: bool) -> None:
    where = masks
    if npz:
        arrays = [np.asarray(Image.open(masks / f"{i}.png")) > 0 for i in range(COUNT)]
        where = tmp_path / "masks.npz"
        np.savez(where, arrays=arrays)
    config, members = resolve("inpainting", TINY, options(where))
    source = open_source(photos)
    config, members = fit(config, members, source, None)
    assert config.options["mask_files"] == str(where)
    assert len(config.options["mask_digest"]) == 64
    examples = TrainingSet(CachedSource(source, 2**24), members, config)
    seen = {masks_seen(examples.example(position)["region"][0]) for position in range(40)}
    assert seen == set(range(COUNT))


def test_stopped_and_resumed_is_the_same_to_the_bit(
    photos: Path, masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The masks may have moved; others are refused."""
    here = shutil.copytree(masks, tmp_path / "masks")
    layer = options(here)
    config = merge(TINY, HOLD, layer, {"model": {"dropout": 0.1}})
    palette.train("inpainting", photos, tmp_path / "once", steps=4, seed=5, config=config)
    what = (photos, 4, "inpainting", layer)
    twice = run_and_stop(2, monkeypatch, tmp_path / "twice", *what, workers=2)

    (here / "more.png").write_bytes((here / "0.png").read_bytes())
    with pytest.raises(UserError, match=r"other masks than the run was begun with.*--accept-data"):
        palette.resume(twice)
    accepted = shutil.copytree(twice, tmp_path / "accepted")
    palette.resume(accepted, steps=3, accept_data=True)
    (earlier,) = json.loads((accepted / "run.json").read_text())["earlier_data"]
    assert "options.mask_digest" in earlier["changes"][0]
    (here / "more.png").unlink()
    moved = here.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"no folder and no \.npz file"):
        palette.resume(twice)
    text = (twice / "config.toml").read_text().replace(str(here), str(moved))
    (twice / "config.toml").write_text(text)
    palette.resume(twice)
    assert_equal_bits(saved(tmp_path / "once", 4), saved(twice, 4))

    shutil.rmtree(moved)  # restoring needs the model and the picture alone
    model = palette.load(twice, steps=1)
    hole = np.zeros((40, 40), bool)
    hole[5:9, 5:9] = True
    assert model.restore(np.zeros((40, 40, 3), np.float32), mask=hole).shape == (40, 40, 3)


def test_a_generalist_has_them_in_a_part(photos: Path, masks: Path, tmp_path: Path) -> None:
    parts = {"inpainting": {"mask_files": str(masks)}}
    chosen = {"tasks": "inpainting,denoising", "parts": parts}
    palette.train("generalist", photos, tmp_path / "run", steps=1, options=chosen, config=TINY)
    saved_parts = read_toml(tmp_path / "run" / "config.toml")["options"]["parts"]
    assert saved_parts["inpainting"].keys() == {"mask_files", "mask_digest"}


def test_what_does_not_fit_is_one_line(
    photos: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "inpainting", "--data", str(photos), "--out", str(tmp_path / "run")]
    for flags, message in {
        ("--mask-files", str(tmp_path / "gone")): "no folder and no .npz file of masks is there",
        ("--mask-files", str(photos / "a" / "photo-0.png")): "no folder and no .npz file of masks",
        ("--mask-files", str(masks), "--severity", "0.5"): "leave severity and set out",
    }.items():
        assert main([*train, *flags]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert not (tmp_path / "run").exists()


def test_a_broken_mask_is_named_before_the_run_begins(
    photos: Path, masks: Path, tmp_path: Path
) -> None:
    shutil.copytree(masks, tmp_path / "masks")
    (tmp_path / "masks" / "1.png").write_bytes(b"none")
    config = merge(TINY, options(tmp_path / "masks"), {"train": {"workers": 1}})
    with pytest.raises(PictureError, match=r"masks are broken: cannot read the mask .*1\.png"):
        palette.train("inpainting", photos, tmp_path / "run", steps=2, config=config)
    assert not (tmp_path / "run").exists()


def evaluated(report: Path) -> dict[str, np.ndarray]:
    """The masks that were used, by the names of the pictures."""
    names = json.loads((report / "manifest.json").read_text())["names"]
    return {name: read(report / "mask" / f"{name}.png").picture[..., 0] for name in names}


def test_evaluating_takes_them_in_order_or_by_name(
    trained: dict[str, Path], photos: Path, masks: Path, tmp_path: Path
) -> None:
    run = str(trained["inpainting"])
    judge = ["evaluate", run, "--data", str(photos), "--answer", "mean", "--limit", "3"]
    in_order = tmp_path / "in-order"
    assert main([*judge, "--mask-files", str(masks), "--out", str(in_order)]) == 0
    for number, mask in enumerate(evaluated(in_order).values()):
        assert mask.shape != (32, 32)  # resized to the picture
        assert mask.mean() == pytest.approx((2 * number + 2) / 64, abs=0.02)
        assert mask[0, 0] == 1  # not mirrored
        assert mask[-1].max() == 0
    named = tmp_path / "named-masks"
    for number, name in enumerate(reversed(list(evaluated(in_order)))):
        (named / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(masks / f"{number}.png", named / f"{name}.png")
    by_name = tmp_path / "by-name"
    assert main([*judge, "--mask-files", str(named), "--out", str(by_name)]) == 0
    means = [mask.mean() for mask in evaluated(by_name).values()]
    assert means == sorted(means, reverse=True)


def test_a_protocol_with_own_masks_has_a_digest_of_its_own(
    trained: dict[str, Path], photos: Path, masks: Path, tmp_path: Path
) -> None:
    digests = set()
    for number, own in enumerate((None, str(masks))):
        report = tmp_path / str(number)
        request: dict[str, Any] = {"limit": 1, "answers": ("mean",), "metrics": ("psnr",)}
        request["protocol"] = "photos-inpainting"
        palette.evaluate(trained["inpainting"], photos, report, mask_files=own, **request)
        manifest = json.loads((report / "manifest.json").read_text())
        digests.add(manifest["protocol"]["digest"])
        assert (manifest["masks"] is None) == (own is None)
    assert len(digests) == 2


def test_they_are_for_models_that_fill_holes(
    trained: dict[str, Path], generalist: Path, photos: Path, masks: Path, tmp_path: Path
) -> None:
    for run in (trained["denoising"], generalist):
        with pytest.raises(UserError, match="fills no holes: leave --mask-files out"):
            palette.evaluate(run, photos, tmp_path / "report", mask_files=str(masks))
    assert not (tmp_path / "report").exists()
