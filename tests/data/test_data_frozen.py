"""Frozen pairs: what `palette degrade` made, as a folder and as a pack, with their records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palette
from palette.cli.main import main
from palette.data.images import read
from palette.data.opening import open_source
from palette.data.pairs import Pairs
from palette.errors import UserError


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """Two versions of each picture at a half of its size, drawn."""
    folder = tmp_path_factory.mktemp("frozen") / "pairs"
    assert palette.degrade("bsr_light", photos, folder, seed=3, count=2, scale=2) == []
    return folder


@pytest.fixture(scope="module")
def packed(frozen: Path) -> Path:
    file = frozen.with_name("pairs.h5")
    assert main(["pack", str(frozen), str(file)]) == 0
    assert main(["verify", str(file)]) == 0
    return file


def test_folder_and_pack_are_the_same_pairs(frozen: Path, packed: Path, photos: Path) -> None:
    folder, file = open_source(frozen), open_source(packed)
    assert isinstance(folder, Pairs)
    assert isinstance(file, Pairs)
    assert (len(folder), folder.scale) == (12, 2)
    assert (folder.ids, folder.labels, folder.drawn) == (file.ids, file.labels, file.drawn)
    assert set(folder.labels or []) == {"a", "b"}
    lines = [json.loads(line) for line in (frozen / "records.jsonl").open()]
    for line, name, drawn in zip(lines, folder.ids, folder.drawn or [], strict=True):
        assert (line["output"], line["params"]) == (name, drawn)
    for index, name in enumerate(folder.ids):
        expected = read(frozen / "degraded" / name).picture
        np.testing.assert_array_equal(folder.inputs.read(index), expected)
        np.testing.assert_array_equal(file.inputs.read(index), expected)
        np.testing.assert_array_equal(file.read(index), read(frozen / "clean" / name).picture)


def test_a_model_is_judged_on_them_and_grouped_by_their_records(
    photos: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    palette.degrade("palette_jpeg", photos, tmp_path / "frozen", count=2)
    main(["pack", str(tmp_path / "frozen"), str(tmp_path / "frozen.h5")])
    tables = []
    for name in ("frozen", "frozen.h5"):
        out = tmp_path / f"report of {name}"
        command = ["evaluate", str(trained["jpeg-restoration"]), "--data", str(tmp_path / name)]
        assert main([*command, "--out", str(out), "--steps", "1", "--answer", "mean"]) == 0
        tables.append((out / "rows.csv").read_bytes())
    assert tables[0] == tables[1]
    report = json.loads((out / "report.json").read_text())
    assert "quality" in [groups["by"] for groups in report["strata"]]
    written = read(out / "input" / "a" / "photo-0_0.png").picture
    frozen = read(tmp_path / "frozen" / "degraded" / "a" / "photo-0_0.png").picture
    np.testing.assert_array_equal(written, frozen)


def test_a_model_that_fills_holes_is_told_how(
    frozen: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="name the folder clean/ by --data, mask/ by --mask-files"):
        palette.evaluate(trained["inpainting"], frozen, tmp_path / "report")


def test_paired_trains_on_them(frozen: Path, packed: Path, tmp_path: Path) -> None:
    from conftest import TINY

    palette.train("paired", packed, tmp_path / "run", steps=1, config=TINY)
    assert palette.load(tmp_path / "run").task.scale == 2
    with pytest.raises(UserError, match="makes its own inputs"):
        palette.train("denoising", frozen, tmp_path / "other", steps=1, config=TINY)


def test_what_was_changed_is_named(frozen: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    shutil.copytree(frozen, folder)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    for text, message in [
        ("".join(lines[1:]), r"pairs: records\.jsonl says nothing of a/photo-0_0\.png"),
        ("".join([lines[0], lines[1][:50]]), r"records\.jsonl, line 2: not a record"),
        ('{"output": 1}\n', r"records\.jsonl, line 1: not a record"),
    ]:
        (folder / "records.jsonl").write_text(text)
        with pytest.raises(UserError, match=message):
            open_source(folder)
    (folder / "records.jsonl").write_text("".join(lines))
    (folder / "clean" / "a" / "photo-0_0.png").unlink()
    with pytest.raises(
        UserError, match=r"1 of 12 pictures of .*degraded have no partner in .*clean"
    ):
        open_source(folder)


@pytest.mark.parametrize("selection", [{"cut": 16}, {"distinct": True}, {"min_side": 8}])
def test_a_side_of_a_pair_is_not_left_out(
    frozen: Path, tmp_path: Path, selection: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="frozen pairs, which are packed whole"):
        palette.pack(frozen, tmp_path / "pairs.h5", **selection)
    assert not list(tmp_path.iterdir())
