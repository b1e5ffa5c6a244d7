"""Packages that palette does not need, and that an extra of its installation brings."""

from __future__ import annotations

import importlib.util

from palette.errors import UserError


def require(*packages: str, extra: str) -> None:
    """UserError with the command that installs ``extra`` where one of its packages is missing."""
    missing = [package for package in packages if not is_there(package)]
    if missing:
        raise UserError(f"this needs {' and '.join(missing)}: {cure(extra)}")


def is_there(package: str) -> bool:
    """Whether it could be imported; it is not."""
    return importlib.util.find_spec(package) is not None


def cure(extra: str) -> str:
    """The command that installs it."""
    return f"pip install 'palette-diffusion[{extra}]'"
