"""What a user may choose beside the format, and which formats have a use for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palette.errors import UserError

To = Literal["palette", "onnx", "torch", "diffusers", "spandrel", "hub"]
Precision = Literal["bf16", "fp32"]
Say = Callable[[str], None]
"""Gets a line for each file."""

USED: dict[To, tuple[str, ...]] = {
    "palette": ("precision", "card", "mean"),
    "onnx": ("task", "scale", "license", "repo"),
    "torch": ("task", "scale"),
    "diffusers": (),
    "spandrel": (),
    "hub": ("precision", "card", "mean", "license", "repo", "report"),
}


@dataclass(frozen=True)
class Choices:
    """None: not chosen."""

    task: str | None = None
    scale: int | None = None
    precision: Precision | None = None
    card: Path | None = None
    license: str | None = None
    repo: str | None = None
    report: Path | None = None
    mean: tuple[str, ...] | None = None

    def refuse_unused(self, to: To) -> None:
        """UserError for what the format ``to`` has no use for."""
        for name, value in vars(self).items():
            if value is not None and name not in USED[to]:
                others = " or ".join(other for other, used in USED.items() if name in used)
                raise UserError(
                    f"{name} is {value}: --to {to} has no use for it, --to {others} has"
                )
