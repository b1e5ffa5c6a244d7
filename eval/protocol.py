"""What a protocol is: frozen settings of an evaluation, so that two reports can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from palette.degradations import Degradation
from palette.errors import UserError
from palette.eval.conventions import Conventions, keyed_rng
from palette.eval.metrics.pixels import to_uint8
from palette.eval.pictures import Model, SquareResize
from palette.eval.report.papers import ComparedRow, PaperRow, beside
from palette.eval.report.result import Report
from palette.eval.request import Measuring
from palette.eval.settings import Settings
from palette.types import Params, Picture, Spec, Task


class Pair(NamedTuple):
    """A clean picture (H, W, 3), on 8 bits, what is made of it, and how.

    ``grey``: both are judged as one channel.
    """

    clean: Picture
    given: Picture
    grey: bool
    params: Params


@dataclass(frozen=True)
class Protocol:
    """Settings of an evaluation.

    ``operator`` degrades; None is the degradation of the model's own task, as it was trained.
    ``side``: pictures are cut to their central square and resized to this by ``resize``, smaller
    pictures are refused where it is "area" (SR3's way); None keeps them.
    ``dataset``: what the paper's figures are of; the user must declare the same to compare.
    ``reference_count``: how many pictures the paper's reference statistics are of.
    ``conventions``: of the restoration literature's tables.
    """

    name: str
    task: str
    operator: Degradation | None
    metrics: tuple[str, ...]
    side: int | None = None
    resize: SquareResize = "bicubic"
    dataset: str | None = None
    reference_count: int | None = None
    paper: tuple[PaperRow, ...] = ()
    conventions: Conventions | None = None

    @property
    def scale(self) -> int:
        """What divides the sides of a clean picture."""
        return (self.operator.scale if self.operator else None) or 1

    def misfit(self, task: Task) -> str | None:
        """Why a task cannot be judged by it, in words; None where it can."""
        if task.name != self.task:
            return f"is for {self.task}, the model is for {task.name}"
        wanted = None if self.operator is None else self.operator.scale
        if wanted is not None and wanted != task.scale:
            return f"enlarges {wanted} times, the model {task.scale} times"
        return None

    def fitting(self, models: Mapping[str, Model]) -> list[str]:
        """The tasks of a model, by name, that can be judged by it.

        Where one has the name of its kind, "super-resolution-x4", a part under a name of a user's
        own, "real-x4", is left out: that was trained for another degradation.
        """
        found = [name for name, model in models.items() if not self.misfit(model.task)]
        kind = {self.task, f"{self.task}-x{self.scale}"}
        return [name for name in found if name in kind] or found

    def pair(self, picture: Picture, one_channel: bool) -> Pair:
        """What a protocol with conventions makes of the picture of a file, as they have it.

        ``one_channel`` says what the file holds. UserError for a picture below the scale.
        """
        assert self.conventions is not None
        assert self.operator is not None
        height, width = (side // self.scale * self.scale for side in picture.shape[:2])
        if not height or not width:
            raise UserError(f"too small for protocol {self.name}: ×{self.scale} needs more pixels")
        clean = to_uint8(picture[:height, :width]).astype(np.float32) / np.float32(255)
        clean, grey = self.conventions.clean(clean, one_channel)
        params = self.operator.draw(Spec(height, width), keyed_rng(0, clean))
        return Pair(clean, self.operator.apply(clean, params), grey, params)

    def settings(self, asked: Measuring) -> Settings:
        """Its metrics, or those that are asked for; UserError for another luma or border."""
        found, own = Settings.of(asked, self.metrics), self.conventions
        if own is None:
            return found
        if (asked.luma and not own.luma) or asked.border not in (0, own.border):
            of = "luma" if own.luma else "all channels"
            raise UserError(
                f"protocol {self.name} measures {of}, without a border of {own.border} pixels: "
                "leave --luma and --border out"
            )
        return replace(found, luma=own.luma, border=own.border)

    def as_json(self) -> dict[str, Any]:
        """Everything that the measured figures depend on."""
        found = {
            "name": self.name,
            "task": self.task,
            "operator": repr(self.operator),
            "metrics": list(self.metrics),
            "side": self.side,
            "resize": self.resize,
        }
        if self.conventions is not None:
            found["conventions"] = asdict(self.conventions)
        return found

    def beside(self, report: Report) -> list[ComparedRow]:
        """The paper's rows, for the report of an evaluation by it."""
        luma = self.conventions is not None and self.conventions.luma
        grey = [p.record.name for p in report.pictures if luma and p.record.grey]
        known = self.dataset, self.reference_count
        return beside(self.paper, report.manifest, *known, one_channel=grey)
