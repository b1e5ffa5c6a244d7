"""A model by many protocols: the report of each, and tables as the literature prints them.

A table is of one setting (×4, JPEG quality 10, σ 25): a line for each method, a column for each
metric of each test set, then what the method costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from palette.errors import UserError
from palette.eval.gallery import Row
from palette.eval.metrics.registry import Metric
from palette.eval.protocol import Protocol
from palette.eval.report.papers import ComparedRow
from palette.eval.report.result import SCHEMA, Report, Written, figure

PAPERS_MEGAPIXELS = 1280 * 720 / 1e6
"""Of the output that papers count multiply-adds for."""

SIMPLE = {
    "super-resolution": "bicubic",
    "jpeg-restoration": "JPEG as it is",
    "denoising": "noisy picture",
}
"""What the baseline of a task is called in the literature."""

SETS = {
    "b100": "B100",
    "cbsd68": "CBSD68",
    "div2k": "DIV2K",
    "live1": "LIVE1",
    "mcmaster": "McMaster",
}
"""Test sets that do not begin with the only large letter of their name."""

Column = tuple[str, str]
"""A test set and a metric."""


@dataclass(frozen=True)
class Cost:
    """Of a network: its name, ``parameters`` in millions, 10⁹ multiply-adds of one evaluation for a
    megapixel of the result, counted on pictures of ``side`` pixels; ``steps`` evaluations make a
    sample, and ``samples`` of them the average.
    """

    name: str
    parameters: float
    multiply_adds: float
    side: int
    steps: int
    samples: int

    def evaluations(self, row: str) -> int:
        """Of the network, for one answer of a row."""
        return {"mean": 1, "sample": self.steps, "average": self.steps * self.samples}[row]


@dataclass(frozen=True)
class Judged:
    """The evaluation by one protocol, and ``times``, its seconds by stage and answer."""

    protocol: Protocol
    report: Report
    times: Mapping[str, float]

    @property
    def dataset(self) -> str:
        return str(self.protocol.dataset)

    @property
    def setting(self) -> str:
        """What the protocol's name says beside the test set."""
        return self.protocol.name.removeprefix(f"{self.dataset}-")

    @property
    def megapixels(self) -> float:
        """Of all results of one answer."""
        return sum(p.record.height * p.record.width for p in self.report.pictures) / 1e6

    def seconds(self, row: str) -> float:
        """Of all results of one answer; 0 where no time was kept."""
        if row == "mean":
            return self.times.get("mean", 0.0)
        drawn = self.times.get("sample", 0.0)
        return drawn if row == "average" else drawn / self.report.manifest["samples"]

    def figures(self, row: str) -> dict[Column, float]:
        """Those that a row has."""
        values = {name: self.report.value(row, name) for name in self.report.metrics}
        return {(self.dataset, name): v for name, v in values.items() if v is not None}


@dataclass(frozen=True)
class Line:
    """One method: its figures by test set and metric, and what it costs.

    ``kind``: the model's own answers, the baseline, a row of a paper. ``parameters`` are in
    millions, ``multiply_adds`` in 10⁹ and ``seconds`` are for a megapixel of the result.
    ``because``: why a paper's row cannot be compared, "" where it can. ``short`` is the title in a
    plot.
    """

    title: str
    kind: Literal["own", "simple", "paper"]
    figures: dict[Column, float] = field(default_factory=dict)
    parameters: float | None = None
    multiply_adds: float | None = None
    seconds: float | None = None
    source: str = ""
    because: str = ""
    short: str = ""

    @property
    def comparable(self) -> bool:
        return not self.because


@dataclass(frozen=True)
class Table:
    """All methods in one setting."""

    setting: str
    title: str
    columns: Sequence[Column]
    metrics: Mapping[str, Metric]
    lines: Sequence[Line]

    def text(self, line: Line, column: Column) -> str:
        """A figure as it is printed; "" where the method has none."""
        value = line.figures.get(column)
        return "" if value is None else figure(value, self.metrics[column[1]].digits)

    def place(self, line: Line, column: Column) -> int | None:
        """0 for the best figure of a column as it is printed, 1 for the second; None: neither.

        Rows that cannot be compared take no part.
        """
        text = self.text(line, column)
        if not text or not line.comparable:
            return None
        lower = self.metrics[column[1]].better == "lower"
        rivals = [self.text(one, column) for one in self.lines if one.comparable]
        printed = {float(found) for found in rivals if found}
        ranked = sorted(printed, reverse=not lower)
        place = ranked.index(float(text))
        return place if place < 2 and len(ranked) > 2 else None


@dataclass(frozen=True)
class Benchmark(Written):
    """Finished evaluations of one model by the protocols of a suite."""

    title: str
    suite: str
    judged: Sequence[Judged]
    cost: Cost

    @property
    def failed(self) -> dict[str, str]:
        """The pictures that could not be used by one protocol or another."""
        return {name: text for one in self.judged for name, text in one.report.failed.items()}

    def value(self, protocol: str, row: str, metric: str) -> float | None:
        """One figure of a protocol's report."""
        found = {one.protocol.name: one.report for one in self.judged}
        if protocol not in found:
            raise UserError(f"no report by {protocol!r}: the protocols are {', '.join(found)}")
        return found[protocol].value(row, metric)

    @cached_property
    def tables(self) -> list[Table]:
        """One for each setting, in the order of the suite."""
        settings: dict[str, list[Judged]] = {}
        for one in self.judged:
            settings.setdefault(one.setting, []).append(one)
        return [_table(setting, those, self.cost) for setting, those in settings.items()]

    def as_text(self) -> str:
        """The tables for a terminal, one under the other."""
        return "\n\n".join(_as_text(table) for table in self.tables)

    @cached_property
    def data(self) -> dict[str, Any]:
        """What ``report.json`` holds."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "suite": self.suite,
            "model": asdict(self.cost),
            "protocols": [_summary(one) for one in self.judged],
            "tables": [_plain(table) for table in self.tables],
        }


def set_title(dataset: str) -> str:
    """The name of a test set as it is printed."""
    return SETS.get(dataset, dataset.capitalize())


def _table(setting: str, judged: Sequence[Judged], cost: Cost) -> Table:
    metrics = {k: v for one in judged for k, v in one.report.metrics.items()}
    columns = [(one.dataset, name) for one in judged for name in one.report.metrics]
    simple = Line(SIMPLE[judged[0].protocol.task], "simple", _joined(judged, "baseline"))
    lines = [simple, *_papers(judged), *_own(judged, cost)]
    return Table(setting, _title(judged[0]), columns, metrics, lines)


def _joined(judged: Sequence[Judged], row: str) -> dict[Column, float]:
    return {column: value for one in judged for column, value in one.figures(row).items()}


def _own(judged: Sequence[Judged], cost: Cost) -> Iterable[Line]:
    """The model's answers."""
    for row in judged[0].report.rows:
        if row.key in ("mean", "average", "sample"):
            evaluations = cost.evaluations(row.key)
            seconds = sum(one.seconds(row.key) for one in judged)
            yield Line(
                f"{cost.name}, {_answer(row, evaluations)}",
                "own",
                _joined(judged, row.key),
                cost.parameters,
                cost.multiply_adds * evaluations,
                seconds / sum(one.megapixels for one in judged) if seconds else None,
                short=row.title.removeprefix("model, "),
            )


def _answer(row: Row, evaluations: int) -> str:
    answer = row.title.removeprefix("model, ")
    return f"{answer} ({evaluations} evaluation{'' if evaluations == 1 else 's'})"


def _papers(judged: Sequence[Judged]) -> list[Line]:
    """A published method with its figures on all sets, in the order of its first one."""
    rows: dict[str, list[tuple[str, ComparedRow]]] = {}
    for one in judged:
        for row in one.report.papers or ():
            if row.figures:
                rows.setdefault(row.title, []).append((one.dataset, row))
    return [_paper(title, found) for title, found in rows.items()]


def _paper(title: str, found: Sequence[tuple[str, ComparedRow]]) -> Line:
    (_, first), reasons = found[0], [text for _, row in found for text in row.because]
    sources = [text for _, row in found for text in (row.source, row.note) if text]
    adds = first.multiply_adds
    return Line(
        f"{title}, as published" if title in SIMPLE.values() else title,
        "paper",
        {(dataset, name): v for dataset, row in found for name, v in row.figures.items()},
        first.parameters,
        None if adds is None else adds / PAPERS_MEGAPIXELS,
        source="; ".join(dict.fromkeys(sources)),
        because="; ".join(dict.fromkeys(reasons)),
        short=title,
    )


def _title(judged: Judged) -> str:
    kind, _, value = judged.setting.rpartition("-q")
    if kind:
        return f"JPEG of quality {value}, {kind}"
    if judged.setting.startswith("sigma"):
        return f"Noise of σ = {judged.setting.removeprefix('sigma')}, colour"
    return f"Super-resolution ×{judged.setting.removeprefix('x')}"


def _as_text(table: Table) -> str:
    head = [f"{set_title(dataset)} {table.metrics[name].title}" for dataset, name in table.columns]
    widths = [max(len(name), 9) + 3 for name in head]
    first = max(len(line.title) for line in table.lines)
    lines = [table.title]
    lines.append(" " * first + "".join(f"{n:>{w}}" for n, w in zip(head, widths, strict=True)))
    for line in table.lines:
        cells = [table.text(line, column) or "–" for column in table.columns]
        row = "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
        lines.append(f"{line.title:<{first}}{row}")
    return "\n".join(lines)


def _plain(table: Table) -> dict[str, Any]:
    return {
        "setting": table.setting,
        "title": table.title,
        "lines": [
            {
                **asdict(line),
                "figures": [
                    {"dataset": dataset, "metric": name, "value": value}
                    for (dataset, name), value in line.figures.items()
                ],
            }
            for line in table.lines
        ],
    }


def _summary(judged: Judged) -> dict[str, Any]:
    data = judged.report.data
    kept = ("manifest_digest", "records_digest", "rows", "table", "rankings", "warnings")
    return {
        "name": judged.protocol.name,
        "dataset": judged.dataset,
        "setting": judged.setting,
        "report": f"{judged.protocol.name}/report.json",
        "pictures": len(data["pictures"]),
        **{key: data[key] for key in kept},
    }
