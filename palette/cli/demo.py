"""`palette demo`: what the model of the package makes of photographs it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from palette.errors import OK

STEPS = 500
"""About two minutes on two CPU cores."""
SIDE = 216
"""Of the squares that are cut from the middle of the photographs, for every task to take its turn
in a minute."""


@dataclass(frozen=True)
class Demo:
    """Restore photographs that the model of the package has not seen, at each of its tasks, and
    write a report with sliders from before to after.

    With --train a model is made from nothing instead: 4x super-resolution in two minutes, on
    photographs that scikit-image ships.
    """

    out: Path = Path("palette-demo")
    """A new folder for the report, and for the run of --train."""
    train: bool = False
    """Train a small model first."""
    steps: int = STEPS
    """Steps of the optimizer in all, with --train."""
    seed: int = 0
    """Of the degradations and the noise, and of the training."""


def run(args: Demo) -> int:
    return _train(args) if args.train else _show(args)


def _show(args: Demo) -> int:
    import palette
    from palette.models import DEFAULT

    originals = _squares(args.out / "originals")
    print("Damaging and restoring three photographs, a task after the other …")
    overview = palette.evaluate(DEFAULT, originals, args.out / "report", seed=args.seed)
    assert isinstance(overview, palette.Overview)  # of several tasks
    print(f"\n{'PSNR, dB':22}{'baseline':>10}{'mean answer':>13}{'one sample':>12}")
    for name, report in overview.reports.items():
        metric = "psnr-hole" if "psnr-hole" in report.metrics else "psnr"
        cells = [report.value(row, metric) or math.nan for row in ("baseline", "mean", "sample")]
        print("{:22}{:10.2f}{:13.2f}{:12.2f}".format(name, *cells))
    print(
        f"""
The baseline is bicubic, the file itself, grey, or a smooth filling of the hole. The mean answer
(one evaluation) is what PSNR favours. A sample has the detail that the mean lacks: it is invented.
Now your own pictures:

    palette restore small.jpg large.png --task super-resolution --scale 4
    palette restore old.jpg clean.png --task jpeg-restoration --answer mean
    palette demo --train

Open {overview.html}"""
    )
    return OK


def _squares(out: Path) -> Path:
    """The middle of each held-out photograph, as a PNG file."""
    from palette.data.images import write
    from palette.data.opening import BUNDLED, open_source

    source = open_source(BUNDLED, "held_out")
    out.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(source.ids):
        picture = source.read(index)
        top, left = ((side - SIDE) // 2 for side in picture.shape[:2])
        write(out / f"{name}.png", picture[top : top + SIDE, left : left + SIDE])
    return out


def _train(args: Demo) -> int:
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
