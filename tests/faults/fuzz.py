"""Damage files at random, read them by the product's own readers, and sort what comes of it.

    python tests/faults/fuzz.py --count 10000 --seed 0

Every mutation is a function of the seed and its number. Readers run in worker processes, so that a
crash or a hang is that of one mutation, which is told by its number and kept on demand.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_subjects import Subject, subjects
from mutations import mutated

from palette.errors import PaletteError
from palette.progress import Progress
from palette.seeding import rng

SECONDS = 120.0
"""A reader that takes longer, on a busy machine too, is taken to hang."""
FAILURES = ("crash", "hang", "traceback", "unnamed", "silent")
"""What no mutation may come to. Beside them: refused, warned, read (as the format has no checksum,
it may be another picture), and same (the damage is where nothing is read)."""


@dataclass(frozen=True)
class Outcome:
    """What a mutation came to."""

    number: int
    subject: str
    kind: str
    detail: str = ""


def fuzz(count: int, seed: int = 0, first: int = 0, keep: Path | None = None) -> list[Outcome]:
    """The outcomes of the mutations ``first`` to ``first`` + ``count`` − 1, in their order.

    Files of failures are copied to ``keep``.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = subjects(Path(folder) / "whole")
        outcomes: list[Outcome] = []
        with Progress(count, "fuzz", "mutations") as bar:
            while len(outcomes) < count:
                start, stop = first + len(outcomes), first + count
                for outcome in _until_it_ends(made, Path(folder), seed, start, stop, keep):
                    outcomes.append(outcome)
                    bar.update()
    return outcomes


def _until_it_ends(
    made: Sequence[Subject], folder: Path, seed: int, start: int, stop: int, keep: Path | None
) -> Iterator[Outcome]:
    """Those of one worker: all of them, or up to one that crashes or hangs."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    arguments = (theirs, made, folder, seed, start, stop, keep)
    worker = context.Process(target=_work, args=arguments, daemon=True)
    worker.start()
    theirs.close()
    try:
        for number in range(start, stop):
            subject = made[number % len(made)].name
            if not ours.poll(SECONDS):
                yield Outcome(number, subject, "hang", f"more than {SECONDS:g} s")
                break
            try:
                yield ours.recv()
            except EOFError:
                worker.join()
                yield Outcome(number, subject, "crash", f"exit code {worker.exitcode}")
                break
    finally:
        worker.kill()
        worker.join()
        for subject in made:  # it may not have put back what it had damaged
            subject.path.write_bytes(subject.whole)


def _work(
    sender: Connection,
    made: Sequence[Subject],
    folder: Path,
    seed: int,
    start: int,
    stop: int,
    keep: Path | None,
) -> None:
    """In a process of its own: a mutation after the other."""
    for number in range(start, stop):
        outcome = one(made[number % len(made)], folder, seed, number, keep)
        sender.send(outcome)


def one(
    subject: Subject, folder: Path, seed: int, number: int, keep: Path | None = None
) -> Outcome:
    """Damage the subject's file, read it, and put it back."""
    draws = rng(seed, "fuzz", number)
    damaged = mutated(subject.whole, subject.path.suffix, draws)
    subject.path.write_bytes(damaged)
    try:
        kind, detail = _outcome(subject, damaged == subject.whole)
    finally:
        subject.path.write_bytes(subject.whole)
    if keep is not None and kind in FAILURES:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{number}-{kind}{subject.path.suffix}").write_bytes(damaged)
    return Outcome(number, subject.name, kind, detail)


def _outcome(subject: Subject, undamaged: bool) -> tuple[str, str]:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = subject.read()
        except PaletteError as error:
            text = str(error)
            named = any(str(one) in text for one in (subject.path.name, subject.also) if one)
            return ("refused" if named and "\n" not in text else "unnamed"), text
        except Exception:
            return "traceback", traceback.format_exc()
    if found == subject.expected:
        return "same", ""
    if undamaged:
        return "silent", "an undamaged file is read as another"
    if any(str(subject.path.name) in str(one.message) for one in warned):
        return "warned", str(warned[0].message)
    return ("silent" if subject.checksum else "read"), ""


def main() -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the files of failures")
    given = parser.parse_args()
    outcomes = fuzz(given.count, given.seed, given.first, given.keep)
    table = Counter((outcome.subject, outcome.kind) for outcome in outcomes)
    kinds = ("same", "refused", "warned", "read", *FAILURES)
    print("| file | " + " | ".join(kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for name in dict.fromkeys(outcome.subject for outcome in outcomes):
        print(f"| {name} | " + " | ".join(str(table[name, kind]) for kind in kinds) + " |")
    totals = Counter(outcome.kind for outcome in outcomes)
    print("| all | " + " | ".join(str(totals[kind]) for kind in kinds) + " |")
    failed = [outcome for outcome in outcomes if outcome.kind in FAILURES]
    for outcome in failed[:50]:
        print(f"\n{outcome.number} {outcome.subject}: {outcome.kind}: {outcome.detail}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
