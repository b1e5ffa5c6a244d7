"""Workers that are spawned, as on Windows and macOS, or forked from a server, as by Python 3.14."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

import palette

SCRIPT = """
import json, multiprocessing, sys
import palette

if __name__ == "__main__":
    method, data, out, config = sys.argv[1:]
    multiprocessing.set_start_method(method)
    palette.train("jpeg-restoration", data=data, out=out, steps=3, config=json.loads(config))
"""


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "pack"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_any_worker_gives_the_same_bits(
    method: str, packed: bool, photos: Path, tmp_path: Path
) -> None:
    data = photos
    if packed:
        data = tmp_path / "photos.h5"
        palette.pack(photos, data)
    (tmp_path / "learn.py").write_text(SCRIPT, encoding="utf-8")
    made = {}
    for workers in (0, 2):
        out = tmp_path / f"run-{workers}"
        config = {**TINY, "train": {**TINY["train"], "workers": workers}}
        arguments = [method, str(data), str(out), json.dumps(config)]
        subprocess.run([sys.executable, str(tmp_path / "learn.py"), *arguments], check=True)
        made[workers] = next(out.rglob("model/weights.safetensors")).read_bytes()
    assert made[0] == made[2]
