"""`palette restore MODEL IN OUT`: one picture or a folder of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from palette.errors import OK, SOME_FAILED, UserError


@dataclass(frozen=True)
class Restore:
    """Restore pictures. Inputs are never touched; every output is complete or absent."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    source: tyro.conf.Positional[Path]
    """A picture, or a folder of pictures."""
    out: tyro.conf.Positional[Path]
    """A picture file (for one picture), or a folder."""
    answer: Literal["mean", "sample"] = "sample"
    """mean: one evaluation, the regression answer, smooth and near. sample: a draw with detail."""
    steps: int = 8
    """Evaluations of the network for a sample."""
    sampler: str = "dpmpp_2m_sde"
    grid: str = "auto"
    """Where the noise levels lie: auto (as `palette search` found, else logsnr), logsnr, karras or
    palette."""
    samples: int = 1
    """Samples that are averaged."""
    start: Literal["noise", "condition", "mean"] = "noise"
    """What a sample starts from: noise, the condition, or the mean answer (one evaluation)."""
    start_logsnr: float = -3.0
    """Log-SNR of the first level where the start is an estimate."""
    eta: float = 0.2
    """Fresh noise of the samplers that end in _sde: 1 the reverse SDE, 0 the ODE."""
    resamplings: int = 10
    """How often `--sampler repaint` makes each step."""
    guidance: float = 1.0
    """Weight of the condition, for models trained with --diffusion.drop-condition; 1 is none."""
    level: float = 0.0
    """Of conditioning augmentation, for models that were trained with it."""
    tile: int | Literal["auto"] = "auto"
    """Side of the tiles that the network sees at once. auto: tiles of 512 above a megapixel."""
    seed: int = 0
    mask: Path | None = None
    """What is missing, in white: a picture, or for a folder one with masks of the same names."""
    extend: tuple[int, int, int, int] | None = None
    """Pixels to add at the left, top, right and bottom (uncropping)."""
    format: Literal["png", "jpg", "webp", "tif"] = "png"
    recursive: bool = True
    """Go into subfolders."""
    shard: str = "0/1"
    """i/n: restore every n-th picture, from the i-th, counted from 0."""
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


def run(args: Restore) -> int:
    from palette.api import load
    from palette.restoring.folder import restore_file, restore_folder

    if not args.source.exists():
        raise UserError(f"there is no picture or folder {args.source}: check the path")
    shard = _shard(args.shard)
    restorer = load(
        args.model,
        device=args.device,
        precision=args.precision,
        answer=args.answer,
        steps=args.steps,
        sampler=args.sampler,
        grid=args.grid,
        samples=args.samples,
        start=args.start,
        start_logsnr=args.start_logsnr,
        eta=args.eta,
        resamplings=args.resamplings,
        guidance=args.guidance,
        level=args.level,
        tile=args.tile,
    )
    if args.source.is_file():
        is_file = args.out.suffix != "" and not args.out.is_dir()
        target = args.out if is_file else args.out / f"{args.source.stem}.{args.format}"
        if target.exists():
            raise UserError(f"{target} exists and is not overwritten: choose another output")
        restore_file(restorer, args.source, target, args.seed, args.mask, args.extend)
        print(target)
        return OK
    if args.mask is not None and not args.mask.is_dir():
        raise UserError(f"{args.mask} is no folder: with a folder of pictures give one of masks")
    results = restore_folder(
        restorer,
        args.source,
        args.out,
        args.seed,
        args.mask,
        args.extend,
        args.recursive,
        f".{args.format}",
        shard,
    )
    failed = skipped = done = 0
    from tqdm import tqdm

    for result in tqdm(results, unit="picture", disable=None):
        done, skipped = done + 1, skipped + result.skipped
        if result.error is not None:
            failed += 1
            tqdm.write(f"palette: {result.error}", file=sys.stderr)
    print(f"{done - failed} of {done} pictures in {args.out}, {skipped} were there already")
    return SOME_FAILED if failed else OK


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise UserError(f"shard is {text!r}: give i/n with 0 ≤ i < n, e.g. 0/4")
    return int(match[1]), int(match[2])
