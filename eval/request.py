"""What is asked of an evaluation: plain data, declared once for Python and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from palette.errors import UserError

if TYPE_CHECKING:
    from palette.eval.protocol import Protocol

Asked = Literal["mean", "sample"]
"""What a model is asked for."""
Answer = Literal["mean", "average", "sample"]
"""A row of a model; the average is the mean of its samples."""
ANSWERS: tuple[Answer, ...] = ("mean", "sample")
WORDS: dict[str, tuple[Answer, ...]] = {
    "mean": ("mean",),
    "average": ("average",),
    "sample": ("sample",),
    "both": ANSWERS,
    "all": ("mean", "average", "sample"),
}

Names = Annotated[
    tuple[str, ...],
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME,NAME",
        instance_from_str=lambda args: tuple(args[0].split(",")),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda names: [",".join(names)],
    ),
]
"""On the command line one word: names with commas between them."""

Answers = Annotated[
    tuple[Answer, ...],
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="{mean,average,sample,both,all}",
        choices=tuple(WORDS),
        instance_from_str=lambda args: WORDS[args[0]],
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda answers: [w for w, those in WORDS.items() if those == answers],
    ),
    tyro.conf.arg(name="answer"),
]
"""On the command line one word: --answer mean, average, sample, both or all."""


@dataclass(frozen=True)
class WeightsFiles:
    """Weights of the networks that judge pictures. None: the file is where torch keeps it."""

    inception: Annotated[Path | None, tyro.conf.arg(name="weights-inception")] = None
    """pytorch-fid's Inception weights, for fid, kid and is, if not where it keeps them."""
    classifier: Annotated[Path | None, tyro.conf.arg(name="weights-classifier")] = None
    """torchvision's ResNet-50, V1, for ca and ca-top5."""
    googlenet: Annotated[Path | None, tyro.conf.arg(name="weights-googlenet")] = None
    """torchvision's GoogLeNet, for pd."""
    alexnet: Annotated[Path | None, tyro.conf.arg(name="weights-alexnet")] = None
    """torchvision's AlexNet, for lpips and diversity-lpips."""
    squeezenet: Annotated[Path | None, tyro.conf.arg(name="weights-squeezenet")] = None
    """torchvision's SqueezeNet 1.1, for lpips-squeeze; .pth or .safetensors."""
    dists: Annotated[Path | None, tyro.conf.arg(name="weights-dists")] = None
    """pyiqa's file for dists."""
    niqe: Annotated[Path | None, tyro.conf.arg(name="weights-niqe")] = None
    """pyiqa's .mat for niqe, or BasicSR's niqe_pris_params.npz."""
    musiq: Annotated[Path | None, tyro.conf.arg(name="weights-musiq")] = None
    """pyiqa's file for musiq."""
    clip: Annotated[Path | None, tyro.conf.arg(name="weights-clip")] = None
    """OpenAI's RN50.pt, for clip-iqa."""
    topiq: Annotated[Path | None, tyro.conf.arg(name="weights-topiq")] = None
    """pyiqa's file for topiq."""


@dataclass(frozen=True)
class Measuring:
    """What is measured, and how: what evaluating and comparing share."""

    metrics: Names | None = None
    """Names with commas: psnr, ssim, psnr-b, psnr-b-colour, ms-ssim, psnr-hole, ssim-hole (both:
    hole), consistency, drift-red, drift-green, drift-blue (all: drift), octave-1, octave-2,
    octave-3 (all: octaves), lpips, lpips-squeeze, dists, topiq, niqe, musiq, clip-iqa, pd, ca,
    ca-top5, fid, kid, is, precision, recall; of a model also diversity, diversity-lpips,
    diversity-ms-ssim, cas, cas-top5. None: psnr,ssim, of a model octaves too, or hole where its
    task fills holes; with a protocol what that measures."""
    luma: bool = False
    """PSNR and SSIM of BT.601 luma instead of RGB."""
    border: int = 0
    """Pixels that PSNR and SSIM leave out at every side."""
    weights: Annotated[WeightsFiles, tyro.conf.OmitArgPrefixes] = WeightsFiles()
    protocol: str | None = None
    """Frozen settings, with rows of papers: palette-jpeg-q5, sr3-64-256, photos-jpeg, b100-x4,
    live1-grey-q10, cbsd68-sigma25, …"""
    dataset: str | None = None
    """What you declare the pictures to be, e.g. imagenet-ctest10k or b100, for the papers' rows."""
    title: str | None = None
    """Of the report."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        if self.border < 0:
            raise UserError(f"border {self.border}: choose 0 or more pixels")


@dataclass(frozen=True)
class Request(Measuring):
    """What is measured, of which pictures and answers."""

    mask_files: str | None = None
    """Your own masks, for models that fill holes: a folder, FILE.npz or FILE.npz:ARRAY. Each
    picture gets the mask of its name; where no mask has the name of a picture, all get them in
    order. They take the place of those of a protocol."""
    limit: int | None = None
    """Only this many pictures, the first ones. None: all."""
    answers: Answers = ANSWERS
    """The rows of the model: its mean answer, the average of its samples, one sample; both: the
    mean answer and a sample."""
    samples: int = 1
    """Samples of every picture, for diversity and to be shown side by side in the report."""
    seed: int = 0
    """Of the degradation, of the samples, and of the training for cas."""
    reference: Path | None = None
    """Statistics for FID (.npz of mu and sigma). None: those of the originals."""
    cas_test: Path | None = None
    """Real pictures in class folders, for cas and cas-top5: the evaluated pictures are then the
    training set."""
    cas_profile: Literal["quick", "paper-cifar", "paper-imagenet"] = "quick"
    """How the classifiers of cas are trained."""

    def __post_init__(self) -> None:
        super().__post_init__()
        answers = self.answers
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit {self.limit}: choose 1 or more, or none for all pictures")
        if self.samples < 1:
            raise UserError(f"samples {self.samples}: choose 1 or more")
        if not answers or set(answers) - set(WORDS["all"]) or len(set(answers)) < len(answers):
            raise UserError(
                f"answers {answers}: choose from mean, average, sample, each at most once"
            )
        if "average" in answers and self.samples == 1:
            raise UserError("the average of 1 sample is that sample: ask for more, --samples 8")


SuiteName = Literal["restoration"]
JUDGED_BY = {"alexnet": "lpips", "squeezenet": "lpips-squeeze"}
"""Metrics that are measured where the weights for them are named."""


@dataclass(frozen=True)
class Choices:
    """What of a suite is run, and how a model is judged."""

    protocols: Names | None = None
    """Some of them only, names with commas: set5-x4,live1-grey-q10. None: all that the data and the
    model's tasks allow."""
    metrics: Names | None = None
    """None: those of each protocol (psnr, ssim, for JPEG psnr-b), and lpips or lpips-squeeze where
    --weights-alexnet or --weights-squeezenet names their file."""
    answers: Answers = ("mean",)
    """The rows of the model: its mean answer (one evaluation of the network), the average of its
    samples, one sample; both: mean and sample."""
    samples: int = 8
    """Samples of the row average."""
    limit: int | None = None
    """Only this many pictures of each set, the first ones. None: all."""
    seed: int = 0
    """Of the noise in degradations and samples."""
    weights: Annotated[WeightsFiles, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightsFiles
    )
    title: str | None = None
    """Of the report."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""

    def request(self, protocol: Protocol, title: str) -> Request:
        """Of the evaluation by one protocol. A folder of its name is taken to be its data set."""
        metrics = self.metrics
        if metrics is None:
            named = [m for kind, m in JUDGED_BY.items() if getattr(self.weights, kind) is not None]
            metrics = (*protocol.metrics, *named)
        return Request(
            metrics=metrics,
            weights=self.weights,
            protocol=protocol.name,
            dataset=protocol.dataset,
            title=title,
            device=self.device,
            limit=self.limit,
            answers=self.answers,
            samples=self.samples if "average" in self.answers else 1,
            seed=self.seed,
        )


@dataclass(frozen=True)
class FoolStudy:
    """A fool-rate sheet to be written, or the answers to one that was."""

    pairs: Annotated[int | None, tyro.conf.arg(name="fool-pairs")] = None
    """Write OUT/fool-sheet.html with this many pairs: people guess which one is from a camera."""
    seconds: Annotated[float, tyro.conf.arg(name="fool-seconds")] = 3.0
    """How long a pair is shown."""
    answers: Annotated[tuple[Path, ...], tyro.conf.arg(name="fool-answers")] = ()
    """CSV files that the sheet saved: adds the fool rate to the report."""
    seed: tyro.conf.Suppress[int] = 0
