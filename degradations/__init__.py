"""Degradations: random operators whose draws are recorded and replayed."""

from __future__ import annotations

from palette.degradations.base import Degradation
from palette.degradations.catalogue import DEGRADATIONS, build

__all__ = ["DEGRADATIONS", "Degradation", "build"]
