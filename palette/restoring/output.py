"""How restored pictures are written: the choices of a user as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from palette.errors import UserError

LOSSY = (".jpg", ".jpeg", ".webp")
"""Suffixes of formats that have a quality."""


@dataclass(frozen=True)
class Output:
    """The defaults lose nothing."""

    format: Literal["png", "jpg", "webp", "tif", "auto"] = "png"
    """Of outputs in a folder. auto: that of the input, png where it cannot be written."""
    suffix: str = ""
    """Added to the names of outputs in a folder, such as _x4."""
    quality: int | None = None
    """1 to 100, of jpg and webp. Without it jpg has 95 and webp is lossless."""
    strip_metadata: bool = False
    """Write neither EXIF nor XMP, dpi nor a colour profile; the pixels are sRGB then."""
    overwrite: bool = False
    """Replace outputs that were made otherwise or are not of this tool. Inputs never are."""

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UserError(f"quality is {self.quality}: choose 1 to 100, 95 is usual")
        if Path(f"a{self.suffix}").name != f"a{self.suffix}" or "\0" in self.suffix:
            raise UserError(f"suffix is {self.suffix!r}: give a part of a name, such as _x4")

    def require_quality(self, target: Path) -> None:
        """UserError for a quality where the format of ``target`` has none."""
        if self.quality is not None and self.quality_of(target) is None:
            raise UserError(
                f"quality is {self.quality}: {target.suffix[1:]} loses nothing, leave it out"
            )

    def quality_of(self, target: Path) -> int | None:
        """The quality, for formats that have one."""
        return self.quality if target.suffix.lower() in LOSSY else None

    def settings(self) -> dict[str, Any]:
        """What decides the bytes of a file, as plain JSON values."""
        return {"quality": self.quality, "strip_metadata": self.strip_metadata}
