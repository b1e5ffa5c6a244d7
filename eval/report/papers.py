"""What the papers report, to be printed beside own rows, and whether the two can be compared.

Figures are those of Palette (Saharia et al. 2022): JPEG table 4, colorization tables 1 (5,000
pictures) and 8, inpainting tables 2 and 9, uncropping table 3; and of SR3 (Saharia et al. 2021), as
published. LDM-4 is Rombach et al. 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from palette.eval.metrics.registry import METRICS


@dataclass(frozen=True)
class PaperRow:
    """One published row: figures by metric, and how many pictures they are of (None: not said).

    ``source`` is where it was published, "" for those of this file. ``parameters`` are in millions;
    ``multiply_adds`` in 10⁹, for an output of 1280 × 720. ``classifier`` is CA's, where the paper
    names one alone; ``unlike`` is what else keeps it from being compared, whatever is measured.
    ``luma_of_all``: files of one channel were judged by their luma too.
    """

    title: str
    figures: dict[str, float]
    count: int | None = None
    note: str = ""
    source: str = ""
    parameters: float | None = None
    multiply_adds: float | None = None
    classifier: str = ""
    unlike: str = ""
    luma_of_all: bool = False

    @property
    def about(self) -> str:
        """Cost, note and source in one line; "" where nothing of them is known."""
        parts = [self.note, self.source]
        if self.multiply_adds is not None:
            parts.insert(0, f"{self.multiply_adds:g} G multiply-adds at 1280×720")
        if self.parameters is not None:
            parts.insert(0, f"{self.parameters:g} M parameters")
        return "; ".join(part for part in parts if part)

    def shown(self, metric: str) -> str:
        """A figure with the digits of its table: of dB in the literature two."""
        value = self.figures[metric]
        return f"{value:.2f}" if self.source and metric.startswith("psnr") else str(value)


def _palette(
    title: str,
    fid: float,
    inception: float,
    ca: float,
    pd: float,
    count: int = 10_000,
    note: str = "",
) -> PaperRow:
    return PaperRow(title, {"fid": fid, "is": inception, "ca": ca, "pd": pd}, count, note)


def _imagenet(title: str, figures: dict[str, float]) -> PaperRow:
    return PaperRow(title, figures, 50_000)


_ORIGINALS = _palette("originals", 2.7, 250.1, 76.0, 0.0)
_ORIGINALS_5K = _palette("originals", 14.68, 229.6, 75.6, 0.0, 5000)
_ORIGINALS_INPAINTING = _palette("originals", 5.1, 231.6, 74.6, 0.0)

JPEG_Q5 = (
    _palette("regression", 29.0, 73.9, 52.8, 155.4),
    _palette("Palette", 8.3, 133.6, 64.2, 95.5),
    _palette("Palette, one model for all tasks", 7.0, 137.8, 64.7, 92.4),
    _ORIGINALS,
)
JPEG_Q10 = (
    _palette("regression", 18.0, 117.2, 63.5, 102.2),
    _palette("Palette", 5.4, 180.5, 70.7, 58.3),
    _ORIGINALS,
)
JPEG_Q20 = (
    _palette("regression", 11.5, 158.7, 69.7, 65.4),
    _palette("Palette", 4.3, 208.7, 73.5, 37.1),
    _ORIGINALS,
)
COLORIZATION_5K = (
    _palette("regression", 17.89, 169.8, 68.2, 60.0, 5000, "fool rate 39.45 %"),
    _palette("Palette", 15.78, 200.8, 72.5, 46.2, 5000, "fool rate 47.80 %"),
    _ORIGINALS_5K,
)
COLORIZATION = (
    _palette("Palette, L2", 3.4, 212.9, 72.0, 48.0),
    _palette("Palette, L1", 3.4, 215.8, 71.9, 45.8),
    _ORIGINALS,
)
INPAINTING_FREEFORM = (
    _palette("DeepFill v2", 9.4, 174.6, 68.8, 64.7),
    _palette("HiFill", 12.4, 157.0, 65.7, 86.2),
    _palette("Palette", 5.2, 205.5, 72.3, 27.6),
    _ORIGINALS_INPAINTING,
)
INPAINTING_CENTER = (
    _palette("DeepFill v2", 18.0, 135.3, 64.3, 117.2),
    _palette("HiFill", 20.1, 126.8, 62.3, 129.7),
    _palette("Palette", 6.6, 173.9, 69.3, 59.5),
    _ORIGINALS_INPAINTING,
)
UNCROPPING = (
    _palette("Boundless", 18.7, 104.1, 58.8, 127.9),
    _palette("Palette", 5.8, 138.1, 63.4, 85.9),
    _ORIGINALS,
)
SR3_16_128 = (
    PaperRow("PULSE", {"psnr": 16.88, "ssim": 0.44, "consistency": 161.1}),
    PaperRow("FSRGAN", {"psnr": 23.01, "ssim": 0.62, "consistency": 33.8}),
    PaperRow("regression", {"psnr": 23.96, "ssim": 0.69, "consistency": 2.71}),
    PaperRow("SR3", {"psnr": 23.04, "ssim": 0.65, "consistency": 2.68}),
)
SR3_64_256 = (
    _imagenet("reference", {"fid": 1.9, "is": 240.8}),
    _imagenet("regression", {"fid": 15.2, "is": 121.1, "psnr": 27.9, "ssim": 0.801}),
    _imagenet("SR3", {"fid": 5.2, "is": 180.1, "psnr": 26.4, "ssim": 0.762}),
    _imagenet("LDM-4, 100 steps", {"fid": 2.8, "is": 166.3, "psnr": 24.4, "ssim": 0.69}),
)


@dataclass(frozen=True)
class ComparedRow(PaperRow):
    """A paper's row beside own rows, with the figures of metrics that were measured here alone.

    ``because`` says why it cannot be compared with own rows; where it is empty, it can.
    """

    because: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self, titles: Mapping[str, str]) -> str:
        """A line for a terminal. ``titles`` are those of the metrics, by name."""
        figures = ", ".join(f"{titles[name]} {self.shown(name)}" for name in self.figures)
        verdict = f"no, because {'; '.join(self.because)}" if self.because else "yes"
        about = f" ({self.about})" if self.about else ""
        return f"paper: {self.title}{about}: {figures or '–'} (comparable: {verdict})"


def beside(
    rows: tuple[PaperRow, ...],
    manifest: Mapping[str, Any],
    dataset: str | None,
    reference_count: int | None,
    one_channel: Sequence[str] = (),
) -> list[ComparedRow]:
    """The paper's rows; ``dataset`` and ``reference_count`` are those of its figures.

    ``one_channel`` names the pictures that were judged without luma because they have none.
    """
    measured = manifest["settings"]["metrics"]
    general = []
    if dataset is not None and manifest.get("dataset") != dataset:
        general.append(f"the pictures are not declared to be {dataset} (--dataset {dataset})")
    if "FreeForm" in (manifest.get("protocol") or {}).get("operator", ""):
        general.append("the holes were drawn here, not read from the paper's (--mask-files)")
    return [
        ComparedRow(
            **{one.name: getattr(row, one.name) for one in fields(PaperRow) if one.name != FIGURES},
            figures={name: row.figures[name] for name in row.figures if name in measured},
            because=[
                *_own_reasons(row, manifest, reference_count),
                *(_judged_by_luma(one_channel) if row.luma_of_all else ()),
                *general,
            ],
        )
        for row in rows
    ]


FIGURES = "figures"
"""The field of a row that differs beside own rows."""


def _judged_by_luma(one_channel: Sequence[str]) -> list[str]:
    if not one_channel:
        return []
    return [
        f"its table judges {', '.join(one_channel)}, of one channel, by the luma too: give the "
        "file three channels to be judged alike"
    ]


def _own_reasons(
    row: PaperRow, manifest: Mapping[str, Any], reference_count: int | None
) -> list[str]:
    reasons = [row.unlike] if row.unlike else []
    measured = set(row.figures) & set(manifest["settings"]["metrics"])
    if not measured:
        reasons.append("none of its metrics was measured")
    if row.count is not None and manifest["pictures"] != row.count:
        pictures = "picture" if manifest["pictures"] == 1 else "pictures"
        reasons.append(f"{manifest['pictures']} {pictures}, not {row.count}")
    reference = manifest.get("reference") or {"count": manifest["pictures"]}
    if "fid" in measured and reference_count and reference["count"] != reference_count:
        reasons.append(
            f"FID against {reference['count'] or 'an unknown number of'} pictures, "
            f"not {reference_count} (--reference)"
        )
    if "ca" in measured and row.classifier != "ResNet-50":
        reasons.append(
            "CA: by ResNet-50, which the paper's text names; its appendix C.5 names EfficientNet-B0"
        )
    needed = {METRICS[name].weights for name in measured}
    reasons += [
        f"the weights of {kind} are not the published ones"
        for kind, weights in manifest["weights_of_metrics"].items()
        if kind in needed and not weights["published"]
    ]
    if "pd" in measured:
        reasons.append("PD: torchvision's GoogLeNet is not the paper's Inception-v1")
    return reasons
