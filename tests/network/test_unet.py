"""The U-Net: sizes of the presets, shapes, what depends on what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from palette.network.architecture import PRESETS, Architecture
from palette.network.unet import SelfAttention, Stage, UNet

SMALL = Architecture(width=8, multipliers=(1, 2), blocks=1, groups=4, head_width=8, patch=2)


def parameters(architecture: Architecture, size: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in UNet(architecture, size).parameters())


def test_base_has_the_parameters_of_the_public_port() -> None:
    assert parameters(PRESETS["base"], 256) == 62_641_347


def test_paper_has_552_million_parameters() -> None:
    assert round(parameters(PRESETS["paper"], 256) / 1e6) in (552, 553)


def awake(architecture: Architecture, size: int = 16) -> UNet:
    """A network whose zero-initialised layers are filled, so that everything has an effect."""
    torch.manual_seed(0)
    network = UNet(architecture, size).eval()
    for parameter in network.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("size", [(16, 16), (8, 24), (4, 4)])
def test_any_multiple_of_the_stride(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size)
    assert UNet(SMALL, 16)(x, x, torch.tensor([0.5, 0.9])).shape == x.shape


@pytest.mark.parametrize("shapes", [((1, 3, 10, 16),) * 2, ((1, 3, 16, 16), (1, 3, 16, 20))])
def test_other_sizes_say_what_they_must_be(shapes: tuple[tuple[int, ...], ...]) -> None:
    x, y_t = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match="multiples of 4"):
        UNet(SMALL, 16)(x, y_t, torch.tensor([0.5]))


def test_attention_lies_at_true_resolutions() -> None:
    def levels(attention: tuple[int, ...], patch: int) -> list[int]:
        shape = Architecture(
            width=8, multipliers=(1, 1, 1), blocks=1, groups=4, head_width=8, patch=patch,
            attention=attention,
        )  # fmt: skip
        down = UNet(shape, 32).down
        stages = [stage for stage in down if isinstance(stage, Stage)]
        with_blocks = [stage for stage in stages if stage.block.resample is None]
        return [i for i, s in enumerate(with_blocks) if isinstance(s.attention, SelfAttention)]

    assert levels((16,), patch=1) == [1]
    assert levels((16,), patch=2) == [0]
    assert levels((32, 8), patch=1) == [0, 2]
    assert levels((64,), patch=1) == []


def test_everything_has_an_effect() -> None:
    network = awake(SMALL)
    x, y_t, gamma = torch.randn(1, 3, 16, 16), torch.randn(1, 3, 16, 16), torch.tensor([0.3])
    before = network(x, y_t, gamma)
    for other in [(x + 1, y_t, gamma), (x, y_t + 1, gamma), (x, y_t, gamma + 0.3)]:
        assert (network(*other) - before).abs().max() > 1e-3
    before.sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


SEVERAL = replace(SMALL, mask=True, tasks=3, strength=True)


def test_the_mask_and_the_task_have_an_effect() -> None:
    network = awake(SEVERAL)
    x, y_t = torch.randn(2, 4, 16, 16), torch.randn(2, 3, 16, 16)
    gamma, strength, task = torch.tensor([0.3, 0.6]), torch.tensor([0.1, 0.2]), torch.tensor([0, 2])
    before = network(x, y_t, gamma, strength, task)
    assert before.shape == y_t.shape
    mask = torch.zeros_like(x)
    mask[:, 3] = 1
    for other in [
        (x + mask, y_t, gamma, strength, task),
        (x, y_t, gamma, strength + 0.2, task),
        (x, y_t, gamma, strength, torch.tensor([1, 1])),
    ]:
        assert (network(*other) - before).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    before.sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_tasks_are_told_apart_in_a_batch() -> None:
    network = awake(SEVERAL)
    x, y_t, gamma = torch.randn(1, 4, 16, 16), torch.randn(1, 3, 16, 16), torch.tensor([0.4])
    alone = [network(x, y_t, gamma, None, torch.tensor([task])) for task in range(3)]
    together = network(*(t.expand(3, *t.shape[1:]) for t in (x, y_t, gamma)), None, torch.arange(3))
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)
    assert torch.equal(network(x, y_t, gamma), alone[0])  # strength 0 and task 0
    # one task for the whole batch
    both = network(
        x.expand(2, -1, -1, -1), y_t.expand(2, -1, -1, -1), gamma, None, torch.tensor([1])
    )
    torch.testing.assert_close(both[1:], alone[1], rtol=1e-4, atol=1e-4)


def test_a_mask_channel_too_many_or_too_few_is_refused() -> None:
    three, four = torch.zeros(1, 3, 16, 16), torch.zeros(1, 4, 16, 16)
    with pytest.raises(ValueError, match="but for the mask channel of x"):
        UNet(replace(SMALL, mask=True), 16)(three, three, torch.tensor([0.5]))
    with pytest.raises(ValueError, match=r"x \(1, 4, 16, 16\) and y_t \(1, 3, 16, 16\)"):
        UNet(SMALL, 16)(four, three, torch.tensor([0.5]))


def test_what_is_not_chosen_costs_nothing() -> None:
    plain = parameters(SMALL, 16)
    for none in ({"mask": False}, {"tasks": 0}, {"mask": None, "tasks": None}):
        assert parameters(replace(SMALL, **none), 16) == plain
    assert parameters(replace(SMALL, tasks=5), 16) == plain + 5 * 4 * 8
    # one channel of a stem that sees patches of 2×2 by kernels of 3×3
    assert parameters(replace(SMALL, mask=True), 16) == plain + 4 * 9 * 8


def test_without_attention_in_the_middle_there_is_none() -> None:
    """The network is then local: pixels beyond its reach do not matter, but for the norms'."""
    with_it, without = UNet(SMALL, 16), UNet(replace(SMALL, middle_attention=False), 16)
    attentions = [
        sum(isinstance(m, SelfAttention) for m in n.modules()) for n in (with_it, without)
    ]
    assert attentions == [1, 0]
    # any width of heads will do where nothing attends
    Architecture(width=12, groups=4, head_width=7, middle_attention=False)


def test_a_batch_gives_what_its_pictures_give_alone() -> None:
    network = awake(SMALL)
    x, y_t = torch.randn(3, 3, 16, 16), torch.randn(3, 3, 16, 16)
    gamma = torch.tensor([0.01, 0.5, 0.99])
    together = network(x, y_t, gamma)
    for i in range(3):
        alone = network(x[i : i + 1], y_t[i : i + 1], gamma[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-4)


def test_recomputing_keeps_less_and_gives_the_same_gradients() -> None:
    """With dropout: the second pass through a stage drops what the first one did."""
    deep = Architecture(width=8, multipliers=(1, 2), blocks=2, groups=4, head_width=8, dropout=0.3)
    network = awake(deep).train().to(memory_format=torch.channels_last)
    x, y_t = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)

    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    for stage in network.modules():
        if isinstance(stage, Stage):  # what a stage gets is kept for recomputing it
            stage.register_forward_pre_hook(lambda stage, inputs: (keep(inputs[0]), None)[1])

    def gradients(recompute: bool) -> tuple[list[torch.Tensor], int]:
        network.recompute = recompute
        kept.clear()
        torch.manual_seed(1)
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            loss = network(x, y_t, torch.tensor([0.2, 0.8])).float().square().sum()
        numbers = sum(kept.values())
        return list(torch.autograd.grad(loss, list(network.parameters()))), numbers

    plain, all_of_them = gradients(False)
    again, few = gradients(True)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    assert few < all_of_them / 2


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("width", 12, "multiple of"),
        ("width", 15, "even"),
        ("multipliers", (), "one positive number"),
        ("dropout", 1.0, r"\[0, 1\)"),
        ("patch", 0, "at least 1"),
        ("head_width", 7, "divisor"),
        ("tasks", -1, "at least 0"),
    ],
)
def test_bad_shapes_are_refused(field: str, value: object, cure: str) -> None:
    with pytest.raises(ValueError, match=cure):
        Architecture(**{"width": 16, "groups": 8, field: value})  # type: ignore[arg-type]
