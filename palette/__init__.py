"""Image-to-image diffusion after Palette and SR3: one U-Net, one loss, many restoration tasks.

import palette

model = palette.train("super-resolution", data="photos/", out="runs/x4")
photo = model.restore("small.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palette.api import evaluate, load, resume, train

__version__ = "0.1.0.dev0"
__all__ = ["evaluate", "load", "resume", "train"]


def __getattr__(name: str) -> Any:
    """The public functions are imported when first used: importing palette costs nothing."""
    if name in __all__:
        from palette import api

        return getattr(api, name)
    raise AttributeError(f"module 'palette' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
