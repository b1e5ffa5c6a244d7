"""The records of a folder in the making: a line for each picture that is there.

They wait in a hidden file, each written after its picture. So a stopped work goes on where it was,
and the file of records is complete or absent, in the order of the pictures.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from palette.config import differing
from palette.degradations import records
from palette.degradations.records import Record
from palette.degrading.job import DegradeJob
from palette.errors import UserError
from palette.files import replacing


class Lines:
    """Records by the name of their output, in a file."""

    def __init__(self, file: IO[bytes]) -> None:
        """What is whole in the file is kept, the rest cut off."""
        self._file = file
        self._places: dict[str, int] = {}
        self._sources: dict[str, str] = {}
        here = records.versions()
        end = 0
        file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):
                break
            record = records.parse(line.decode(errors="surrogateescape"))
            known = record.source_digest if record.versions == here else ""
            self._places[record.output], self._sources[record.output] = end, known
            end += len(line)
        file.truncate(end)

    def source_digest(self, output: str) -> str | None:
        """Of what the picture was made of; None where it was not, or by other versions."""
        return self._sources.get(output) or None

    def add(self, record: Record) -> None:
        self._places[record.output] = self._file.seek(0, io.SEEK_END)
        self._file.write(f"{record.line()}\n".encode(errors="surrogateescape"))
        self._file.flush()

    def drop(self, output: str) -> None:
        """A picture that was made before and cannot be made any more."""
        self._places.pop(output, None)

    def lines(self, outputs: Sequence[str]) -> Iterator[bytes]:
        """Those of the pictures that are there, in this order."""
        for output in outputs:
            if output in self._places:
                self._file.seek(self._places[output])
                yield self._file.readline()


@contextmanager
def recorded(job: DegradeJob, outputs: Sequence[str]) -> Iterator[Lines]:
    """What was recorded before, to be gone on with; at the end of the block all is written."""
    path = job.records_path
    if path is None:
        yield Lines(io.BytesIO())
        return
    waiting = _waiting(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not waiting.exists():
        with replacing(waiting) as copy:
            copy.write_bytes(path.read_bytes())
    with waiting.open("a+b") as file:
        lines = Lines(file)
        yield lines
        with replacing(path) as whole, whole.open("wb") as written:
            written.writelines(lines.lines(outputs))
    waiting.unlink()


def _waiting(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def require_ours(job: DegradeJob) -> None:
    """UserError where the folder or the file of records is of something else."""
    path = job.records_path
    if path is None:
        return
    found = [path, _waiting(path)]
    if not job.to_file:
        found += [*job.out.glob("records*.jsonl"), *job.out.glob(".records*.jsonl.partial")]
    found = sorted({one for one in found if one.exists()})
    if not found and not job.to_file and (job.out / "degraded").exists():
        raise UserError(f"{job.out} holds degraded pictures already: choose another output")
    for one in found:
        with one.open("rb") as file:
            line = file.readline()
        if line.endswith(b"\n"):
            _require_same(job, one, line.decode(errors="surrogateescape"))


def _require_same(job: DegradeJob, path: Path, line: str) -> None:
    try:
        record = records.parse(line)
    except UserError as error:
        raise UserError(f"{path} holds no records ({error}): choose another output") from None
    now = job.settings()
    before = {name: getattr(record, name) for name in now}
    if other := differing(before, now):
        said = "; ".join(f"{name} was {was} and is {is_}" for name, (was, is_) in other.items())
        raise UserError(f"{path} records other pictures ({said}): choose another output")
