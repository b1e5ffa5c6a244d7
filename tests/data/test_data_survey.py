"""What `palette info` says of a data set is what was put there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.cli.main import main
from palette.data.opening import open_source
from palette.data.survey import jpeg_quality, survey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of each sort."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    photo = Image.fromarray(np.rint(open_source("bundled").read(0)[:90, :120] * 255).astype("u1"))
    other = Image.fromarray(np.rint(open_source("bundled").read(1)[:50, :70] * 255).astype("u1"))
    photo.save(folder / "a.png")
    photo.resize((60, 45)).save(folder / "sub" / "same.jpg", quality=70)
    other.save(folder / "b.jpg", quality=35, subsampling=0)
    other.convert("L").rotate(90).save(folder / "grey.png")
    glass = photo.crop((0, 0, 30, 30)).transpose(Image.Transpose.ROTATE_180)
    glass.putalpha(128)
    glass.save(folder / "transparent.webp", lossless=True)
    deep = np.random.default_rng(0).integers(0, 65536, (21, 34), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.tif")
    other.crop((0, 0, 40, 40)).save(
        folder / "moving.gif", save_all=True, append_images=[other.crop((9, 9, 49, 49))]
    )
    (folder / "broken.jpg").write_bytes((folder / "b.jpg").read_bytes()[:500])
    (folder / "readme.txt").write_text("a text")
    return folder


def test_a_folder(folder: Path) -> None:
    found = survey(folder).as_json()
    assert found["pictures"] == 7
    assert found["shorter side"] == {"least": 21, "median": 45, "most": 90}
    assert found["longer side"] == {"least": 30, "median": 60, "most": 120}
    assert found["kinds"] == {"PNG": 2, "JPEG": 2, "TIFF": 1, "GIF": 1, "WEBP": 1}
    assert found["bits"] == {"8": 6, "16": 1}
    assert found["JPEG quality"] == {"least": 35, "median": 35, "most": 70}
    assert found["grey"] == 2
    assert found["transparent"] == 1
    assert found["repeated"] == ["sub/same.jpg: looks like a.png"]
    assert found["passed over"] == {".txt": 1}
    (broken,) = found["broken"]
    assert broken.startswith(str(folder / "broken.jpg"))
    (warning,) = found["warnings"]
    assert "moving.gif: several frames" in warning


@pytest.mark.parametrize("quality", [1, 5, 10, 30, 49, 50, 51, 75, 90, 95, 99, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_quality_of_a_jpeg(quality: int, mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (16, 16)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        assert jpeg_quality(image.quantization[0]) == quality  # type: ignore[attr-defined]


def test_a_table_that_is_not_of_libjpeg_gets_the_nearest_quality() -> None:
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG", quality=60)
    with Image.open(file) as image:
        table = np.array(image.quantization[0])  # type: ignore[attr-defined]
    assert abs(jpeg_quality(list(table + np.arange(64) % 3 - 1)) - 60) <= 2


def test_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["info", str(folder), "--contact-sheet", str(sheet)]) == 3
    assert json.loads(capsys.readouterr().out)["pictures"] == 7
    with Image.open(sheet) as image:
        assert image.width > 6 * 256
    assert main(["info", str(folder), "--contact-sheet", str(sheet)]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert main(["info", str(folder / "a.png")]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"] == {"PNG": 1}
    (tmp_path / "model").mkdir()
    assert main(["info", str(tmp_path / "model")]) == 2
    assert "no pictures, no run and no model" in capsys.readouterr().err


def test_a_packed_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "all.h5"
    main(["pack", str(folder), str(packed), "--min-side", "40"])
    capsys.readouterr()
    assert main(["info", str(packed)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kinds"] == {"packed": 5}
    assert found["packed"]["selection"]["min_side"] == 40
    assert len(found["packed"]["left_out"]["small"]) == 2
    assert found["repeated"] == ["sub/same.jpg: looks like a.png"]
