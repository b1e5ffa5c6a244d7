"""What the figures of a report say in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from palette.eval.gallery import Row
from palette.eval.metrics.cell import Value
from palette.eval.metrics.intervals import bootstrap, mean
from palette.eval.metrics.registry import GROUPS
from palette.eval.report.result import Report, figure


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
    """The gain over input, baseline and the like, whether samples are draws, the order of CAS."""
    return [*_psnr(report), *_calibration(report), *_order_of_cas(report)]


def _psnr(report: Report) -> list[Finding]:
    if "psnr" not in report.metrics:
        return []
    table, judged = report.table, judged_row(report)
    found: list[Finding] = []
    rivals = ("input", "baseline", *classical_rows(report))
    others = [row for row in report.rows if row.key in rivals]
    given, simple = (table.get(key, {}).get("psnr") for key in ("input", "baseline"))
    if given is not None and given == simple:  # the input, as it is, is the baseline
        others = [row for row in others if row.key != "baseline"]
    if judged.key != "sample":
        found += [gain for row in others if (gain := _gain(report, judged, row))]
    return found


def gap(report: Report) -> float | None:
    """How far a sample is below the mean answer, in dB of squared errors pooled over the pictures.

    3.01 dB for draws of the exact posterior: such a draw errs as often as the truth. A mean over
    pictures of dB is another figure. None where PSNR or one of the two rows is missing.
    """
    if "psnr" not in report.metrics or not {"mean", "sample"} <= report.table.keys():
        return None
    of_mean, of_sample = (
        sum(_squared_error(picture.values[row]["psnr"]) for picture in report.pictures)
        for row in ("mean", "sample")
    )
    return 10 * math.log10(of_sample / of_mean) if of_mean and of_sample else None


def _squared_error(psnr: Value) -> float:
    """Of values in [0, 1]; 0 where PSNR has none, as that of equal pictures."""
    return 0.0 if isinstance(psnr, str) else 10 ** (-psnr / 10)


def _calibration(report: Report) -> list[Finding]:
    """Gap, octaves and SSIM of samples in one line: the gap alone can be had by adding noise."""
    below = gap(report)
    if below is None:
        return []
    texts = [f"A sample lies {below:.2f} dB below the mean answer (3.01 for exact draws)"]
    names = [name for name in GROUPS["octaves"] if name in report.metrics]
    octaves = [report.value("sample", name) or 0.0 for name in names]
    if octaves:
        listed = ", ".join(f"{value:+.1f}" for value in octaves)
        texts.append(f"its energy in the finest octaves is {listed} dB from the original's (0)")
    if "ssim" in report.metrics:
        ssims = [figure(report.value(row, "ssim"), 3) for row in ("sample", "mean")]
        texts.append(f"its SSIM {ssims[0]}, the mean answer's {ssims[1]}")
    good = abs(below - 3.01) <= 0.8 and octaves and max(map(abs, octaves)) <= 1
    bad = below > 4.5 or max(octaves, default=0) > 3
    text = "; ".join(texts) + ". Only together they say that samples are draws of the posterior."
    return [Finding("bad" if bad else "good" if good else "plain", text)]


def _gain(report: Report, judged: Row, other: Row) -> Finding | None:
    """The paired difference in PSNR: far surer than the two means of different pictures."""
    pairs = [
        (picture.values[judged.key]["psnr"], picture.values[other.key]["psnr"])
        for picture in report.pictures
    ]
    gains = [a - b for a, b in pairs if not isinstance(a, str) and not isinstance(b, str)]
    if not gains:
        return None
    gain, interval = mean(gains), bootstrap(gains)
    sure = "" if interval is None else f" (95 % {interval.low:+.2f} to {interval.high:+.2f})"
    wins = sum(gain > 0 for gain in gains)
    who = f"{judged.title}: " if report.of_several_tools else ""
    text = (
        f"{who}{gain:+.2f} dB PSNR over the {other.title}{sure}; "
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
