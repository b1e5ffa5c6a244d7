"""The metrics of an evaluation: checked, plain, and part of the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from palette.errors import UserError, nearest
from palette.eval.metrics.registry import GROUPS, METRICS, PerPicture, PerSet, Trained
from palette.eval.metrics.weights import Weights, find
from palette.eval.request import Measuring, WeightsFiles
from palette.machine.device import choose_device

USUAL = ("psnr", "ssim")
USUAL_OF_MODELS = (*USUAL, "octaves")
"""Of tasks whose pictures are made whole: a sample is to have the detail of the original."""
USUAL_OF_HOLES = (*USUAL, "hole")
"""Of tasks that fill holes: the pixels outside are known, and flatter every answer alike."""

How = TypeVar("How", PerPicture, PerSet, Trained)


@dataclass(frozen=True)
class Settings:
    """The metrics by name, in the order of the table, and how distortion is measured."""

    metrics: tuple[str, ...] = USUAL
    luma: bool = False
    border: int = 0
    device: str = "cpu"

    @classmethod
    def of(cls, asked: Measuring, usual: Sequence[str] = USUAL) -> Settings:
        """What ``asked`` says, or the ``usual`` metrics; UserError names the nearest known one."""
        known = [*METRICS, *GROUPS]
        chosen: list[str] = []
        for name in usual if asked.metrics is None else asked.metrics:
            if name not in known:
                raise UserError(f"unknown metric {name!r}: {nearest(name, known)}")
            chosen += [single for single in GROUPS.get(name, (name,)) if single not in chosen]
        if not chosen:
            raise UserError(f"no metrics: choose from {', '.join(known)}")
        return cls(tuple(chosen), asked.luma, asked.border, choose_device(asked.device).type)

    def computed(self, how: type[How]) -> dict[str, How]:
        """Those of the metrics that are computed in this way, by name."""
        ways = {name: METRICS[name].how for name in self.metrics}
        return {name: way for name, way in ways.items() if isinstance(way, how)}

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"metrics": list(self.metrics)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        return cls(**{**value, "metrics": tuple(value["metrics"])})


def weights_for(settings: Settings, files: WeightsFiles) -> dict[str, Weights]:
    """The weights that these metrics need, found and digested before any work begins."""
    kinds = {METRICS[name].weights for name in settings.metrics}
    return {kind: find(kind, getattr(files, kind)) for kind in sorted(k for k in kinds if k)}
