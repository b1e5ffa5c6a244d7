"""What the figures of a report say in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from palette.eval.gallery import Row
from palette.eval.metrics.intervals import bootstrap, mean
from palette.eval.report.result import Report


class Finding(NamedTuple):
    """A sentence, and whether it is good news."""

    mark: Literal["good", "bad", "plain"]
    text: str


def classical_rows(report: Report) -> Sequence[str]:
    """The keys of the rows that are made without a network, the baseline apart."""
    return report.manifest.get("classical", ())


def judged_row(report: Report) -> Row:
    """The row whose pictures are shown: the first that is an answer."""
    known = ("input", "baseline", "original", *classical_rows(report))
    return next((row for row in report.rows if row.key not in known), report.rows[-1])


def findings(report: Report) -> list[Finding]:
    """The gain over input, baseline and the like, the price of a sample, the order of CAS."""
    return [*_psnr(report), *_order_of_cas(report)]


def _psnr(report: Report) -> list[Finding]:
    if "psnr" not in report.metrics:
        return []
    table, judged = report.table, judged_row(report).key
    found: list[Finding] = []
    rivals = ("input", "baseline", *classical_rows(report))
    others = [row for row in report.rows if row.key in rivals]
    given, simple = (table.get(key, {}).get("psnr") for key in ("input", "baseline"))
    if given is not None and given == simple:  # the input, as it is, is the baseline
        others = [row for row in others if row.key != "baseline"]
    if judged != "sample":
        found += [gain for row in others if (gain := _gain(report, judged, row))]
    if "mean" in table and "sample" in table:
        of_mean, of_sample = report.value("mean", "psnr"), report.value("sample", "psnr")
        if of_mean is not None and of_sample is not None:
            gap = of_mean - of_sample
            text = (
                f"One sample lies {gap:.2f} dB below the mean answer. A perfect posterior sample "
                "lies 3.01 dB below it; above 4.5 dB the sampler or the network has a fault."
            )
            found.append(Finding("bad" if gap > 4.5 else "plain", text))
    return found


def _gain(report: Report, judged: str, other: Row) -> Finding | None:
    """The paired difference in PSNR: far surer than the two means of different pictures."""
    pairs = [
        (picture.values[judged]["psnr"], picture.values[other.key]["psnr"])
        for picture in report.pictures
    ]
    gains = [a - b for a, b in pairs if not isinstance(a, str) and not isinstance(b, str)]
    if not gains:
        return None
    gain, interval = mean(gains), bootstrap(gains)
    sure = "" if interval is None else f" (95 % {interval.low:+.2f} to {interval.high:+.2f})"
    wins = sum(gain > 0 for gain in gains)
    text = (
        f"{gain:+.2f} dB PSNR over the {other.title}{sure}; "
        f"better on {wins} of {len(gains)} pictures."
    )
    unsure = interval is not None and interval.low <= 0 <= interval.high
    return Finding("plain" if unsure else "good" if gain > 0 else "bad", text)


def _order_of_cas(report: Report) -> list[Finding]:
    """The rows from best to worst by CAS, and whether that is the order to expect."""
    if "cas" not in report.metrics:
        return []
    figures = [(report.table[row.key]["cas"].value, row) for row in report.rows]
    ranked = sorted(((v, row) for v, row in figures if v is not None), key=lambda pair: -pair[0])
    listed = " > ".join(f"{row.title} {value:.1f} %" for value, row in ranked)
    expected = ranked[0][1].key == "original" and ranked[-1][1].key == "baseline"
    reason = (
        "as expected: what the degradation took from a classifier, the answers give back in part."
        if expected
        else "not as expected: originals should be first and the degraded inputs last. Differences "
        "within the intervals are chance; otherwise the answers mislead the classifier."
    )
    text = f"Classifiers trained on each row, tested on real pictures: {listed}; {reason}"
    return [Finding("good" if expected else "bad", text)]
