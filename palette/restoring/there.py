"""What is there already. Where it is all of it, the command alone tells, and no network is loaded.

For that a command leaves itself in the folder of its outputs, beside the settings that it led to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from palette.errors import PaletteError, UserError
from palette.files import read_object, sha256, write_json
from palette.parts import part
from palette.restoring.job import Item, Job
from palette.restoring.manifest import Lines, Made, claimed
from palette.restoring.masks import Masks

ASKED = ".palette-asked.json"


def made_of(job: Job, item: Item, mask: Path | None, settings: str) -> Made:
    """What an output is to be made of. UserError where a file of it is none."""
    return Made(
        target=item.below(job.out),
        source=os.path.abspath(item.source),
        input=_digest(item.source),
        mask=None if mask is None else _digest(mask),
        settings=settings,
    )


def _digest(path: Path) -> str:
    if not path.is_file():  # reading a pipe would wait for ever
        raise UserError(f"{path} is no file, or a link that leads nowhere")
    return sha256(path)


def note(job: Job, asked: Mapping[str, Any]) -> None:
    """Leave what was ``asked`` for, plain JSON values that say all of it but inputs and masks."""
    with suppress(OSError):  # it saves time and nothing else
        write_json(job.out / ASKED, {"asked": asked, "settings": claimed(job.out)})


def all_there(job: Job, items: Sequence[Item], asked: Mapping[str, Any]) -> bool:
    """Whether the outputs of ``items`` are there as this very command made them, of the same inputs
    and masks.

    False in all doubt: :func:`palette.restoring.folder.restore_items` then finds out.
    """
    try:
        noted, settings = read_object(job.out / ASKED), claimed(job.out)
        if settings is None or noted != {"asked": _plain(asked), "settings": settings}:
            return False
        lines, masks = Lines(job.out), None if job.masks is None else Masks(job.masks)
        # of a folder that is half done nothing is read here, as all that is done is read later
        return lines.complete(item.below(job.out) for item in items) and all(
            lines.has(made_of(job, item, None if masks is None else masks.of(item.name), settings))
            for item in items
        )
    except (OSError, PaletteError):
        return False


def say_again(job: Job, items: Sequence[Item]) -> None:
    """A shard whose outputs are all there says so once more, as the others may have changed."""
    settings = claimed(job.out)
    assert settings is not None  # as all is there
    with part(job.out, "restore", settings, [item.below(job.out) for item in items], job.shard):
        pass


def _plain(asked: Mapping[str, Any]) -> Any:
    """As JSON has it, without tuples."""
    return json.loads(json.dumps(asked))
