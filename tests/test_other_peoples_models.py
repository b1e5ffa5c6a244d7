"""Models and checkpoints are tensors and plain values: nothing in them is ever run."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

import palette
from palette.errors import IntegrityError
from palette.files import sha256


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.sign,)


def test_a_pickle_in_place_of_weights_is_not_run(trained: dict[str, Path], tmp_path: Path) -> None:
    model = shutil.copytree(trained["denoising"] / "model", tmp_path / "model")
    weights, about = model / "weights.safetensors", model / "model.json"
    weights.write_bytes(pickle.dumps(Malicious(tmp_path / "sign")))
    digest = {"sha256": sha256(weights)}
    about.write_text(json.dumps({**json.loads(about.read_text()), **digest}))
    with pytest.raises(IntegrityError, match=r"weights\.safetensors cannot be read"):
        palette.load(model)
    assert not (tmp_path / "sign").exists()
    pickle.loads(weights.read_bytes())
    assert (tmp_path / "sign").exists()


def test_a_checkpoint_holds_tensors_and_json_alone(trained: dict[str, Path]) -> None:
    """The moments of the optimizer and the draws too."""
    (folder,) = (trained["denoising"] / "checkpoints").glob("step-*")
    kinds = {path.suffix for path in folder.iterdir()}
    assert kinds == {".safetensors", ".json"}
    assert {"exp_avg", "exp_avg_sq", "draws"} < {path.stem for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("model.json", {"targets": []}, "model.json is damaged: it has 1 tasks and 0 targets"),
        ("model.json", {"targets": [{"residual": "maybe"}]}, "model.json is damaged: residual is"),
        ("model.json", {"config": None}, "model.json is damaged"),
        ("model.json", {"sha256": 7}, "SHA-256 differs"),
        ("model.json", {"config": {"blocks": 10**30}}, "weights do not fit model.json"),
        ("model.json", {"config": {"width": 10**30}}, "weights do not fit model.json"),
        ("searched.json", {"searched": [{"eta": None}]}, "searched.json is damaged"),
    ],
)
def test_what_its_json_lacks_is_named(
    trained: dict[str, Path], tmp_path: Path, name: str, change: dict[str, object], message: str
) -> None:
    model = shutil.copytree(trained["denoising"] / "model", tmp_path / "model")
    about = json.loads((model / "model.json").read_text())
    empty = {"schema": 1, "weights": about["sha256"], "searched": []}
    whole = about if name == "model.json" else empty
    if isinstance(change.get("config"), dict):  # of the network
        config = json.loads(json.dumps(about["config"]))
        config["model"] |= change["config"]
        change = {"config": config}
    (model / name).write_text(json.dumps({**whole, **change}))
    with pytest.raises(IntegrityError, match=message) as caught:
        palette.load(model)
    assert "\n" not in str(caught.value)
