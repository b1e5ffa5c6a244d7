"""`palette demo`: from nothing to a trained model and a report, on bundled photographs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from palette.errors import OK

STEPS = 500
"""About two minutes on two CPU cores."""


@dataclass(frozen=True)
class Demo:
    """Train 4x super-resolution on photographs that scikit-image ships, restore others that it
    has not seen, and write a report."""

    out: Path = Path("palette-demo")
    """A new folder for the run and its report."""
    steps: int = STEPS
    """Steps of the optimizer in all."""
    seed: int = 0
    """Of the training and of the evaluation."""


def run(args: Demo) -> int:
    import palette
    from palette.eval.report.findings import gap

    print(f"Training 4x super-resolution for {args.steps} steps on bundled photographs …")
    model = palette.train(
        "super-resolution", out=args.out / "run", steps=args.steps, seed=args.seed
    )
    print("Restoring three photographs that it has not seen …")
    report = palette.evaluate(model, out=args.out / "report", seed=args.seed)
    assert isinstance(report, palette.Report)  # of the one task
    psnr = {row: report.value(row, "psnr") or math.nan for row in ("baseline", "mean")}
    gain, below = psnr["mean"] - psnr["baseline"], gap(report) or math.nan
    print(
        f"""
{report.as_text()}

The mean answer (one evaluation) is {gain:+.2f} dB from bicubic: PSNR favours means.
One sample is {below:.2f} dB below it (pooled error; draws of the exact posterior: 3.01).
It has detail that the mean lacks, and that detail is invented.
Two minutes on a few photographs are only a start. Train longer, on your own pictures:

    palette train super-resolution --data YOUR_PHOTOS --out runs/x4

Open {report.html}"""
    )
    return OK
