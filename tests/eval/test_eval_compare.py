"""Pictures of another tool: pairs by name, whatever order and format; faults have names."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from palette.errors import IntegrityError, PictureError
from palette.eval.compare import _require_same_names, compare
from palette.eval.request import Measuring


def pictures(count: int = 6) -> dict[str, np.ndarray]:
    crops = [data.astronaut()[20 * i : 20 * i + 40, 30 * i : 30 * i + 48] for i in range(count)]
    return {f"scene/{index:02d}": np.ascontiguousarray(crop) for index, crop in enumerate(crops)}


def save(folder: Path, named: dict[str, np.ndarray], suffix: str = ".png") -> Path:
    names = list(named)
    random.Random(1).shuffle(names)  # creation order must not matter
    for name in names:
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(named[name]).save(path)
    return folder


def darker(picture: np.ndarray, by: int) -> np.ndarray:
    return np.clip(picture.astype(int) - by, 0, 255).astype(np.uint8)


def test_pairs_join_by_name_whatever_order_and_format(tmp_path: Path) -> None:
    originals = pictures()
    restored = {name: darker(p, 2 * i + 1) for i, (name, p) in enumerate(originals.items())}
    report = compare(
        save(tmp_path / "restored", restored, ".tif"),
        save(tmp_path / "reference", originals, ".PNG"),
        tmp_path / "out",
        Measuring(("psnr", "ssim", "drift")),
    )
    assert list(report.data["table"]) == ["baseline", "original", "restored"]
    for picture in report.data["pictures"]:
        name = picture["name"]
        by_hand = peak_signal_noise_ratio(originals[name], restored[name], data_range=255)
        assert picture["values"]["restored"]["psnr"] == pytest.approx(by_hand, abs=1e-9)
    baseline, ours = (report.value(row, "psnr") for row in ("baseline", "restored"))
    assert baseline is not None
    assert ours is not None
    assert ours > baseline
    again = compare(
        tmp_path / "restored",
        tmp_path / "reference",
        tmp_path / "out",
        Measuring(("psnr", "ssim", "drift")),
    )
    assert again.json.read_bytes() == report.json.read_bytes()


def test_a_shuffle_of_contents_is_seen(tmp_path: Path) -> None:
    originals = pictures()
    names = list(originals)
    shuffled = dict(zip(names, [originals[n] for n in names[1:] + names[:1]], strict=True))
    reference = save(tmp_path / "reference", originals)
    report = compare(save(tmp_path / "restored", shuffled), reference, tmp_path / "out")
    baseline, ours = (report.value(row, "psnr") for row in ("baseline", "restored"))
    assert baseline is not None
    assert ours is not None
    assert ours < baseline  # the mean colour of the right picture is nearer than a wrong picture


def test_missing_extra_and_duplicate_names_are_errors(tmp_path: Path) -> None:
    originals = pictures()
    reference = save(tmp_path / "reference", originals)
    few = save(tmp_path / "few", dict(list(originals.items())[1:]))
    with pytest.raises(IntegrityError, match="lacks scene/00"):
        compare(few, reference, tmp_path / "out")
    more = save(tmp_path / "more", {**originals, "scene/99": originals["scene/00"]})
    with pytest.raises(IntegrityError, match="unlike the reference, scene/99"):
        compare(more, reference, tmp_path / "out")
    double = save(tmp_path / "double", originals)
    save(double, {"scene/00": originals["scene/00"]}, ".bmp")
    with pytest.raises(IntegrityError, match=r"share the name 'scene/00'"):
        compare(double, reference, tmp_path / "out")
    with pytest.raises(ValueError, match="cas measures a model"):
        compare(reference, reference, tmp_path / "out", Measuring(("psnr", "cas")))
    with pytest.raises(ValueError, match="no folder"):
        compare(tmp_path / "absent", reference, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_size_is_an_error_not_a_resize(tmp_path: Path) -> None:
    originals = pictures()
    reference = save(tmp_path / "reference", originals)
    cut = save(tmp_path / "cut", {name: p[:-1] for name, p in originals.items()})
    with pytest.raises(PictureError, match="48×39 pixels, its original 48×40"):
        compare(cut, reference, tmp_path / "out")


def test_a_picture_without_a_value_is_left_out_and_said(tmp_path: Path) -> None:
    """Smaller than the border that is cut off: the others have their figures."""
    originals = {**pictures(3), "zz": data.astronaut()[:7, :60]}
    answers = {name: darker(p, 9) for name, p in originals.items()}
    report = compare(
        save(tmp_path / "restored", answers),
        save(tmp_path / "reference", originals),
        tmp_path / "out",
        Measuring(border=4),
    )
    assert report.value("restored", "psnr") is not None
    assert report.table["restored"]["psnr"].count == 3
    reasons = report.data["pictures"][-1]["reasons"]["restored"]
    assert reasons["psnr"] == reasons["ssim"] == "border 4 leaves nothing of 60×7 pixels"
    (line,) = [line for line in report.as_text().splitlines() if line.startswith("PSNR of")]
    assert line.startswith("PSNR of mean colour, restored: 1 without a value: border 4")


def test_names_are_compared_in_one_pass() -> None:
    class Counted(str):
        """A name that counts how often it is looked up."""

        looks = 0

        def __hash__(self) -> int:
            Counted.looks += 1
            return super().__hash__()

    names = [Counted(f"{i:05d}") for i in range(300)]
    found: dict[str, Path] = dict.fromkeys(names, Path())
    Counted.looks = 0
    _require_same_names("folder", found, names)
    assert Counted.looks < 10 * len(names)


def test_the_input_adds_its_rows(tmp_path: Path) -> None:
    originals = pictures()
    small = {
        name: np.asarray(Image.fromarray(p).resize((24, 20), Image.Resampling.BICUBIC))
        for name, p in originals.items()
    }
    report = compare(
        save(tmp_path / "restored", originals),
        save(tmp_path / "reference", originals),
        tmp_path / "out",
        Measuring(("psnr", "consistency")),
        given=save(tmp_path / "input", small),
    )
    assert list(report.data["table"]) == ["input", "baseline", "original", "restored"]
    titles = {row["key"]: row["title"] for row in report.data["rows"]}
    assert titles["baseline"] == "bicubic"
    assert report.value("restored", "psnr") is None
    assert report.data["pictures"][0]["reasons"]["restored"]["psnr"].endswith("infinite")
    original, enlarged = (report.value(row, "consistency") for row in ("original", "baseline"))
    assert original is not None
    assert enlarged is not None
    assert original < 1 < enlarged


def test_masks_restrict_the_hole_metrics(tmp_path: Path) -> None:
    originals = pictures()
    mask = np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    restored = {}
    for name, picture in originals.items():
        restored[name] = picture.copy()
        restored[name][mask == 0] = 0
    report = compare(
        save(tmp_path / "restored", restored),
        save(tmp_path / "reference", originals),
        tmp_path / "out",
        Measuring(("psnr", "hole")),
        masks=save(tmp_path / "masks", dict.fromkeys(originals, mask)),
    )
    assert report.value("restored", "ssim-hole") is not None
    assert report.value("restored", "psnr-hole") is None  # identical inside of the hole
    assert report.data["pictures"][0]["record"]["missing"] == pytest.approx(400 / (40 * 48))
