"""Packages that palette does not need, and that an extra of its installation brings."""

from __future__ import annotations

import importlib.util

from palette.errors import UserError


def require(*packages: str, extra: str) -> None:
    """UserError with the command that installs ``extra`` where one of its packages is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"this needs {' and '.join(missing)}: pip install 'palette-diffusion[{extra}]'"
        )
