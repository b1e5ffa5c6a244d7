"""`palette restore MODEL IN … OUT`: pictures and folders of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from palette.cli.arguments import parse_sampling
from palette.errors import OK, SOME_FAILED, UserError
from palette.progress import Progress
from palette.restoring.output import Output
from palette.restoring.sampling import Sampling
from palette.shard import Shard, parse_shard
from palette.workers.flags import Workers

if TYPE_CHECKING:
    from palette.machine.format import Format
    from palette.restoring.restorer import Restorer


@dataclass(frozen=True)
class Restore:
    """Restore pictures. Inputs are never touched; every output is complete or absent.

    `palette restore IN OUT` is short for `palette restore photos IN OUT`: photos is the model that
    comes with the package. Of two paths the first is a picture or a folder, also one called photos;
    of three or more it is the model.
    """

    model: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="[MODEL]", help_behavior_hint="")
    ]
    """A run folder, a model folder or the name of a model of the package."""
    source: Annotated[
        tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="IN", help_behavior_hint="")
    ] = None
    """A picture, or a folder of pictures."""
    more: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="[IN ...] OUT", help_behavior_hint=""),
    ] = ()
    """More of them, and last the output: a picture file (for one picture), or a folder."""
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
    output: Annotated[Output, tyro.conf.OmitArgPrefixes] = field(default_factory=Output)
    recursive: bool = True
    """Go into subfolders."""
    shard: str = "0/1"
    """i/n: restore every n-th picture, from the i-th, counted from 0; then `palette merge`."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    workers: Annotated[Workers, tyro.conf.OmitArgPrefixes] = field(default_factory=Workers)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: the faster of fp32 and bf16, as measured once; bf16 needs hardware for it. fp16: for
    models that were trained in it, on GPUs without bf16."""


def read_arguments(args: Sequence[str]) -> Restore:
    """With the sampling of the model where a flag says no other."""
    return parse_sampling(Restore, args)


def run(args: Restore) -> int:
    shard = parse_shard(args.shard)
    args = _with_its_model(args)
    assert args.source is not None
    *sources, out = args.source, *args.more
    for path in (*sources, out):
        if str(path) == "-":
            raise UserError("- is no path: pictures do not go through pipes, name files or folders")
    for source in sources:
        if not source.exists():
            raise UserError(f"there is no picture or folder {source}: check the path")
    if len(sources) == 1 and sources[0].is_file():
        return _restore_one(args, sources[0], out)
    return _restore_several(args, sources, out, shard)


def _with_its_model(args: Restore) -> Restore:
    """Two paths are a picture and its place, unless the first is a model."""
    from palette.models import DEFAULT, also_pictures, find

    if args.more:
        if args.model != args.source and also_pictures(args.model):
            warnings.warn(
                f"{args.model} is the model of this name; to restore what is in {args.model} too, "
                f"name it twice: palette restore {args.model} {args.model} {args.source} …",
                stacklevel=2,
            )
        return args
    if args.source is None or (find(args.model) is not None and not also_pictures(args.model)):
        raise UserError(
            f"{args.source or args.model} has no place to go: give an output file or folder "
            f"behind it"
        )
    return replace(args, model=Path(DEFAULT), source=args.model, more=(args.source,))


def _restore_one(args: Restore, source: Path, out: Path) -> int:
    from palette.data.encoding import FORMATS
    from palette.restoring.folder import restore_file
    from palette.restoring.job import target_of
    from palette.workers.begin import named

    into_folder = out.is_dir() or out.suffix == ""
    target = out / target_of(Path(source.name), args.output) if into_folder else out
    if target.suffix.lower() not in FORMATS:
        raise UserError(f"{target}: cannot write {target.suffix!r}; choose of {', '.join(FORMATS)}")
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the input, which is never replaced: choose another output")
    if target.exists() and not args.output.overwrite:
        raise UserError(f"{target} exists: choose another output, or replace it by --overwrite")
    mask = args.mask
    if mask is not None and mask.is_dir():
        from palette.restoring.masks import Masks

        mask = Masks(mask).of(Path(source.name))
    args.output.require_quality(target)
    (device, *_) = named(args.workers.names(args.device))  # one picture is the work of one
    restorer = _restorer(args, device)
    restore_file(restorer, source, target, args.seed, mask, args.extend, args.output)
    print(target)
    return OK


def _restore_several(args: Restore, sources: list[Path], out: Path, shard: Shard) -> int:
    from palette.restoring.job import Job
    from palette.restoring.there import all_there, note, say_again

    if args.mask is not None and not args.mask.is_dir():
        raise UserError(f"{args.mask} is no folder: with several pictures give a folder of masks")
    job = Job(
        sources=tuple(sources),
        out=out,
        output=args.output,
        seed=args.seed,
        masks=args.mask,
        extend=args.extend,
        recursive=args.recursive,
        shard=shard,
    )
    items, devices = job.items(), args.workers.names(args.device)
    own, asked = shard.part(items), _asked(args, devices)
    if all_there(job, own, asked):
        say_again(job, items)
        return _said(args, out, len(own), 0, len(own))
    from palette.restoring.folder import RestoreWork, restore_items
    from palette.workers.begin import begun

    failed = skipped = 0
    with (
        begun(RestoreWork(partial(_restorer, args), job), devices, args.workers.engine) as team,
        Progress(len(own), "restore") as bar,
    ):
        for result in restore_items(team, job, items):
            skipped += result.skipped
            if result.error is not None:
                failed += 1
                bar.write(f"palette: {result.error}")
            bar.update()
    note(job, asked)
    return _said(args, out, len(own), failed, skipped)


def _said(args: Restore, out: Path, count: int, failed: int, skipped: int) -> int:
    were = "was" if skipped == 1 else "were"
    print(f"{count - failed} of {count} pictures in {out}, {skipped} {were} there already")
    shard = parse_shard(args.shard)
    if shard.of > 1:
        print(f"Shard {args.shard} is done; join all {shard.of}: palette merge {out}")
    return SOME_FAILED if failed else OK


def _asked(args: Restore, devices: str) -> dict[str, Any]:
    """All of a command that decides what comes of an input, as plain JSON values."""
    from palette.files import sha256
    from palette.models import find

    model = find(args.model)
    files = [] if model is None else [model / "model.json", model / "searched.json"]
    return {
        "model": [sha256(file) for file in files if file.exists()],
        "task": args.task,
        "scale": args.scale,
        "sampling": args.sampling.as_json(),
        "seed": args.seed,
        "extend": args.extend,
        "output": args.output.settings(),
        "device": devices,
        "precision": args.precision,
    }


def _restorer(args: Restore, device: str, form: Format | None = None) -> Restorer:
    from palette.api import load

    loaded = load(
        args.model,
        task=args.task,
        scale=args.scale,
        device=device,
        precision=form or args.precision,
    )
    return loaded.using(args.sampling)
