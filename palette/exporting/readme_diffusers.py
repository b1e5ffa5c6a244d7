"""What a folder for diffusers says of itself: what the network takes, and a loop that samples."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from palette.checkpoint import Model
from palette.diffusion.loss import LUMA
from palette.tasks.super_resolution import fits
from palette.types import Member

TEXT = Template("""\
# A palette network for diffusers

`UNet2DModel`, exported by `palette export --to diffusers`, with a scheduler to begin with.
Weights of palette: SHA-256 $digest.

It takes [x, y_t]: `x` (B, $shown, H, W), the condition in [−1, 1]$mask,
beside the noisy `y_t` (B, 3, H, W); H and W are multiples of $stride.$patched
Its `timestep` is $timestep, γ being the share of the picture's power in
y_t = √γ·z + √(1−γ)·ε (`alphas_cumprod`). It predicts $prediction.

What is diffused is z = W(y − r·x)/s of the picture y, where W multiplies what is not luma by
`gain`, and takes the luma away where `chroma` is 1. The function `picture` undoes it.

| number | task | r | s | gain | chroma |
|---|---|---|---|---|---|
$rows
```python
import torch
from diffusers import DDIMScheduler, UNet2DModel

network = UNet2DModel.from_pretrained(".").eval()
scheduler = DDIMScheduler.from_pretrained(".")
scheduler.set_timesteps(20)


def sample(x, number, r, s, gain, chroma, seed=0):
    # x (1, $shown, H, W) in [-1, 1] to (1, 3, H, W) in [0, 1]; the other numbers are the table's
    z = torch.randn(1, 3, *x.shape[2:], generator=torch.Generator().manual_seed(seed))
    for t in scheduler.timesteps:
        gamma = scheduler.alphas_cumprod[t]
        both = torch.cat([x, project(z, chroma)], 1)$unshuffle
        with torch.no_grad():
            predicted = network(both, $number$labels).sample
$shuffle        z = scheduler.step(predicted, t, z).prev_sample
    return ((picture(z, x, r, s, gain, chroma) + 1) / 2).clamp(0, 1)


def luma(z):
    return (z * torch.tensor($luma).reshape(3, 1, 1)).sum(1, keepdim=True)


def project(z, chroma):
    return z - chroma * luma(z)


def picture(z, x, r, s, gain, chroma):
    return s * ((1 - chroma) * luma(z) + (z - luma(z)) / gain) + r * x[:, :3]
```
$finish
A diffusion model invents detail: do not use its output as evidence.
""")


_FINISH = """
palette then makes enlarged pictures reduce to the small one, by two back-projections, which this
loop does not.
"""
_PIXELS = "torch.nn.functional.pixel"


def for_diffusers(model: Model, members: Sequence[Member], factor: float) -> str:
    """README.md; ``factor`` is that of the log-SNR in the network's timestep."""
    a = model.config.model
    gamma = a.embedding == "gamma"
    patched = (
        f" Both go through `pixel_unshuffle(…, {a.patch})`, and what comes out through "
        f"`pixel_shuffle`: the network works at 1/{a.patch} of the resolution."
    )
    numbers = "gamma[None]" if gamma else f"{factor:.10g} * torch.logit(gamma)[None]"
    rows = [
        f"| {number} | {member.name} | {target.residual:d} | {target.scale:.6g} | "
        f"{target.gain:.6g} | {target.chroma:d} |\n"
        for number, (member, target) in enumerate(zip(members, model.targets, strict=True))
    ]
    return TEXT.substitute(
        digest=model.info["sha256"],
        shown=3 + bool(a.mask),
        mask=", and 1 where it is missing in the fourth channel" if a.mask else "",
        stride=a.stride,
        patched=patched if a.patch > 1 else "",
        timestep="γ itself" if gamma else f"{factor:.7g} · ln(γ / (1 − γ))",
        prediction="ε" if a.output == "plain" else "v = √γ·ε − √(1−γ)·z",
        rows="".join(rows),
        unshuffle=f"\n        both = {_PIXELS}_unshuffle(both, {a.patch})" if a.patch > 1 else "",
        shuffle=f"        predicted = {_PIXELS}_shuffle(predicted, {a.patch})\n" * (a.patch > 1),
        number=numbers,
        labels=", torch.tensor([number])" if a.tasks else "",
        luma=LUMA,
        finish=_FINISH * any(fits(member.task) for member in members),
    )
