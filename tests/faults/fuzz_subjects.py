"""What is damaged: small files of every kind that the product reads, and the reader of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conftest import TINY
from handmade import colours, deep_colours, exif_block, unit
from PIL import Image, ImageCms, features

import palette
from palette import api, preparing
from palette.cli.train import read_arguments
from palette.config import merge, recipes, to_dict
from palette.data.cache import CachedSource
from palette.data.hdf5 import Hdf5Source
from palette.data.images import read, write
from palette.data.packing import pack
from palette.data.selecting import Selection
from palette.data.sources import FolderSource
from palette.degradations import records
from palette.degradations.mask_files import MaskFiles
from palette.eval import workspace
from palette.eval.metrics.frechet import Gaussian
from palette.resolving import begun
from palette.restoring.manifest import Made, Manifest, claim
from palette.shard import Shard
from palette.training.history import read_history
from palette.training.ranks import Ranks
from palette.training.run_folder import RunFolder
from palette.training.set import TrainingSet
from palette.types import Spec


@dataclass
class Subject:
    """A file, and what its reader makes of it while it is whole."""

    name: str
    path: Path
    read: Callable[[], str]
    checksum: bool = False
    """Whether the format lets every change of what is read be noticed."""
    also: Path | None = None
    """What an error may name instead: the folder that the file is of."""
    expected: str = field(init=False)
    whole: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.expected = self.read()
        self.whole = self.path.read_bytes()


def subjects(folder: Path) -> list[Subject]:
    """All of them, made in a new ``folder``."""
    folder.mkdir()
    return [*_pictures(folder), *_masks(folder), *_packs(folder), *_runs(folder), *_texts(folder)]


def _digest(*parts: Any) -> str:
    sha = hashlib.sha256()
    for part in parts:
        array = part.numpy() if isinstance(part, torch.Tensor) else part
        sha.update(array.tobytes() if isinstance(array, np.ndarray) else repr(part).encode())
    return sha.hexdigest()


def _pictures(folder: Path) -> list[Subject]:
    small, alpha = colours(24, 32), colours(24, 32)[..., :1]
    rgb, rgba = Image.fromarray(small), Image.fromarray(np.concatenate([small, alpha], -1))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = exif_block()
    made: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "rgb.png": (rgb, {}),
        "camera.png": (rgb, {"exif": exif, "icc_profile": profile}),
        "palette.png": (rgb.convert("P"), {"transparency": 3}),
        "rgba.png": (rgba, {}),
        "baseline.jpg": (rgb, {"exif": exif}),
        "progressive.jpg": (rgb, {"progressive": True, "icc_profile": profile, "quality": 95}),
        "grey.jpg": (rgb.convert("L"), {}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "lzw.tif": (rgb, {"compression": "tiff_lzw"}),
        "deflate.tif": (rgba, {"compression": "tiff_adobe_deflate", "icc_profile": profile}),
        "lossy.webp": (rgb, {"exif": exif}),
        "lossless.webp": (rgba, {"lossless": True}),
        "palette.gif": (rgb.convert("P"), {}),
        "rgb.bmp": (rgb, {}),
    }
    if features.check("avif"):
        made["rgb.avif"] = (rgb, {"exif": exif})
    for name, (image, settings) in made.items():
        image.save(folder / name, **settings)
    deep = unit(deep_colours(), 65535)
    write(folder / "deep.png", deep, bit_depth=16)
    write(folder / "deep.tif", deep, bit_depth=16)
    return [
        Subject(name, folder / name, _picture(folder / name), checksum=name.endswith(".png"))
        for name in [*made, "deep.png", "deep.tif"]
    ]


def _picture(path: Path) -> Callable[[], str]:
    def pixels() -> str:
        photo = read(path)
        return _digest(photo.picture, photo.alpha, photo.bit_depth, photo.grey)

    return pixels


def _masks(folder: Path) -> list[Subject]:
    """Of inpainting: a file, and arrays."""
    here = folder / "masks"
    here.mkdir()
    white = np.random.default_rng(0).random((3, 24, 32)) < 0.3
    Image.fromarray(white[0]).save(here / "mask.png")
    np.savez_compressed(here / "masks.npz", m=white)

    def reader(where: Path, name: str) -> Callable[[], str]:
        return lambda: _digest((masks := MaskFiles(str(where))).mask(masks.params_of(name, SIZE)))

    return [
        Subject("mask.png", here / "mask.png", reader(here, "mask.png")),
        Subject("masks.npz", here / "masks.npz", reader(here / "masks.npz", "1")),
    ]


SIZE = Spec(24, 32)
ALL: dict[str, Any] = {"data": {"val_share": 0.0}}
SAMPLING: dict[str, Any] = {"answer": "sample", "steps": 3}


def _photos(folder: Path) -> Path:
    """Six small pictures in classes, which train and are packed."""
    for i in range(6):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(colours(20 + i, 24), i, 2)).save(folder / "ab"[i % 2] / f"{i}.png")
    return folder


def _packs(folder: Path) -> list[Subject]:
    path = folder / "pack.h5"
    pack(FolderSource(_photos(folder / "photos")), path, Selection())

    def pixels() -> str:
        source = Hdf5Source(path)
        return _digest(source.ids, source.labels, *(source.read(i) for i in range(len(source))))

    def first() -> str:
        """As far as training reads it: structure and names are not of the pixels alone."""
        source = Hdf5Source(path)
        return _digest(source.ids, source.labels, source.about, source.stored(0))

    return [Subject("pack.h5", path, pixels, True), Subject("pack.h5 (first)", path, first)]


def _runs(folder: Path) -> list[Subject]:
    """The folder of a run: everything that resuming, restoring and watching read."""
    run, photos = folder / "run", folder / "photos"
    config = merge(TINY, {"train": {"checkpoint_every": 1, "log_every": 1}}, ALL)
    palette.train("denoising", photos, run, steps=2, config=config)
    (run / "left_out.json").write_text(
        '{"training": [{"picture": "a/0.png", "position": 1, "reason": "cut off"}]}'
    )
    model, step = run / "model", run / "checkpoints" / "step-2"
    left_out = photos / "a" / "0.png"
    left_out.write_bytes(bytes(left_out.stat().st_size))  # and so it stays
    weights = palette.load(run).digest
    asked = palette.Sampling(**SAMPLING).as_json()
    searched = {"task": "denoising", **{key: asked[key] for key in ("sampler", "start", "steps")}}
    searched |= {"logsnrs": [-4.0, 0.0, 4.0], "eta": 0.0, "detail": 0.0}
    (model / "searched.json").write_text(
        _json({"schema": 1, "weights": weights, "searched": [searched]})
    )

    def resumed() -> str:
        resolved, members = begun(run, {"data": {"path": str(photos)}})
        fitted, members, source, _ = api._fitted(resolved, members)
        crops = TrainingSet(CachedSource(source, 2**20), members, fitted)
        state = RunFolder(run, crops, None, Ranks(torch.device("cpu"))).load()
        tensors = state.denoiser.state_dict().values()
        return _digest(to_dict(fitted), state.step, state.targets, *tensors)

    def loaded() -> str:
        restorer = palette.load(run, device="cpu", precision="fp32", **SAMPLING)
        return _digest(restorer.settings(), *restorer.model.denoiser.state_dict().values())

    def watched() -> str:
        history = read_history(run)
        return _digest(history.steps, history.lines, history.speed, history.seconds_left)

    found = [
        Subject("model weights", model / "weights.safetensors", loaded, True),
        Subject("model.json", model / "model.json", loaded),
        Subject("searched.json", model / "searched.json", loaded),
        Subject("checkpoint weights", step / "weights.safetensors", resumed, True),
        Subject("checkpoint moments", step / "exp_avg.safetensors", resumed, True),
        Subject("state.json", step / "state.json", resumed),
        Subject("run.json", run / "run.json", resumed),
        Subject("left_out.json", run / "left_out.json", resumed),
        Subject("config.toml", run / "config.toml", resumed),
        Subject("metrics.jsonl", run / "metrics.jsonl", watched),
        Subject("metrics.jsonl (resumed)", run / "metrics.jsonl", resumed),
    ]
    return [replace(subject, also=run) for subject in found]


def _texts(folder: Path) -> list[Subject]:
    """Of restoring, evaluating, degrading, and settings of a user."""
    out = folder / "restored"
    out.mkdir()
    settings = {"model": "0" * 64, "seed": 0, "sampling": {"steps": 4}}
    made = Made("a.png", str(folder / "a.png"), "1" * 64, None, claim(out, settings, False, True))
    with Manifest(out, Shard()) as manifest:
        manifest.add(made)
        (out / "a.png").write_bytes(b"made")
    report = folder / "report"
    workspace.claim(report, {"names": ["a"], "seed": 0, "answers": ["mean"]})
    picture = read(folder / "rgb.png").picture
    preparing.degrade(
        "bsr", folder / "rgb.png", folder / "degraded.png", records=folder / "bsr.jsonl"
    )
    recipe = folder / "settings.toml"
    recipe.write_text(recipes()["sr3-64-256"].read_text())
    Gaussian(np.zeros(4), np.eye(4), 9).save(folder / "statistics.npz")

    def claimed() -> str:
        return claim(out, settings, False, True)

    def held() -> str:
        with Manifest(out, Shard()) as manifest:
            return str(manifest.holds(made, True))

    def evaluated() -> str:
        return repr(workspace.claim(report, {"names": ["a"], "seed": 0, "answers": ["mean"]}))

    def replayed() -> str:
        return _digest(*(record.replay(picture) for record in records.read(folder / "bsr.jsonl")))

    def configured() -> str:
        flags = ["super-resolution", "--config", str(recipe), "--out", "run"]
        return _digest(read_arguments(flags))

    def statistics() -> str:
        found = Gaussian.load(folder / "statistics.npz")
        return _digest(found.mean, found.covariance, found.count)

    return [
        Subject("settings of restored", out / ".palette-settings.json", claimed, also=out),
        Subject("restored.jsonl", out / "palette-restored.jsonl", held),
        Subject("manifest.json", report / "manifest.json", evaluated, also=report),
        Subject("records.jsonl", folder / "bsr.jsonl", replayed, also=Path("rgb.png")),
        Subject("settings.toml", recipe, configured),
        Subject("statistics.npz", folder / "statistics.npz", statistics),
    ]


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
