"""Models of the Hugging Face hub, by name: ``hf://OWNER/NAME``, or ``hf://OWNER/NAME@REVISION``.

Nothing is fetched unless a name begins so. What was fetched stays in the hub's own cache and is
found there again without a network.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from palette.errors import UserError
from palette.extras import require

FILES = ("model.json", "weights.safetensors", "searched.json", "README.md")
"""Of a model folder; nothing else of a repository is fetched."""
_NAME = re.compile(r"hf:/+(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def is_remote(model: str | Path) -> bool:
    """Whether it names a model of the hub; a path of that name has lost one of its two slashes."""
    return Path(model).as_posix().startswith("hf:/")


@cache  # asked once in a process, which reads one state of it
def fetch(model: str) -> Path:
    """The folder of a model of the hub, which is downloaded where the cache lacks it.

    UserError for a malformed name, where the package is missing, and where the hub has no such
    model or cannot be reached.
    """
    found = _NAME.fullmatch(model)
    if found is None:
        raise UserError(f"{model} is no model of the hub: write hf://OWNER/NAME")
    require("huggingface_hub", extra="hub")
    from huggingface_hub import snapshot_download

    repo = f"{found['owner']}/{found['name']}"
    try:
        folder = snapshot_download(repo, revision=found["revision"], allow_patterns=list(FILES))
    except (OSError, ValueError) as error:  # those of the hub and of the connection are among them
        reason = str(error).strip().splitlines()
        raise UserError(
            f"hf://{repo} cannot be fetched: {reason[0] if reason else type(error).__name__}"
        ) from None
    return Path(folder)


def refuse_remote(model: str | Path, what: str) -> None:
    """UserError where ``what`` is to be saved with a model of the hub."""
    if is_remote(model):
        raise UserError(
            f"{model} lies in a cache, where no {what} can be saved: take a copy first, "
            f"palette export {model} FOLDER"
        )
