"""Workers by the functions of `import palette`: the choices and the bytes of the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_machines_page import PAGE
from test_shards_and_workers import contents

import palette
from palette.types import Observation

UNGUARDED = """
from counting_work import Counting
from palette.workers.begin import begun

with begun(Counting(), "cpu,cpu"):
    pass
"""


def test_a_device_that_is_named_makes_the_same_bytes(
    trained: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    """The model is opened again, at its task, with its sampling and its format."""
    model = palette.load(trained["jpeg-restoration"], precision="fp32", steps=2)
    for name, devices in (("own", None), ("named", "cpu")):
        results = list(model.restore_folder(photos, tmp_path / name, devices=devices, suffix="_2"))
        assert [result.error for result in results] == [None] * 6
        report = tmp_path / f"report-{name}"
        palette.evaluate(model, photos, report, limit=2, answers=("sample",), devices=devices)
    assert contents(tmp_path / "own") == contents(tmp_path / "named")
    assert contents(tmp_path / "report-own") == contents(tmp_path / "report-named")


def test_one_task_of_several_is_opened_again(generalist: Path, picture: np.ndarray) -> None:
    asked = palette.load(generalist, task="super-resolution", scale=2, answer="mean")
    again = asked.opener()("cpu", None)
    assert again.settings() == asked.settings()
    seen = [Observation(picture)]
    assert np.array_equal(again.restore_observations(seen), asked.restore_observations(seen))


def test_what_cannot_be_is_refused(trained: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    shutil.copytree(trained["colorization"] / "model", tmp_path / "model")
    model = palette.load(tmp_path / "model")
    with pytest.raises(palette.UserError, match="engine is 'spark': choose processes or ray"):
        model.restore_folder(photos, tmp_path / "out", engine="spark")  # type: ignore[arg-type]
    with pytest.raises(palette.UserError, match="engine is 'spark'"):
        palette.degrade("jpeg", photos, tmp_path / "out", engine="spark")  # type: ignore[arg-type]
    with pytest.raises(palette.UserError, match="processes is 0"):
        palette.pack(photos, tmp_path / "photos.h5", processes=0)
    with pytest.raises(palette.UserError, match="name one"):
        palette.evaluate(model, photos, tmp_path / "out", device="cpu", devices="cpu,cpu")
    shutil.rmtree(tmp_path / "model")
    shutil.copytree(trained["jpeg-restoration"] / "model", tmp_path / "model")
    with pytest.raises(palette.UserError, match="has other weights than were loaded"):
        next(model.restore_folder(photos, tmp_path / "out", devices="cpu"))
    assert not (tmp_path / "out").exists()


def test_a_script_without_its_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED, encoding="utf-8")
    shutil.copy(Path(__file__).with_name("counting_work.py"), tmp_path)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "put what the script does below `if __name__ == '__main__':`" in done.stderr
    assert "exit code 1 before it had begun" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_script_of_the_page(trained: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    """With two processes, whatever devices there are, and with none: in one place, as outputs name
    their inputs."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    by_two = text.replace('"all"', '"cpu,cpu"').replace("processes=8", "processes=2")
    by_none = re.sub(r", (devices|processes)=[^),]*", "", text)
    assert by_two.count("cpu,cpu") == by_two.count("processes=2") == 2
    assert "devices" not in by_none
    assert "processes" not in by_none
    here, made = tmp_path / "here", []
    for script in (by_two, by_none):
        for place in ("in", "val", "photos"):
            shutil.copytree(photos, here / place)
        shutil.copytree(trained["jpeg-restoration"], here / "runs" / "x4")
        (here / "script.py").write_text(script, encoding="utf-8")
        subprocess.run([sys.executable, "script.py"], cwd=here, check=True)
        (here / "script.py").unlink()
        made.append(contents(here))
        shutil.rmtree(here)
    assert made[0] == made[1]
    outputs = {"out", "report", "damaged", "photos.h5"}
    assert outputs <= {name.split("/")[0] for name in made[0]}
