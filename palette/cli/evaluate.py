"""`palette evaluate MODEL`: measure a model on clean pictures and write a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Evaluate:
    """Degrade clean pictures, restore them, measure every picture, and write report.html,
    report.json and rows.csv. Stopped and started again, it goes on where it was."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    data: str = "bundled"
    """Clean pictures: a folder, an .h5 file, or "bundled" (the held-out part)."""
    out: Path = Path("report")
    """A new folder, or one where this very evaluation was begun."""
    metrics: str | None = None
    """Names with commas: psnr,ssim,ms-ssim,consistency,drift,hole,lpips,fid,kid,is,ca,ca-top5,pd,
    diversity,… (psnr,ssim or the protocol's otherwise)."""
    protocol: str | None = None
    """Frozen settings, with the paper's rows: palette-jpeg-q5, sr3-64-256, photos-jpeg, …"""
    limit: int | None = None
    """The first so many pictures only."""
    answer: Literal["mean", "sample", "both"] = "both"
    """The rows of the model."""
    steps: int | None = None
    """Evaluations of the network for a sample (the model's own otherwise)."""
    sampler: str = "dpmpp_2m_sde"
    eta: float = 0.2
    """Fresh noise of the samplers that end in _sde: 1 the reverse SDE, 0 the ODE."""
    grid: str = "auto"
    """Where the noise levels lie: auto (as `palette search` found, else logsnr), logsnr, karras or
    palette."""
    samples: int = 1
    """Samples of every picture, for diversity and the report's strips."""
    seed: int = 0
    luma: bool = False
    """PSNR and SSIM of BT.601 luma instead of RGB."""
    border: int = 0
    """Pixels that PSNR and SSIM leave out at every side."""
    reference: Path | None = None
    """Statistics for FID (.npz of mu and sigma); otherwise those of the originals."""
    dataset: str | None = None
    """What you declare the pictures to be, e.g. imagenet-ctest10k, for the paper's rows."""
    shard: str = "0/1"
    """i/n: do every n-th block, from the i-th, counted from 0; then `palette merge`."""
    cas_test: Path | None = None
    """Real pictures in class folders, for the metric cas: --data is then the training set."""
    cas_profile: Literal["quick", "paper-cifar", "paper-imagenet"] = "quick"
    """How the classifiers of cas are trained."""
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


def run(args: Evaluate) -> int:
    from palette.api import load
    from palette.data.opening import open_source
    from palette.eval.evaluate import Request, finish, run_shard
    from palette.eval.measure import parse_shard

    shard = parse_shard(args.shard)
    request = Request(
        metrics=args.metrics.split(",") if args.metrics else None,
        limit=args.limit,
        seed=args.seed,
        protocol=args.protocol,
        answers=("mean", "sample") if args.answer == "both" else (args.answer,),
        steps=args.steps,
        samples=args.samples,
        luma=args.luma,
        border=args.border,
        weights={
            "inception": args.weights_inception,
            "classifier": args.weights_classifier,
            "googlenet": args.weights_googlenet,
            "alexnet": args.weights_alexnet,
        },
        reference=args.reference,
        dataset=args.dataset,
        cas_test=open_source(args.cas_test) if args.cas_test else None,
        cas_profile=args.cas_profile,
        device=args.device,
        title=args.title,
    )
    source = open_source(args.data, split="held_out")
    model = load(args.model, device=args.device, sampler=args.sampler, eta=args.eta, grid=args.grid)
    workspace = run_shard(model, source, args.out, request, shard)
    if shard.of > 1:
        print(f"Shard {args.shard} is done; join all {shard.of}: palette merge FOLDERS --out DIR")
        return OK
    report = finish(workspace)
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return OK
