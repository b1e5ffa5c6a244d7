"""An entry of OpenModelDB (https://openmodeldb.info): the ONNX file of one task, in its schema.

The schema is that of the project's repository, src/lib/schema.ts and model-props.ts. The
architecture, "palette", is none of its list: that needs an entry of its own there.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.files import sha256
from palette.restoring.restorer import Restorer

ARCHITECTURE = "palette"
TAGS = {
    "super-resolution": ["general-upscaler"],
    "jpeg-restoration": ["jpeg", "restoration"],
    "denoising": ["denoise", "restoration"],
    "colorization": ["colorization"],
}
"""Of the tasks by their own names; of others "restoration"."""


def refuse_other_names(repo: str) -> None:
    """UserError for what is no OWNER/NAME."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"repo is {repo!r}: write OWNER/NAME")


def entry_of(restorer: Restorer, repo: str, license: str | None, path: Path) -> tuple[str, Any]:
    """The id of the model and its entry; ``path`` is the ONNX file, ``repo`` where it will lie."""
    owner, name = repo.split("/")
    member, config, info = restorer.member, restorer.model.config, restorer.model.info
    scale = member.task.scale or 1
    identity = f"{scale}x-{_words(name)}-{_words(member.name)}"
    entry = {
        "name": f"{scale}x {name} {member.name}",
        "author": _words(owner),
        "license": license,
        "tags": TAGS.get(member.task.name, ["restoration"]),
        "description": (
            f"Task: {member.name}. The one-evaluation mean answer of a palette diffusion model, as "
            f"ONNX: RGB in [0, 1], any height and width."
        ),
        "date": date.today().isoformat(),
        "architecture": ARCHITECTURE,
        "size": None,
        "scale": scale,
        "inputChannels": 3,
        "outputChannels": 3,
        "resources": [
            {
                "platform": "onnx",
                "type": "onnx",
                "size": path.stat().st_size,
                "sha256": sha256(path),
                "urls": [f"https://huggingface.co/{repo}/resolve/main/{path.name}"],
            }
        ],
        "trainingBatchSize": config.train.batch,
        "trainingHRSize": config.data.size,
        "trainingOTF": not member.task.paired,
        "images": [],
    }
    found = {"trainingIterations": info.get("step"), "datasetSize": info.get("pictures")}
    return identity, entry | {key: value for key, value in found.items() if value}


def _words(name: str) -> str:
    """As OpenModelDB writes names: letters and digits, joined by single hyphens."""
    return "-".join(re.findall(r"[a-zA-Z0-9]+", name)) or "unnamed"
