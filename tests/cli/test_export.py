"""`palette export`: a model as a folder of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import palette
from palette.cli.main import main


def test_an_export_restores_as_the_run_does(
    generalist: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "models" / "mine"
    assert main(["export", str(generalist), str(out), "--precision", "fp32"]) == 0
    both = [
        palette.load(model, task="jpeg-restoration", precision="fp32").restore(picture)
        for model in (generalist, out)
    ]
    np.testing.assert_array_equal(*both)


def test_weights_in_bf16_are_half_as_large_and_nearly_as_good(
    generalist: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    assert main(["export", str(generalist), str(out)]) == 0
    before, after = (load_file(p / "weights.safetensors") for p in (generalist / "model", out))
    assert {str(value.dtype) for value in after.values()} == {"torch.bfloat16"}
    assert before.keys() == after.keys()
    one, other = (
        palette.load(model, task="jpeg-restoration", answer="mean", precision="fp32")
        for model in (generalist, out)
    )
    assert np.abs(one.restore(picture) - other.restore(picture)).max() < 2 / 255


def test_an_export_names_no_place_of_this_machine(generalist: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Mine\n\nLicence: CC0.\n", encoding="utf-8")
    out = tmp_path / "mine"
    assert main(["export", str(generalist), str(out), "--card", str(card)]) == 0
    assert (out / "README.md").read_text(encoding="utf-8") == "# Mine\n\nLicence: CC0.\n"
    about = (out / "model.json").read_text(encoding="utf-8")
    was = json.loads((generalist / "model" / "model.json").read_text(encoding="utf-8"))
    assert Path(was["config"]["data"]["path"]).is_absolute()
    assert was["config"]["data"]["path"] not in about
    assert json.loads(about)["config"]["data"]["path"] == "bundled"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_weights_may_be_read_by_whom_the_rest_may(
    generalist: Path, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        assert main(["export", str(generalist), str(tmp_path / "mine")]) == 0
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "mine").iterdir()}
    assert set(modes.values()) == {0o666 & ~umask}, modes


def test_what_is_refused(
    generalist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    assert main(["export", str(generalist), str(there)]) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err
    card = tmp_path / "none.md"
    assert main(["export", str(generalist), str(tmp_path / "a"), "--card", str(card)]) == 2
    assert f"the card {card} cannot be read" in capsys.readouterr().err
    assert main(["export", str(tmp_path), str(tmp_path / "a")]) == 2
    assert "holds no model" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
