"""Where the numbers of a run go beside metrics.jsonl: to TensorBoard, or to a user's function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palette.types import Picture

Values = Mapping[str, float | Picture]
"""Numbers by name, and the strip of a validation: (H, W, 3) float32 in [0, 1]."""
Log = Callable[[int, Values], None]
"""Gets a step and what is new at it: train/loss, validation/gain, validation/strip …"""


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Those of a line of metrics.jsonl, nested ones by their path: validation/loss/-8."""
    named = line if "validation" in line else {"train": line}
    return {name: float(value) for name, value in _paths(named) if value is not None}


def _paths(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}/{name}", inner) for name, inner in _paths(value))
        elif key != "step":
            yield key, value


@contextmanager
def tensorboard(folder: Path, step: int) -> Iterator[Log]:
    """Events in ``folder``; those after ``step`` that an earlier process wrote no longer count."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder, purge_step=step + 1) as writer:

        def log(step: int, values: Values) -> None:
            for name, value in values.items():
                if isinstance(value, float):
                    writer.add_scalar(name, value, step)
                else:
                    writer.add_image(name, value, step, dataformats="HWC")
            writer.flush()

        yield log
