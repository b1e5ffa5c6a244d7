"""What `palette import` refuses: one line, nothing run, nothing written."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from published_networks import GuidedUNet, SR3UNet
from safetensors.torch import save_file
from torch import Tensor

from palette.api import read_model
from palette.cli.main import main
from palette.data.images import write
from palette.diffusion.schedule import linear_gammas

State = dict[str, Tensor]
FLAGS = ["--task", "colorization", "--head-width", "32"]


def state() -> State:
    torch.manual_seed(0)
    network = GuidedUNet("cond_embed", 32, (1, 2), 1).state_dict()
    schedule = {"gammas": linear_gammas(2000, 1e-6, 0.01).float()}
    return {f"denoise_fn.{name}": value for name, value in network.items()} | schedule


def sr3_state() -> State:
    return SR3UNet(16, (1, 2), 1, (), 16).state_dict()


def changed(**values: Tensor | None) -> State:
    """With a tensor changed, added or, for None, taken away."""
    found = {**state(), **{name.replace("__", "."): value for name, value in values.items()}}
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What is said of a file with this content, in a line, and that nothing is left behind."""

    def run(content: object, *flags: str, code: int = 2) -> str:
        file = tmp_path / "file.pth"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        assert main(["import", str(file), str(tmp_path / "out"), *flags]) == code
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file.pth"]
        return said

    return run


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"__import__('pathlib').Path({str(self.sign)!r}).touch()",)


def test_a_malicious_pickle_is_not_run(refused: Callable[..., str], tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    content = {**state(), "note": Malicious(sign)}
    said = refused(content, *FLAGS, code=4)
    assert "nothing of it was run: it asks for eval" in said
    assert "nothing of it was run" in refused(pickle.dumps(content), *FLAGS, code=4)
    assert not sign.exists()
    pickle.loads(pickle.dumps(Malicious(sign)))
    assert sign.exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
def test_what_is_no_file_of_weights(refused: Callable[..., str], content: bytes) -> None:
    assert "damaged or no file of weights" in refused(content, *FLAGS, code=4)


def test_a_file_that_was_cut_off(refused: Callable[..., str], tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "file.pth")
    whole = (tmp_path / "file.pth").read_bytes()
    assert "is damaged" in refused(whole[: len(whole) // 2], *FLAGS, code=4)


GONE, EXTRA = "denoise_fn.middle_block.1.norm.bias", "denoise_fn.input_blocks.1.1.norm.weight"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: changed(**{GONE: None}), "lacks middle_block.1.norm.bias"),
        (lambda: changed(**{EXTRA: torch.ones(32)}), "also holds input_blocks.1.1.norm.weight"),
        (lambda: changed(optimizer=torch.ones(1)), "holds optimizer beside the network"),
        (lambda: changed(**{"denoise_fn.out.2.weight": None}), "lacks out.2.weight"),
        (
            lambda: changed(**{"denoise_fn.out.0.weight": torch.ones(7)}),
            "out.0.weight is (7,), which does not fit",
        ),
        (
            lambda: changed(**{"denoise_fn.middle_block.1.qkv.weight": torch.ones(7, 3)}),
            "qkv.weight is (7, 3), which does not fit",
        ),
        (
            lambda: changed(gammas=linear_gammas(1000, 1e-4, 0.02)),
            "schedule of its own (1000",
        ),
        (lambda: {"epoch": 3, **state()}, "holds epoch beside tensors"),
        (lambda: {"state_dict": state()}, "holds state_dict beside tensors"),
        (lambda: [1, 2], "holds no state dict"),
        (dict, "holds nothing"),
        (
            lambda: {"layer.weight": torch.ones(3)},
            "no family that palette knows",
        ),
        (sr3_state, "whether SR3 or Palette trained it"),
        (
            lambda: GuidedUNet("time_embed", 32, (1, 2), 1, inputs=4).state_dict(),
            "has 4 input and 3 output channels",
        ),
    ],
)
def test_by_name(refused: Callable[..., str], content: Callable[[], State], words: str) -> None:
    assert words in refused(content(), *FLAGS)


def test_weights_that_are_not_finite(refused: Callable[..., str]) -> None:
    broken = changed(**{"denoise_fn.out.0.bias": torch.full((32,), torch.nan)})
    assert "out.0.bias is not finite" in refused(broken, *FLAGS, code=4)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (FLAGS[2:], "does not say what it was trained for: give --task, one of"),
        (FLAGS[:2], "how its attention is cut into heads: give --head-width"),
        ([*FLAGS[2:], "--task", "colouring"], "did you mean 'colorization'?"),
        ([*FLAGS[2:], "--task", "super-resolution"], "does not say how many times it enlarges"),
        ([*FLAGS, "--scale", "4"], "colorization does not enlarge"),
        ([*FLAGS, "--label", "4"], "tells no classes apart"),
        ([*FLAGS, "--groups", "16"], "have 32 groups: leave --groups out"),
        ([*FLAGS, "--heads", "1"], "either the number of heads or their width"),
        ([*FLAGS, "--size", "9"], "size is 9: it must be a multiple of 8"),
        ([*FLAGS[:2], "--heads", "5"], "model.heads is 5, which does not divide 64 channels"),
    ],
)
def test_what_a_user_has_to_say(refused: Callable[..., str], flags: list[str], words: str) -> None:
    assert words in refused(state(), *flags)


def test_what_other_families_have_to_be_told(refused: Callable[..., str]) -> None:
    network = GuidedUNet("time_embed", 32, (1, 2), 1, classes=5).state_dict()
    assert "5 classes apart: choose one" in refused(network, *FLAGS)
    assert "label is 5: " in refused(network, *FLAGS, "--label", "5")
    blind = GuidedUNet("time_embed", 32, (1, 2), 1, inputs=3).state_dict()
    assert "fill holes only" in refused(blind, *FLAGS)
    sr3 = {f"denoise_fn.{name}": value for name, value in sr3_state().items()}
    assert "how many groups its normalizations have" in refused(sr3, *FLAGS[:2])
    assert "has one head: leave --heads out" in refused(sr3, *FLAGS[:2], "--heads", "2")
    narrow = GuidedUNet("time_embed", 32, (2, 4), 1).state_dict()
    assert "64, 128 channels at its depths and 64 before them" in refused(narrow, *FLAGS)


def test_a_folder_that_exists_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    torch.save(state(), tmp_path / "file.pth")
    command = ["import", str(tmp_path / "file.pth"), str(tmp_path / "out"), *FLAGS]
    assert main(command) == 2
    assert "out exists and is not overwritten" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "none.pth"), str(tmp_path / "new"), *FLAGS]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_no_other_command_reads_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"note": Malicious(tmp_path / "sign")}, tmp_path / "file.pth")
    write(tmp_path / "in.png", np.zeros((8, 8, 3), np.float32))
    for command in (
        ["restore", *(str(tmp_path / name) for name in ("file.pth", "in.png", "out"))],
        ["export", *(str(tmp_path / name) for name in ("file.pth", "out"))],
    ):
        assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("palette import") == 2
    assert not (tmp_path / "sign").exists()


def test_averaged_weights_that_lie_beside_it_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, average = state(), {k: v + 1 for k, v in state().items() if k != "gammas"}
    torch.save(own, tmp_path / "200_Network.pth")
    torch.save(average, tmp_path / "200_Network_ema.pth")
    torch.save(own, tmp_path / "100_Network.pth")

    def head(name: str, *flags: str) -> Tensor:
        out = tmp_path / f"{name}{''.join(flags)}-model"
        assert main(["import", str(tmp_path / name), str(out), *FLAGS, *flags]) == 0
        return read_model(out)[0].denoiser.unet.state_dict()["head.bias"]

    before, after = (one["denoise_fn.out.2.bias"] for one in (own, average))
    assert torch.equal(head("200_Network.pth"), after)
    assert capsys.readouterr().err.startswith("200_Network_ema.pth: Palette")
    assert torch.equal(head("200_Network.pth", "--no-ema"), before)
    assert torch.equal(head("100_Network.pth"), before)


def test_safetensors_and_the_average_of_guided_diffusion(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = GuidedUNet("time_embed", 32, (1, 2), 1, outputs=6).state_dict()
    torch.save(network, tmp_path / "model000100.pt")
    for rate in ("0.99", "0.9999"):
        moved = {name: value + float(rate) for name, value in network.items()}
        torch.save(moved, tmp_path / f"ema_{rate}_000100.pt")
    save_file(network, tmp_path / "plain.safetensors")
    found = {}
    for name in ("model000100.pt", "plain.safetensors"):
        out = tmp_path / f"{name}-model"
        command = ["import", str(tmp_path / name), str(out), "--head-width", "32"]
        assert main(command) == 0
        found[name] = read_model(out)[0].denoiser.unet.state_dict()["head.bias"]
    assert torch.equal(found["plain.safetensors"], network["out.2.bias"][:3])
    assert torch.equal(found["model000100.pt"], network["out.2.bias"][:3] + 0.9999)
