"""The network against diffusers.UNet2DModel of the same shape: forward, and a training step.

    python benchmarks/network.py [--rounds 15] [--alone]

Equal widths, blocks at each depth, residual resampling, scale-shift conditioning and attention; 6
channels in, 3 out. On a CPU the peer runs in float32, its default, on a GPU in bfloat16 autocast.
The step is zeroed gradients, forward, squared error and backward, without the optimizer. All take
turns, so that a ratio is one of neighbours in time; printed are medians, of ratios with quartiles.

--alone: instead, what it costs that pictures are restored one at a time on CPUs, so that no bit
depends on a batch: the forward of the preset `tiny`, batched against one picture after the other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn

from palette.machine.device import choose_device
from palette.machine.format import Format, autocast, choose
from palette.network.architecture import PRESETS, Architecture
from palette.network.denoiser import Denoiser

SHAPE = Architecture(width=64, multipliers=(1, 2, 4), blocks=2, output="plain")
SIZES = [(64, 4), (128, 2)]
"""Side of the picture and batch."""
ALONE_SIZES = [(64, 64), (256, 4), (512, 4)]


@dataclass(frozen=True)
class Contender:
    name: str
    parameters: int
    forward: Callable[[], Any]
    step: Callable[[], Any]


def peer(side: int, batch: int, device: torch.device, dtype: torch.dtype) -> Contender:
    a = SHAPE
    depths = len(a.multipliers)
    torch.manual_seed(0)
    network: Any = UNet2DModel(
        sample_size=side,
        in_channels=6,
        out_channels=3,
        down_block_types=("ResnetDownsampleBlock2D",) * depths,
        up_block_types=("ResnetUpsampleBlock2D",) * depths,
        block_out_channels=tuple(a.width * m for m in a.multipliers),
        layers_per_block=a.blocks,
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=a.head_width,
        norm_num_groups=a.groups,
    )
    network.to(device)
    x = torch.randn(batch, 6, side, side, device=device)
    time_step = torch.full((batch,), 500, device=device)
    name = f"diffusers {'fp32' if dtype == torch.float32 else 'bf16'}"

    def run() -> Tensor:
        with autocast(device, dtype):
            return network(x, time_step).sample

    return contender(name, network, network, run, run)


def ours(
    name: str, shape: Architecture, precision: str, side: int, batch: int, device: torch.device
) -> Contender:
    torch.manual_seed(0)
    denoiser = Denoiser(shape, side).to(device)
    in_use, trained = (choose(denoiser, precision, mode) for mode in ("restore", "train"))
    x, y_t = torch.randn(2, batch, 3, side, side, device=device)
    gamma = torch.full((batch,), 0.5, device=device)

    def runs(network: nn.Module, form: Format) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with autocast(device, form.dtype):
                return network(x, y_t, gamma)

        return run

    copy = in_use.for_restoring(denoiser)
    whole = trained.lay_out(denoiser).train()
    formats = str(in_use) if in_use == trained else f"{in_use} / {trained}"
    return contender(f"{name}: {formats}", copy, whole, runs(copy, in_use), runs(whole, trained))


def contender(
    name: str,
    network: nn.Module,
    trained: nn.Module,
    run: Callable[[], Tensor],
    training_run: Callable[[], Tensor],
) -> Contender:
    @torch.inference_mode()
    def forward() -> None:
        run()

    def step() -> None:
        trained.zero_grad(set_to_none=True)
        training_run().float().square().mean().backward()

    return Contender(name, sum(p.numel() for p in network.parameters()), forward, step)


def milliseconds(work: Callable[[], Any], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (time.perf_counter() - start)


def interleaved(works: list[Callable[[], Any]], rounds: int, device: torch.device) -> list[Any]:
    """Milliseconds of each work in each round, after one round that is not counted."""
    passes = [[milliseconds(work, device) for work in works] for _ in range(rounds + 1)]
    return list(zip(*passes[1:], strict=True))


def against(peer: list[float], mine: list[float]) -> str:
    """Median time, and how many times slower the peer is."""
    return f"{statistics.median(mine):9.1f} ms {quartiles(peer, mine)}"


def quartiles(above: list[float], below: list[float]) -> str:
    """Of the ratios of neighbours: the median, and the quartiles around it."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:6.2f}× ({low:.2f} … {high:.2f})"


def compare_alone(rounds: int, device: torch.device) -> None:
    """Milliseconds a picture in a batch and alone; above 1× the batch is faster."""
    print(f"preset tiny, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'side':>5}{'batch':>7}  {'format':20}{'in a batch':>12}{'alone':>12}    ratio")
    for side, batch in ALONE_SIZES:
        for form in (Format("fp32", "channels_last"), Format("bf16", "channels_last")):
            run = split_run(form, side, batch, device)
            works = [partial(run, batch), partial(run, 1)]
            whole, alone = interleaved(works, rounds, device)
            columns = [f"{statistics.median(times) / batch:9.2f} ms" for times in (whole, alone)]
            print(f"{side:>5}{batch:>7}  {form!s:20}{''.join(columns)}  {quartiles(alone, whole)}")


def split_run(form: Format, side: int, batch: int, device: torch.device) -> Callable[[int], None]:
    """The forward of `tiny` for ``batch`` pictures; its argument is how many go at once."""
    network = form.for_restoring(Denoiser(PRESETS["tiny"], 64).to(device))
    x, y_t = torch.randn(2, batch, 3, side, side, device=device)
    gamma = torch.full((1,), 0.5, device=device)

    @torch.inference_mode()
    def run(at_once: int) -> None:
        with autocast(device, form.dtype):
            for pair in zip(x.split(at_once), y_t.split(at_once), strict=True):
                network(*pair, gamma)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--alone", action="store_true", help="cost of one picture at a time")
    args = parser.parse_args()
    rounds = args.rounds
    device = choose_device("cuda" if torch.cuda.is_available() else "cpu")
    gpu = device.type == "cuda"
    hardware = torch.cuda.get_device_name(device) if gpu else f"{torch.get_num_threads()} threads"
    print(f"{hardware}, torch {torch.__version__}, {rounds} rounds")
    if args.alone:
        compare_alone(rounds, device)
        return
    print(f"width {SHAPE.width} times {SHAPE.multipliers}, {SHAPE.blocks} blocks at each depth")
    print("ours: what was chosen for the forward / for the step, where they differ")
    for side, batch in SIZES:
        if gpu:
            batch *= 16
        patched = replace(SHAPE, patch=2)
        contenders = [peer(side, batch, device, torch.bfloat16 if gpu else torch.float32)]
        arguments = (side, batch, device)
        contenders += [ours("fp32", SHAPE, "fp32", *arguments)] if not gpu else []
        contenders += [ours("auto", SHAPE, "bf16" if gpu else "auto", *arguments)]
        contenders += [ours("patch 2", patched, "bf16" if gpu else "auto", *arguments)]
        forward = interleaved([c.forward for c in contenders], rounds, device)
        step = interleaved([c.step for c in contenders], rounds, device)
        print(f"\n{side}×{side}, batch {batch}")
        print(f"{'':32}{'parameters':>12}{'forward':>17}{'':18}{'training step':>20}")
        for i, c in enumerate(contenders):
            columns = [against(times[0], times[i]) for times in (forward, step)]
            print(f"{c.name:32}{c.parameters:>12,}  {'   '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
