"""`palette search MODEL`: the noise levels that suit a model, saved with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from palette.errors import OK
from palette.restoring.sampling import MOVABLE, Movable, Route, Sampling


@dataclass(frozen=True)
class Search:
    """Find the noise levels, eta and detail at which samples have the energy and the error of exact
    ones in every octave, and save them with the model: `palette restore` then uses them for this
    sampler, start and number of steps, and for this task."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    task: str | None = None
    """Which of its tasks, for a model that has several."""
    scale: int | None = None
    """How many times larger, for a model that has several scales."""
    route: Annotated[Route, tyro.conf.OmitArgPrefixes] = field(default_factory=Route)
    data: str = "bundled"
    """Clean pictures that the model has not seen: a folder, an .h5 file, or "bundled"."""
    input: Annotated[str | None, tyro.conf.arg(name="data.input")] = None
    """What was made of each of them, for a model of paired: a folder or an .h5 file."""
    move: tuple[Movable, ...] = MOVABLE
    """What is moved from where it begins; detail only with a --detail above 0."""
    pictures: int = 24
    """Crops of twice the training size that are restored in each trial: at the edges of smaller
    ones samples have less detail."""
    seed: int = 0
    """Of the crops and how they are degraded."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: the faster of fp32 and bf16, as measured once; bf16 needs hardware for it. fp16: for
    models that were trained in it, on GPUs without bf16."""


def run(args: Search) -> int:
    from palette.api import search

    print(f"{'score':>8}  log-SNR of the noise levels")

    def show(found: Sampling, score: float) -> None:
        nodes = " ".join(f"{value:.2f}" for value in found.logsnrs or ())
        shares = f"eta {found.eta:.2f}  detail {found.detail:.2f}"
        levels = f"{nodes or 'logsnr grid'}  {shares}"
        print(f"{score:8.4f}  {levels}", flush=True)

    best = search(
        args.model,
        args.data,
        input=args.input,
        task=args.task,
        scale=args.scale,
        move=args.move,
        pictures=args.pictures,
        seed=args.seed,
        device=args.device,
        precision=args.precision,
        progress=show,
        **asdict(args.route),
    )
    which = {"task": args.task, "scale": args.scale, "steps": best.steps, "sampler": best.sampler}
    which["start"] = best.start
    flags = " ".join(f"--{name} {value}" for name, value in which.items() if value is not None)
    print(f"saved: `palette restore` uses them with {flags}")
    return OK
