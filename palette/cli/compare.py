"""`palette compare RESTORED REFERENCE`: measure the pictures of any tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Compare:
    """Measure restored pictures against their originals of the same names, and write report.html,
    report.json and rows.csv. Missing, extra and duplicate names are errors."""

    restored: tyro.conf.Positional[Path]
    """A folder of pictures that any tool made."""
    reference: tyro.conf.Positional[Path]
    """A folder with their originals."""
    out: Path = Path("report")
    """A new folder, or one where this very comparison was begun."""
    input: Path | None = None
    """A folder with what the tool was given: adds rows for it and for its bicubic enlargement."""
    masks: Path | None = None
    """A folder with what was missing, in white."""
    metrics: str = "psnr,ssim"
    """Names with commas: psnr,ssim,ms-ssim,consistency,drift,hole,lpips,fid,kid,is,ca,…"""
    luma: bool = False
    """PSNR and SSIM of BT.601 luma instead of RGB."""
    border: int = 0
    """Pixels that PSNR and SSIM leave out at every side."""
    statistics: Path | None = None
    """Statistics for FID (.npz of mu and sigma); otherwise those of the originals."""
    fool_pairs: int | None = None
    """Write OUT/fool-sheet.html: so many pairs for people to guess which is from a camera."""
    fool_seconds: float = 3.0
    """How long a pair is shown."""
    fool_answers: tuple[Path, ...] = ()
    """CSV files that the sheet saved: adds the fool rate to the report."""
    weights_inception: Path | None = None
    """pytorch-fid's Inception weights, for fid, kid and is, if not where it keeps them."""
    weights_classifier: Path | None = None
    """torchvision's ResNet-50, V1, for ca and ca-top5."""
    weights_googlenet: Path | None = None
    """torchvision's GoogLeNet, for pd."""
    weights_alexnet: Path | None = None
    """torchvision's AlexNet, for lpips and diversity-lpips."""
    title: str | None = None
    device: str = "auto"


def run(args: Compare) -> int:
    from palette.eval.compare import FoolStudy, compare

    fool = None
    if args.fool_pairs is not None or args.fool_answers:
        fool = FoolStudy(args.fool_pairs or 0, args.fool_seconds, answers=args.fool_answers)
    report = compare(
        args.restored,
        args.reference,
        args.out,
        args.metrics.split(","),
        given=args.input,
        masks=args.masks,
        luma=args.luma,
        border=args.border,
        weights={
            "inception": args.weights_inception,
            "classifier": args.weights_classifier,
            "googlenet": args.weights_googlenet,
            "alexnet": args.weights_alexnet,
        },
        statistics=args.statistics,
        device=args.device,
        title=args.title,
        fool=fool,
    )
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return OK
