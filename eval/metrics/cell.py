"""What a metric comes to: a value for one picture, a cell of the table for all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Value = float | str
"""Of one picture: a finite number, or the reason why there is none."""


class Undefined(ValueError):
    """A metric has no value for a picture, such as the SSIM of a very small one."""


@dataclass(frozen=True)
class Cell:
    """One figure of the table: of one row and one metric.

    ``value`` is None where there is no figure; ``reason`` then says why. ``count`` is the number
    of pictures behind it, ``low`` to ``high`` its 95 % interval (None: too few pictures).
    ``left_out`` says which pictures have no value, ``warning`` what makes the figure doubtful,
    ``note`` what else a reader should know. ``halves`` are a set metric's values of half-samples,
    for its differences to other rows; a report has the intervals that come of them.
    """

    value: float | None
    count: int
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    left_out: str | None = None
    warning: str | None = None
    note: str | None = None
    halves: tuple[float, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values; what does not apply is left out."""
        kept = ("value", "count") if self.value is None else ("value", "count", "low", "high")
        values = asdict(self)
        del values["halves"]
        return {k: v for k, v in values.items() if v is not None or k in kept}
