"""What `import palette` offers: light, complete, and the same as the commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import palette
from palette.checkpoint import load_model
from palette.data.images import list_pictures, read
from palette.data.opening import open_source
from palette.errors import of_system


def test_importing_is_light() -> None:
    code = (
        "import sys, palette, palette.cli.main; palette.UserError, palette.Sampling\n"
        "assert palette.__version__; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_resolves_and_no_other() -> None:
    for name in palette.__all__:
        assert getattr(palette, name).__name__ == name
    assert set(palette.__all__) <= set(dir(palette))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        palette.nothing  # noqa: B018


def test_every_error_has_its_exit_code() -> None:
    values = [getattr(palette, name) for name in palette.__all__]
    errors = [value for value in values if hasattr(value, "exit_code")]
    assert {error.__name__: error.exit_code for error in errors} == {
        "Diverged": 1,
        "InUse": 2,
        "IntegrityError": 4,
        "MachineError": 5,
        "PictureError": 2,
        "Preempted": 75,
        "UserError": 2,
    }
    assert of_system(FileNotFoundError("a bug of ours")) is None
    assert of_system(OSError(9, "Bad file descriptor", "file")) is None


def test_degrade(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "in")
    (tmp_path / "in" / "text.png").write_text("not a picture")
    out = tmp_path / "out"
    (problem,) = palette.degrade("jpeg", tmp_path / "in", out, pins={"jpeg.quality": 40})
    assert "text.png" in problem
    assert len(list_pictures(out / "degraded")) == len(list_pictures(photos))
    assert '"quality": 40' in (out / "records.jsonl").read_text()
    with pytest.raises(palette.UserError, match="choose another output"):
        palette.degrade("jpeg", photos, out)


def test_pack(photos: Path, tmp_path: Path) -> None:
    assert palette.pack(photos, tmp_path / "new" / "all.h5") == {}
    packed, folder = open_source(tmp_path / "new" / "all.h5"), open_source(photos)
    assert packed.ids == folder.ids
    assert (packed.read(0) == folder.read(0)).all()
    with pytest.raises(palette.UserError, match="let the name end in"):
        palette.pack(photos, tmp_path / "all.zip")


def test_compare(photos: Path, tmp_path: Path) -> None:
    report = palette.compare(photos, photos, tmp_path / "report", metrics=["ssim"], border=2)
    assert isinstance(report, palette.Report)
    assert report.value("restored", "ssim") == pytest.approx(1)
    with pytest.raises(palette.UserError, match="did you mean 'border'"):
        palette.compare(photos, photos, tmp_path / "other", boarder=2)


def test_search(trained: dict[str, Path], tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained["jpeg-restoration"] / "model", model)
    scores: list[float] = []
    best = palette.search(
        model,
        pictures=3,
        progress=lambda sampling, score: scores.append(score),
        steps=2,
        sampler="ddim",
    )
    assert isinstance(best, palette.Sampling)
    (entry,) = load_model(model).searched
    assert tuple(entry["logsnrs"]) == best.logsnrs
    assert entry["score"] == scores[-1] <= scores[0]
    with pytest.raises(palette.UserError, match="did you mean 'steps'"):
        palette.search(model, stepz=2)


def test_errors_of_a_model(tmp_path: Path, trained: dict[str, Path]) -> None:
    with pytest.raises(palette.UserError, match="holds no model"):
        palette.load(tmp_path)
    shutil.copytree(trained["colorization"] / "model", tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(palette.IntegrityError, match="damaged"):
        palette.load(tmp_path / "model")
    with pytest.raises(palette.PictureError):
        read(weights)
