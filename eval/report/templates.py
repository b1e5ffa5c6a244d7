"""The pages' templates: Jinja, what is filled in is escaped, styles and tables are shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from palette.eval.report.result import figure, signed


def fill(
    name: str, values: dict[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """The page of the template ``name`` beside this file; ``filters`` are those that it adds."""
    from jinja2 import Environment, FunctionLoader

    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    environment.filters["signed"] = signed
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)


def _read(name: str) -> str:
    return resources.files("palette.eval.report").joinpath(name).read_text(encoding="utf-8")
