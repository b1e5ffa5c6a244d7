"""What an evaluation measures and how: checked, plain, and part of the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palette.errors import UserError, nearest
from palette.eval.metrics.cas import CAS
from palette.eval.metrics.registry import METRICS
from palette.eval.metrics.set_metrics import POPULATIONS
from palette.eval.metrics.weights import PUBLISHED, Weights, find

GROUPS = {
    "drift": ("drift-red", "drift-green", "drift-blue"),
    "hole": ("psnr-hole", "ssim-hole"),
}
"""Short names for several metrics at once."""


@dataclass(frozen=True)
class Settings:
    """The metrics by name, in the order of the table, and how distortion is measured."""

    metrics: tuple[str, ...] = ("psnr", "ssim")
    luma: bool = False
    border: int = 0
    device: str = "cpu"

    @property
    def per_picture(self) -> list[str]:
        return [name for name in self.metrics if name in METRICS]

    @property
    def trained(self) -> list[str]:
        return [name for name in self.metrics if name in CAS]

    @property
    def populations(self) -> list[str]:
        return [name for name in self.metrics if name in POPULATIONS]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"metrics": list(self.metrics)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        return cls(**{**value, "metrics": tuple(value["metrics"])})


def choose(metrics: Sequence[str], luma: bool, border: int, device: str) -> Settings:
    """Settings of metrics and groups by name; ValueError names the nearest known one."""
    from palette.machine.device import choose_device

    known = [*METRICS, *POPULATIONS, *CAS]
    chosen: list[str] = []
    for name in metrics:
        for single in GROUPS.get(name, (name,)):
            if single not in known:
                raise UserError(f"unknown metric {single!r}: {nearest(single, [*known, *GROUPS])}")
            if single not in chosen:
                chosen.append(single)
    if not chosen:
        raise UserError(f"no metrics: choose from {', '.join([*known, *GROUPS])}")
    if border < 0:
        raise UserError(f"border {border}: choose 0 or more pixels")
    return Settings(tuple(chosen), luma, border, choose_device(device).type)


def weights_for(
    settings: Settings, paths: Mapping[str, str | Path | None] | None
) -> dict[str, Weights]:
    """The weights that these metrics need, found and digested before any work begins."""
    paths = paths or {}
    unknown = set(paths) - set(PUBLISHED)
    if unknown:
        raise UserError(f"weights {sorted(unknown)[0]!r}: choose from {', '.join(PUBLISHED)}")
    kinds = {METRICS[name].weights for name in settings.per_picture} - {None}
    if settings.populations:
        kinds.add("inception")
    return {kind: find(kind, paths.get(kind)) for kind in sorted(k for k in kinds if k)}
