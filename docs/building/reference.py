"""Directives that write the reference from the code: settings, commands, tasks and lists."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import os
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

COLUMNS = "84"
"""How wide the help of a command is set."""


def type_text(hint: Any) -> str:
    """A type as a user writes its values: `logsnr | normal`, `int | auto`."""
    if hint is type(None):
        return "none"
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_text(args[0])
    if origin is typing.Literal:
        return " | ".join(map(str, args))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_text(arg) for arg in args)
    if origin is tuple:
        return " ".join("…" if arg is ... else type_text(arg) for arg in args)
    return getattr(hint, "__name__", str(hint))


def value_text(value: Any) -> str:
    """A default as a user writes it."""
    if value is None:
        return "none"
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def field_docs(cls: type) -> dict[str, str]:
    """The docstrings below the fields of a dataclass, those of its bases included."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            found = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
            docs |= {
                name: " ".join(" ".join(lines).split())
                for (owner, name), lines in found.items()
                if owner == base.__name__
            }
    return docs


def settings(cls: type, prefix: str = "", index: bool = False) -> Iterator[str]:
    """Each field of a dataclass that can be set, as Markdown; ``index``: others link to it."""
    from palette.config import options_of

    hints, docs = typing.get_type_hints(cls, include_extras=True), field_docs(cls)
    for key, field in options_of(cls).items():
        default = field.default
        if dataclasses.is_dataclass(default) or field.name not in docs:
            continue  # a table of its own, or what the data decide
        name = f"{prefix}{key}"
        yield f"````{{confval}} {name}\n:type: {type_text(hints[field.name])}"
        yield f":default: {value_text(default)}" + ("" if index else "\n:no-index:")
        yield f"\n{docs[field.name]}\n````\n"


def tasks() -> Iterator[str]:
    from palette.tasks import trainable

    for name, cls in trainable().items():
        yield f"## {name}\n\n{inspect.getdoc(cls)}\n"
        yield from settings(cls)


def degradations() -> Iterator[str]:
    from palette.degradations import catalogue

    groups = {"Pipelines": catalogue.PIPELINES, "Operators": catalogue.OPERATORS}
    named = [name for group in groups.values() for name in group]
    rest = {n: entry for n, entry in catalogue.DEGRADATIONS.items() if n not in named}
    for title, group in {**groups, "ImageNet-C": rest}.items():
        yield f"## {title}\n"
        for name in group:
            yield f"`{name}`\n: {catalogue.about(name)}\n"


def metrics() -> Iterator[str]:
    from palette.eval.metrics.registry import METRICS

    for name, metric in METRICS.items():
        unit = f", {metric.unit}" if metric.unit else ""
        best = {"zero": "0 is right"}.get(metric.better, f"{metric.better} is better")
        yield f"`{name}`\n: **{metric.title}**{unit}; {best}. {metric.expect}\n"


def help_text(name: str) -> str:
    """What `palette NAME --help` prints."""
    from palette.cli.main import main

    printed = io.StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": COLUMNS}),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main([name, "--help"])
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue())


def commands() -> Iterator[str]:
    from palette.cli.examples import EXAMPLES
    from palette.cli.main import COMMANDS

    for name, about in COMMANDS.items():
        yield f"## {name}\n\n{about[0].upper()}{about[1:]}.\n"
        yield "```sh\n" + "\n".join(EXAMPLES[name]) + "\n```\n"
        text = help_text(name).split("\nexamples:")[0].strip()
        yield f"<details><summary>palette {name} --help</summary>\n\n```text\n{text}\n```\n"
        yield "</details>\n"


LISTS: dict[str, Callable[[], Iterator[str]]] = {
    "tasks": tasks,
    "degradations": degradations,
    "metrics": metrics,
    "commands": commands,
}


class Listing(SphinxDirective):
    """`{listing} tasks`: one of LISTS."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the code may have changed
        text = "\n".join(LISTS[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Settings(SphinxDirective):
    """`{settings} palette.config.TrainConfig` with a `:prefix:`: the fields of a dataclass."""

    required_arguments = 1
    option_spec = {"prefix": directives.unchanged, "index": directives.flag}  # noqa: RUF012 - as Sphinx has it

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        lines = settings(cls, self.options.get("prefix", ""), "index" in self.options)
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("listing", Listing)
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
