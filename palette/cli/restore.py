"""`palette restore MODEL IN OUT`: one picture or a folder of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from palette.errors import OK, SOME_FAILED, UserError
from palette.progress import Progress
from palette.restoring.sampling import Sampling
from palette.shard import parse_shard


@dataclass(frozen=True)
class Restore:
    """Restore pictures. Inputs are never touched; every output is complete or absent."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    source: tyro.conf.Positional[Path]
    """A picture, or a folder of pictures."""
    out: tyro.conf.Positional[Path]
    """A picture file (for one picture), or a folder."""
    task: str | None = None
    """Which of its tasks, for a model that has several."""
    scale: int | None = None
    """How many times larger, for a model that has several scales."""
    sampling: Annotated[Sampling, tyro.conf.OmitArgPrefixes] = field(default_factory=Sampling)
    seed: int = 0
    """Of the noise: the same seed gives the same picture."""
    mask: Path | None = None
    """What is missing, in white: a picture, or for a folder one with masks of the same names."""
    extend: tuple[int, int, int, int] | None = None
    """Pixels to add at the left, top, right and bottom (uncropping)."""
    format: Literal["png", "jpg", "webp", "tif"] = "png"
    """Of the outputs in a folder."""
    recursive: bool = True
    """Go into subfolders."""
    shard: str = "0/1"
    """i/n: restore every n-th picture, from the i-th, counted from 0."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: the faster one, as measured once on the machine; bf16 needs hardware for it."""


def run(args: Restore) -> int:
    from palette.api import load
    from palette.restoring.folder import FolderJob, restore_file, restore_folder

    if not args.source.exists():
        raise UserError(f"there is no picture or folder {args.source}: check the path")
    shard = parse_shard(args.shard)
    loaded = load(
        args.model,
        task=args.task,
        scale=args.scale,
        device=args.device,
        precision=args.precision,
    )
    restorer = loaded.using(args.sampling)
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
    job = FolderJob(
        source=args.source,
        out=args.out,
        seed=args.seed,
        masks=args.mask,
        extend=args.extend,
        recursive=args.recursive,
        suffix=f".{args.format}",
        shard=shard,
    )
    failed = skipped = done = 0
    with Progress(len(job.inputs()), "restore") as bar:
        for result in restore_folder(restorer, job):
            done, skipped = done + 1, skipped + result.skipped
            if result.error is not None:
                failed += 1
                bar.write(f"palette: {result.error}")
            bar.update()
    print(f"{done - failed} of {done} pictures in {args.out}, {skipped} were there already")
    return SOME_FAILED if failed else OK
