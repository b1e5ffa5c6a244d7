"""The format of the network: what is chosen, that it is remembered, what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from palette.machine.format import Format, Mode, _candidates, autocast, choose, choose_precision
from palette.machine.format import measure as real_measure  # before the tests replace it
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser

SMALL = Architecture(width=8, multipliers=(1, 2), blocks=1, groups=4, head_width=8, patch=2)
Times = dict[str, float]


@pytest.fixture
def denoiser() -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(SMALL, 16)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "palette" / "formats.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Times:
    """Times in place of a clock; entries are taken out when they are measured."""
    times = dict(zip(map(str, formats()), (4.0, 3.0, 2.9, 2.8), strict=True))

    def measure(denoiser: Denoiser, wanted: Sequence[Format], mode: str) -> Times:
        return {str(f): times.pop(str(f)) for f in wanted}

    monkeypatch.setattr("palette.machine.format.measure", measure)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    return times


def formats() -> list[Format]:
    return [
        Format("fp32"),
        Format("fp32", "channels_last"),
        Format("bf16"),
        Format("bf16", "channels_last"),
    ]


def test_bfloat16_must_be_worth_it(denoiser: Denoiser, cache: Path, clock: Times) -> None:
    assert choose(denoiser, "auto", "restore") == Format("fp32", "channels_last")


def test_it_is_measured_once_and_remembered(
    denoiser: Denoiser, cache: Path, clock: Times, capsys: pytest.CaptureFixture[str]
) -> None:
    clock["bf16 contiguous"] = 2.0
    assert choose(denoiser, "auto", "train") == Format("bf16")
    assert capsys.readouterr().err.count("\n") == 1
    assert not clock  # all four are measured
    for _ in range(2):
        assert choose(denoiser, "auto", "train") == Format("bf16")
        assert choose(denoiser, "fp32", "train") == Format("fp32", "channels_last")
        assert choose(denoiser, "bf16", "train") == Format("bf16")
    assert not capsys.readouterr().err
    ((machine, times),) = json.loads(cache.read_text()).items()
    assert machine.startswith("train: width 8, ")
    assert torch.__version__ in machine
    assert times["bf16 contiguous"] == 2.0
    with pytest.raises(KeyError):  # another mode is another measurement
        choose(denoiser, "auto", "restore")


def test_bfloat16_without_instructions_only_if_asked_for(
    denoiser: Denoiser, cache: Path, clock: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_precision("auto", torch.device("cpu"), "train") == "fp32"
    assert choose(denoiser, "auto", "train").precision == "fp32"
    assert set(clock) == {"bf16 contiguous", "bf16 channels_last"}
    assert choose(denoiser, "bf16", "train") == Format("bf16", "channels_last")


@pytest.mark.parametrize("bf16", [True, False])
def test_gpus_without_bfloat16_train_in_float16(
    bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They restore in it only if asked to: another precision may have trained the model."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    gpu, mps = torch.device("cuda"), torch.device("mps")
    assert choose_precision("auto", gpu, "train") == ("bf16" if bf16 else "fp16")
    assert choose_precision("auto", gpu, "restore") == ("bf16" if bf16 else "fp32")
    assert choose_precision("fp16", gpu, "restore") == "fp16"
    low = "bf16" if bf16 else "fp16"
    expected = [
        "fp32 contiguous",
        "fp32 channels_last",
        f"{low} contiguous",
        f"{low} channels_last",
    ]
    assert [str(one) for one in _candidates("auto", gpu, "train")] == expected
    assert [str(one) for one in _candidates("auto", mps, "train")] == ["fp32 contiguous"]
    assert [str(one) for one in _candidates("fp16", mps, "train")] == ["fp16 contiguous"]
    with pytest.raises(ValueError, match="precision is 'fp8': choose auto, fp32, bf16, fp16"):
        choose_precision("fp8", gpu, "train")


@pytest.mark.parametrize("content", [b"", b"\xff{", b"[1]", b'{"a": {"b": "c"}}', b'{"a": 1}'])
def test_a_cache_that_cannot_be_read_is_no_error(
    content: bytes, denoiser: Denoiser, cache: Path, clock: Times
) -> None:
    cache.parent.mkdir()
    cache.write_bytes(content)
    choose(denoiser, "auto", "train")
    assert len(json.loads(cache.read_text())) == 1


def test_nor_is_one_that_cannot_be_written(
    denoiser: Denoiser, tmp_path: Path, clock: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose(denoiser, "auto", "train") == Format("fp32", "channels_last")


@pytest.mark.parametrize("mode", ["restore", "train"])
def test_measuring_leaves_network_and_generators_alone(
    mode: Mode, denoiser: Denoiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: p.clone() for name, p in denoiser.state_dict().items()}
    state = torch.get_rng_state()
    monkeypatch.setattr("palette.machine.format.BUDGET_SECONDS", 0)
    times = real_measure(denoiser, formats(), mode)
    assert list(times) == [str(f) for f in formats()]
    assert min(times.values()) > 0
    assert torch.equal(state, torch.get_rng_state())
    for name, p in denoiser.named_parameters():
        assert p.grad is None
        assert p.requires_grad
        assert p.stride() == before[name].stride()
        assert torch.equal(p, before[name])


@pytest.mark.parametrize("form", formats(), ids=str)
def test_restoring_runs_in_the_format_and_keeps_the_models_weights(
    form: Format, denoiser: Denoiser
) -> None:
    for p in denoiser.parameters():
        nn.init.normal_(p, std=0.1) if p.abs().max() == 0 else None
    x, y_t, gamma = torch.randn(1, 3, 16, 16), torch.randn(1, 3, 16, 16), torch.tensor([0.3])
    network = form.for_restoring(denoiser)
    seen: list[torch.Tensor] = []
    network.unet.middle[0].register_forward_hook(lambda *call: seen.append(call[2]))  # type: ignore[arg-type]
    with torch.inference_mode(), autocast(torch.device("cpu"), form.dtype):
        out = network(x, y_t, gamma)
    assert seen[0].dtype == form.dtype
    last = form.memory == "channels_last"
    assert seen[0].is_contiguous(memory_format=torch.channels_last) == last
    with torch.inference_mode():
        truth = denoiser(x, y_t, gamma)
    assert (out - truth).norm() < (1e-5 if form.precision == "fp32" else 0.03) * truth.norm()
    assert {p.dtype for p in denoiser.parameters()} == {torch.float32}
    assert all(p.is_contiguous() for p in denoiser.parameters())


def test_doctor_shows_what_is_remembered(denoiser: Denoiser, cache: Path, clock: Times) -> None:
    from palette.cli.doctor import examine

    assert not [key for key in examine()[0] if key.startswith("measured")]
    choose(denoiser, "auto", "train")
    (times,) = [value for key, value in examine()[0].items() if key.startswith("measured: train")]
    assert "fp32 channels_last 3 ms" in times
