"""What an exported folder says of itself: how its files are called, in code that runs."""

from __future__ import annotations

from string import Template

from palette.exporting.graphs import NOISE_SIDE
from palette.exporting.pictures import LEAST_SIDE
from palette.restoring.restorer import Restorer

GRAPHS = Template("""\
# $task

A palette model, exported by `palette export`.
Weights: SHA-256 $digest.

## mean: picture → picture

The answer of one evaluation, E[y|x]: smooth, and near the truth.

| | | |
|---|---|---|
| `picture` | (1, 3, h, w) float32 | RGB in [0, 1], any height and width$least |
$mask$noise| `restored` | (1, 3, $size) float32 | RGB in [0, 1] |

```python
$code```

$start$holes

## epsilon: the network

ε̂ of `x` (B, $shown, H, W), the condition in [−1, 1], the noisy `y_t` (B, 3, H, W), and `gamma`
(B,), the share of the picture's power in y_t = √γ·z + √(1−γ)·ε$more.
H and W are multiples of $stride.
What is diffused is z = W(y − $residual·x)/$scale, where W multiplies what is not luma by
$gain$chroma.

A diffusion model invents detail: do not use its output as evidence.
""")

READ = """\
import numpy as np
from PIL import Image

def tensor(path, mode):
    array = np.asarray(Image.open(path).convert(mode), np.float32) / 255
    return np.atleast_3d(array).transpose(2, 0, 1)[None]

"""
SAVE = """\
array = np.rint(restored[0].transpose(1, 2, 0) * 255).astype(np.uint8)
Image.fromarray(array).save("restored.png")
"""
ONNX = """\
import onnxruntime
{read}inputs = {{"picture": tensor("photo.png", "RGB"){mask}}}
{noise}session = onnxruntime.InferenceSession("mean.onnx")
(restored,) = session.run(None, inputs)
{save}"""
TORCH = """\
import torch
{read}inputs = {{"picture": tensor("photo.png", "RGB"){mask}}}
inputs = {{name: torch.from_numpy(value) for name, value in inputs.items()}}
{noise}mean = torch.export.load("mean.pt2").module()
restored = mean(**inputs).numpy()
{save}"""
QUIET = """\
onnxruntime.set_default_logger_severity(3)  # noise has a default, which it would warn of
"""
DRAWN = f"""\
draws = torch.Generator().manual_seed(0)
inputs["noise"] = torch.randn(1, 3, {NOISE_SIDE}, {NOISE_SIDE}, generator=draws)
"""
NOISE = """\
| `noise` | (1, 3, n, m) float32 | standard normal, repeated to the size. {} |
"""
FROM_NOISE = """\
The evaluation starts from the noise. palette keys it by the picture and the seed: given the same
noise, the answer is palette's own to 1e-4; another noise makes another draw of it."""
FROM_NOTHING = "The evaluation starts from no noise: the answer is palette's own to 1e-4."


def for_graphs(restorer: Restorer, usage: str) -> str:
    """README.md of ``mean`` and ``epsilon``; ``usage`` is ONNX or TORCH."""
    architecture = restorer.solver.denoiser.unet.architecture
    task, target = restorer.task, restorer.solver.target
    least = max(LEAST_SIDE, architecture.stride + 1)
    mask = ', "mask": tensor("hole.png", "L")' if task.masked else ""
    more = ", `strength` (B,)" * architecture.strength
    more += f", `task` (B,) int64, here {restorer.solver.task}" if architecture.tasks else ""
    row, drawn, start = "", "", FROM_NOTHING
    if not restorer.solver.hides:
        default = f"Left out: one of {NOISE_SIDE}² that is in the file"
        row = NOISE.format(default if usage is ONNX else "Your own")
        drawn, start = QUIET if usage is ONNX else DRAWN, FROM_NOISE
    return GRAPHS.substitute(
        task=restorer.member.name,
        digest=restorer.digest,
        least="" if usage is ONNX else f" from {least} on",
        mask="| `mask` | (1, 1, h, w) float32 | 1 where the picture is missing |\n" * task.masked,
        noise=row,
        start=start,
        size="h, w" if task.scale is None else f"{task.scale}·h, {task.scale}·w",
        code=usage.format(read=READ, save=SAVE, mask=mask, noise=drawn),
        holes=_HOLES * task.masked,
        shown=3 + bool(architecture.mask),
        more=more,
        stride=architecture.stride,
        residual=f"{target.residual:g}",
        scale=f"{target.scale:.6g}",
        gain=f"{target.gain:.6g}",
        chroma=" and takes the luma away" if target.chroma else "",
    )


_HOLES = (
    "\nHoles that are deeper than three quarters of the side of the training crops follow a "
    "reduced\npicture in palette, which this file does not."
)
