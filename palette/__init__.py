"""Image-to-image diffusion after Palette and SR3: one U-Net, one loss, many restoration tasks.

import palette

model = palette.train("super-resolution", data="photos/", out="runs/x4")
photo = model.restore("small.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palette.api import load, resume, search, train
    from palette.errors import (
        Diverged,
        IntegrityError,
        InUse,
        MachineError,
        PaletteError,
        PictureError,
        Preempted,
        UserError,
    )
    from palette.eval.protocols import Protocol
    from palette.eval.report.benchmark import Benchmark
    from palette.eval.report.overview import Overview
    from palette.eval.report.result import Report
    from palette.exporting.export import export
    from palette.judging import benchmark, compare, evaluate
    from palette.preparing import degrade, pack
    from palette.restoring.restorer import Restorer
    from palette.restoring.sampling import Sampling

    __version__: str

__all__ = [
    "Benchmark",
    "Diverged",
    "InUse",
    "IntegrityError",
    "MachineError",
    "Overview",
    "PaletteError",
    "PictureError",
    "Preempted",
    "Protocol",
    "Report",
    "Restorer",
    "Sampling",
    "UserError",
    "benchmark",
    "compare",
    "degrade",
    "evaluate",
    "export",
    "load",
    "pack",
    "resume",
    "search",
    "train",
]
_ROOMS = {
    "Benchmark": "palette.eval.report.benchmark",
    "Overview": "palette.eval.report.overview",
    "Protocol": "palette.eval.protocols",
    "Report": "palette.eval.report.result",
    "Restorer": "palette.restoring.restorer",
    "Sampling": "palette.restoring.sampling",
    "benchmark": "palette.judging",
    "compare": "palette.judging",
    "degrade": "palette.preparing",
    "evaluate": "palette.judging",
    "export": "palette.exporting.export",
    "pack": "palette.preparing",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used: importing palette costs nothing."""
    import importlib

    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("palette-diffusion")
    if name not in __all__:
        raise AttributeError(f"module 'palette' has no attribute {name!r}")
    room = _ROOMS.get(name, "palette.api" if name.islower() else "palette.errors")
    return getattr(importlib.import_module(room), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
