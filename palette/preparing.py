"""What `import palette` offers to prepare pictures: degrade and pack."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.config import from_dict

if TYPE_CHECKING:
    from palette.workers.flags import Engine


def degrade(
    name: str,
    source: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    severity: float | None = None,
    count: int = 1,
    scale: int | None = None,
    pins: Mapping[str, Any] | None = None,
    contact_sheet: str | Path | None = None,
    records: str | Path | None = None,
    processes: int = 1,
    engine: Engine = "processes",
) -> list[str]:
    """Damage a picture or a folder of them; return a line for each picture that failed.

    ``name`` is a degradation or a mixture, "bsr:0.7,sr_bicubic:0.3". A folder ``out`` gets
    degraded/, clean/ and, for holes, mask/ with the same names, all PNG, and records.jsonl; a file
    ``out`` gets the degraded picture alone. ``severity`` goes from 0, the mild end of the published
    ranges, to 1; without it all of them are drawn from. ``count`` versions are made of each
    picture; ``scale`` divides the size, where the degradation changes it; ``pins`` set parameters,
    {"jpeg.quality": 40}. ``contact_sheet`` is a picture of the first pictures and their versions,
    ``records`` another file for the records. ``processes`` share the pictures, and the outputs are
    the same; with ``engine`` "ray" they are actors of Ray. They are spawned: a script calls this
    below ``if __name__ == "__main__":``. A call that was stopped goes on when it is given again.
    Raises UserError for what can be refused beforehand.
    """
    from palette.degrading.folder import degrade as run
    from palette.degrading.job import DegradeJob
    from palette.workers.flags import Processes

    job = DegradeJob(
        name,
        Path(source),
        Path(out),
        seed,
        severity,
        count,
        scale,
        pins or {},
        None if contact_sheet is None else Path(contact_sheet),
        None if records is None else Path(records),
    )
    return [str(problem) for problem in run(job, Processes(processes, engine))[1]]


def pack(
    source: str | Path,
    out: str | Path,
    *,
    processes: int = 1,
    engine: Engine = "processes",
    **selection: Any,
) -> dict[str, list[str]]:
    """Pack a folder of pictures into the file ``out``, .h5; return what was left out.

    A line each, by the reason: broken, and on demand small, duplicate, flat and blurred. Pixels are
    kept with 8 bits, each picture with a digest; class folders become labels. ``selection``: fields
    of :class:`palette.data.selecting.Selection` (cut, overlap, min_side, distinct …). A packing
    that was stopped goes on; a file that the same call made is left as it is. Of a folder that
    :func:`degrade` made the pairs are packed, with their records. ``processes`` and ``engine`` are
    as in :func:`degrade`. Raises UserError, PictureError where no picture remains, InUse.
    """
    from palette.data.frozen import notes_of
    from palette.data.opening import require_hdf5
    from palette.data.packing import PackWork
    from palette.data.packing import pack as run
    from palette.data.selecting import Selection
    from palette.data.sources import FolderSource
    from palette.workers.begin import begun
    from palette.workers.flags import Processes

    chosen, out = from_dict(Selection, selection), Path(out)
    require_hdf5(out)
    pictures, work = FolderSource(source), PackWork(partial(FolderSource, source), chosen)
    with begun(work, Processes(processes, engine).names, engine) as team:
        return run(pictures, out, chosen, notes_of(Path(source), chosen), team)
