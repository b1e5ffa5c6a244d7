"""`palette search MODEL`: the noise levels that suit a model, saved with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Search:
    """Find the levels at which a sampler does with few evaluations what the same network does in
    hundreds of ancestral steps, and save them with the model: `palette restore` then uses them for
    this sampler, start and number of steps."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    data: str = "bundled"
    """Clean pictures, others than those to be judged by: a folder, an .h5 file, or "bundled"."""
    steps: int = 8
    """Evaluations of the network for a sample."""
    sampler: str = "dpmpp_2m_sde"
    start: Literal["noise", "condition", "mean"] = "noise"
    eta: float = 0.2
    """Fresh noise that the search begins with, for samplers that end in _sde."""
    start_logsnr: float = -3.0
    """Where the search begins for starts from an estimate."""
    pictures: int = 24
    """Crops of the training size that are restored in each trial."""
    samples: int = 4
    """Samples of each crop."""
    reference_steps: int = 250
    """Ancestral steps that are to be matched."""
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


def run(args: Search) -> int:
    from palette.api import load
    from palette.checkpoint import save_searched
    from palette.data.opening import open_source
    from palette.restoring.sampling import Sampling
    from palette.restoring.search import Trial, crops, search

    restorer = load(args.model, device=args.device, precision=args.precision)
    source = open_source(args.data, split="held_out")
    observed, clean = crops(restorer, source, args.pictures, args.seed)
    trial = Trial(restorer, observed, clean, args.samples, args.reference_steps)
    begin = Sampling(
        steps=args.steps,
        sampler=args.sampler,
        start=args.start,
        start_logsnr=args.start_logsnr,
        eta=args.eta,
        grid="logsnr",
    )
    before = trial.score(begin)
    print(f"{'score':>8}  log-SNR of the levels")
    print(f"{before:8.4f}  logsnr grid", flush=True)

    def show(found: Sampling, score: float) -> None:
        nodes = " ".join(f"{value:.2f}" for value in found.logsnrs or ())
        print(f"{score:8.4f}  {nodes}  eta {found.eta:.2f}", flush=True)

    best, score = search(trial, begin, show)
    entry = {
        "sampler": args.sampler,
        "start": args.start,
        "steps": args.steps,
        "logsnrs": list(best.logsnrs or ()),
        "eta": best.eta,
        "score": score,
        "score_of_logsnr_grid": before,
        "reference_steps": args.reference_steps,
        "pictures": args.pictures,
        "samples": args.samples,
        "data": source.fingerprint(),
    }
    save_searched(args.model, entry)
    print(
        f"saved: `palette restore` uses them with --steps {args.steps} --sampler {args.sampler} ",
        f"--start {args.start}",
        sep="",
    )
    return OK
