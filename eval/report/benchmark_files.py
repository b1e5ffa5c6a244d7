"""The files of a benchmark: the page, JSON, CSV, and tables for a paper in Markdown and LaTeX."""

from __future__ import annotations

import csv
import io

from palette.eval import workspace as files
from palette.eval.report import benchmark_page
from palette.eval.report.benchmark import Benchmark, Column, Line, Table, set_title
from palette.eval.report.result import figure
from palette.files import write_bytes

ARROWS = {"higher": "↑", "lower": "↓", "zero": "→ 0"}
LATEX = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "zero": r"$\to 0$"}
SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "σ": r"$\sigma$",
    "×": r"$\times$",
    "–": "--",
    "Π": r"$\Pi$",
    "†": r"$\dagger$",
}
"""Signs that LaTeX reads as commands, or that its usual fonts lack."""

COSTS = ("parameters_millions", "multiply_adds_1e9_per_megapixel", "seconds_per_megapixel")
HEAD = (
    *("setting", "dataset", "method", "kind", "metric", "value"),
    *COSTS,
    *("source", "not_comparable_because"),
)


def write(benchmark: Benchmark) -> Benchmark:
    """Save all of them, each complete or not at all."""
    files.write_json(benchmark.json, benchmark.data)
    write_bytes(benchmark.out / "tables.csv", as_csv(benchmark).encode())
    texts = {"tables.md": as_markdown, "tables.tex": as_latex}
    for name, text in texts.items():
        tables = "\n\n".join(text(table) for table in benchmark.tables)
        write_bytes(benchmark.out / name, f"{tables}\n".encode())
    write_bytes(benchmark.html, benchmark_page.render(benchmark).encode())
    return benchmark


def as_csv(benchmark: Benchmark) -> str:
    """One line for each figure, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for table in benchmark.tables:
        for line in table.lines:
            for (dataset, metric), value in line.figures.items():
                costs = (line.parameters, line.multiply_adds, line.seconds)
                writer.writerow(
                    [table.setting, dataset, line.title, line.kind, metric, value]
                    + ["" if cost is None else cost for cost in costs]
                    + [line.source, line.because]
                )
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """Best figures bold, second ones in italics."""
    marks = {0: "**{}**", 1: "*{}*", None: "{}"}
    head = [
        f"{set_title(dataset)} {table.metrics[name].title} {ARROWS[table.metrics[name].better]}"
        for dataset, name in table.columns
    ]
    rows = [["method", *head, "parameters, M", "multiply-adds, G/MP"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for line in table.lines:
        title = _dagger(line).replace("|", r"\|")
        rows.append([title, *_cells(table, line, marks), *_costs(line)])
    return f"### {table.title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_latex(table: Table) -> str:
    """A tabular for the package booktabs; best figures bold, second ones underlined."""
    marks = {0: r"\textbf{{{}}}", 1: r"\underline{{{}}}", None: "{}"}
    sets = list(dict.fromkeys(dataset for dataset, _ in table.columns))
    groups, rules, at = [], [], 2
    for name in sets:
        width = sum(dataset == name for dataset, _ in table.columns)
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{set_title(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    metrics = [table.metrics[name] for _, name in table.columns]
    head = [f"{_escaped(metric.title)} {LATEX[metric.better]}" for metric in metrics]
    lines = [
        rf"% {table.title}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.columns) + 2)}}}",
        r"\toprule",
        " & ".join(["", *groups, "", ""]) + r" \\",
        " ".join(rules),
        " & ".join(["Method", *head, "Params (M)", "MAdds (G/MP)"]) + r" \\",
        r"\midrule",
    ]
    for before, line in zip([None, *table.lines], table.lines, strict=False):
        if before is not None and before.kind != line.kind:
            lines.append(r"\midrule")
        row = [_escaped(_dagger(line)), *_cells(table, line, marks), *_costs(line)]
        lines.append(" & ".join(row).replace("–", "--") + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _cells(table: Table, line: Line, marks: dict[int | None, str]) -> list[str]:
    def cell(column: Column) -> str:
        text = table.text(line, column)
        return marks[table.place(line, column)].format(text or "–")

    return [cell(column) for column in table.columns]


def _dagger(line: Line) -> str:
    """The title, with a mark where the row cannot be compared."""
    return line.title if line.comparable else f"{line.title} †"


def _costs(line: Line) -> list[str]:
    return [figure(line.parameters, 2), figure(line.multiply_adds, 1)]


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(sign, sign) for sign in text)
