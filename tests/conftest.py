"""Small things that several tests need: pictures, a task list, a trained network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: a second thread only waits

import numpy as np
import pytest

DATA = Path(os.environ.get("PALETTE_TEST_DATA") or "nowhere")
"""Photographs, test sets and weights outside of the repository, where there are any."""
PHOTOS = DATA / "photos"

TINY: dict[str, Any] = {
    "model": {
        "width": 8,
        "multipliers": [1, 2],
        "blocks": 1,
        "groups": 4,
        "head_width": 8,
        "patch": 2,
    },
    "train": {
        "batch": 2,
        "precision": "fp32",
        "warmup_images": 4,
        "validate_every": 0,
        "workers": 0,
    },
    "data": {"size": 32},
}
"""A configuration that trains in seconds."""
SEVERAL = ["super-resolution-x2", "super-resolution-x4", "jpeg-restoration", "inpainting"]
"""What the fixture ``generalist`` serves."""


@pytest.fixture(autouse=True, scope="session")
def no_measuring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Formats are remembered in a folder of the tests' own, and no clock decides them."""
    from palette.machine.format import Format

    def pretend(denoiser: object, formats: Sequence[Format], mode: str) -> dict[str, float]:
        order = ["bf16 channels_last", "fp32 channels_last", "bf16 contiguous", "fp32 contiguous"]
        order += ["fp16 channels_last", "fp16 contiguous"]
        return {str(f): float(2 + order.index(str(f))) for f in formats}

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("palette.machine.format.measure", pretend)
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six small real photographs, in two subfolders and three formats."""
    from palette.data.images import write
    from palette.data.opening import open_source

    folder = tmp_path_factory.mktemp("photos")
    source = open_source("bundled")
    for i in range(6):
        picture = source.read(i)[40 : 40 + 48 + i, 30 : 30 + 64 - i]
        path = folder / "ab"[i % 2] / f"photo-{i}.{('png', 'jpg', 'webp')[i % 3]}"
        path.parent.mkdir(exist_ok=True)
        write(path, picture)
    return folder


@pytest.fixture(scope="session")
def blurred(photos: Path) -> Path:
    """What Pillow makes of ``photos``: their partners in pairs, all PNG."""
    return partners(photos)


def partners(photos: Path) -> Path:
    """A folder beside ``photos`` with a blurred picture for each of them."""
    from PIL import Image, ImageFilter

    folder = photos.with_name(f"{photos.name}-blurred")
    for path in photos.rglob("*.*"):
        partner = (folder / path.relative_to(photos)).with_suffix(".png")
        if not partner.exists():
            partner.parent.mkdir(parents=True, exist_ok=True)
            Image.open(path).convert("RGB").filter(ImageFilter.GaussianBlur(2)).save(partner)
    return folder


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, blurred: Path
) -> dict[str, Path]:
    """A run of two steps for each task."""
    import palette
    from palette.tasks import TASKS

    runs = {}
    for task in TASKS:
        runs[task] = tmp_path_factory.mktemp("runs") / task
        given = blurred if TASKS[task].paired else None
        palette.train(task, data=photos, out=runs[task], input=given, steps=2, config=TINY)
    return runs


@pytest.fixture(scope="session")
def generalist(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A run of two steps for four tasks at once: SEVERAL."""
    import palette

    run, options = tmp_path_factory.mktemp("runs") / "generalist", {"scale": "2,4"}
    options["tasks"] = "super-resolution:2,jpeg-restoration,inpainting:3"
    palette.train("generalist", data=photos, out=run, steps=2, options=options, config=TINY)
    return run


@pytest.fixture(scope="session")
def completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, which knows every flag of every command."""
    from palette.cli.completion import script
    from palette.cli.main import COMMANDS

    path = tmp_path_factory.mktemp("completion") / "bash"
    path.write_text(script("bash", COMMANDS), encoding="utf-8")
    return path


@pytest.fixture
def picture() -> np.ndarray:
    """(40, 56, 3) float32 in [0, 1], a piece of a real photograph on the grid of 8 bits."""
    from palette.data.opening import open_source

    return open_source("bundled", split="held_out").read(0)[100:140, 200:256].copy()
