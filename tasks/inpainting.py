"""Inpainting (Palette, Saharia et al. 2022): fill holes of any shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import tyro

from palette.degradations.mask_files import MaskFiles
from palette.degradations.masks import Hole
from palette.errors import UserError
from palette.tasks.base import HoleTask


@dataclass(frozen=True)
class Inpainting(HoleTask):
    """Trained on 60 % free-form strokes and 40 % rectangles, or on masks of your own."""

    degradation: str = "palette_inpainting"
    mask_files: str | None = None
    """Your own masks in place of the degradation: a folder of pictures, white where something is
    missing, or FILE.npz, FILE.npz:ARRAY."""
    mask_digest: tyro.conf.Suppress[str | None] = field(default=None, metadata={"found": True})
    """Of the masks that the run was begun with."""
    name: ClassVar[str] = "inpainting"

    def __post_init__(self) -> None:
        if self.mask_files is None:
            super().__post_init__()
        elif self.severity is not None or self.pins:
            raise UserError("masks of your own are taken as they are: leave severity and set out")

    @property
    def operator(self) -> Hole:
        return super().operator if self.mask_files is None else self._own_holes

    @cached_property
    def _own_holes(self) -> Hole:
        """Opened where the first hole is cut: restoring does not need the masks."""
        assert self.mask_files is not None
        return Hole(MaskFiles(self.mask_files))
