"""The U-Net of Palette: that of Dhariwal & Nichol (2021), conditioned by concatenation [x, y_t].

Two additions: an optional space-to-depth stem, and an output that is plain or has an analytic
skip. What published networks do otherwise is a choice of
:class:`palette.network.architecture.Architecture`. All tensors are ``(B, C, H, W)``.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from palette.errors import UserError
from palette.network.architecture import Architecture
from palette.network.dropout import Dropout, number_dropouts
from palette.network.embedding import NoiseEmbedding
from palette.network.norm import group_norm, norm_silu

Resample = Literal["down", "up"]


class ResidualBlock(nn.Module):
    """Norm, SiLU, conv, twice; the second norm is scaled and shifted by the noise embedding.

    With ``shift`` the embedding is added before the second norm, and scales nothing.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        groups: int,
        dropout: float = 0.0,
        resample: Resample | None = None,
        shift: bool = False,
    ) -> None:
        super().__init__()
        self.resample: Resample | None = resample
        self.shift = shift
        self.norm1 = nn.GroupNorm(_divisor(groups, inputs), inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, outputs if shift else 2 * outputs)
        self.norm2 = nn.GroupNorm(_divisor(groups, outputs), outputs)
        self.dropout = Dropout(dropout)
        self.conv2 = _zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        residual = norm_silu(self.norm1, h)
        if self.resample is not None:
            residual, h = _resample(residual, self.resample), _resample(h, self.resample)
        residual = self.conv1(residual)
        if self.shift:
            shift = self.scale_shift(embedding)[:, :, None, None]
            residual = norm_silu(self.norm2, residual + shift)
        else:
            scale, shift = self.scale_shift(embedding).chunk(2, dim=1)
            residual = norm_silu(self.norm2, residual, scale, shift)
        return self.skip(h) + self.conv2(self.dropout(residual))


class Resampling(nn.Module):
    """To the next depth by one convolution, whatever the noise embedding."""

    def __init__(self, channels: int, resample: Resample) -> None:
        super().__init__()
        self.resample: Resample = resample
        stride = 2 if resample == "down" else 1
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(h if self.resample == "down" else _resample(h, "up"))


class SelfAttention(nn.Module):
    """Multi-head attention over all positions, as a residual."""

    def __init__(self, channels: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(_divisor(groups, channels), channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, h: Tensor) -> Tensor:
        b, c, height, width = h.shape
        qkv = self.qkv(group_norm(self.norm, h)).reshape(
            b, 3, self.heads, c // self.heads, height * width
        )
        # contiguous: the kernel without an (H·W)² matrix takes nothing else
        q, k, v = qkv.transpose(-1, -2).contiguous().unbind(dim=1)  # (B, heads, H·W, head_width)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return h + self.out(mixed.transpose(-1, -2).reshape(b, c, height, width))


class Stage(nn.Module):
    """A residual block and, at chosen resolutions, attention after it; or a step between depths."""

    def __init__(
        self, block: ResidualBlock | Resampling, attention: SelfAttention | None = None
    ) -> None:
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        h = self.block(h, embedding)
        return h if self.attention is None else self.attention(h)


class UNet(nn.Module):
    """F(x, y_t, γ): (B, 3, H, W), (B, 3, H, W), (B,) → (B, 3, H, W).

    With ``architecture.takes_mask`` x has a fourth channel, 1 where the picture is missing. With
    ``architecture.strength`` also (B,) strengths of conditioning augmentation, 0 by default; with
    ``architecture.tasks`` the number of each example's task, (B,) int64, 0 by default.

    ``image_size`` is the training size: it fixes at which depths there is attention. Afterwards
    any H and W that are multiples of ``architecture.stride`` will do.

    ``recompute`` keeps no activations inside of a stage for the backward pass, which computes them
    again (Chen et al. 2016): less memory, the same gradients.
    """

    def __init__(self, architecture: Architecture, image_size: int, channels: int = 3) -> None:
        super().__init__()
        self.recompute = False
        self.architecture = a = architecture
        widths = [a.width * m for m in a.multipliers]
        self.shift = shift = a.modulation == "shift"
        emb = a.width if shift else 4 * a.width

        def residual(inputs: int, outputs: int, resample: Resample | None = None) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, emb, a.groups, a.dropout, resample, shift)

        def stage(inputs: int, depth: int) -> Stage:
            block = residual(inputs, widths[depth])
            attends = image_size // (a.patch * 2**depth) in a.attention
            return Stage(block, attention(widths[depth]) if attends else None)

        def step(channels: int, resample: Resample) -> Stage:
            if a.resampling == "convolution":
                return Stage(Resampling(channels, resample))
            return Stage(residual(channels, channels, resample))

        def attention(channels: int) -> SelfAttention:
            return SelfAttention(channels, a.heads_of(channels), a.groups)

        self.embedding = NoiseEmbedding(a.width, a.embedding, emb)
        self.strength_embedding = NoiseEmbedding(a.width, "strength", emb) if a.strength else None
        self.task_embedding = nn.Embedding(a.tasks, emb) if a.tasks else None
        shown = 2 * channels + bool(a.mask)
        self.stem = nn.Conv2d(shown * a.patch**2, a.width, 3, padding=1)

        self.down = nn.ModuleList()
        current, skips = a.width, [a.width]
        for depth in range(len(widths)):
            for _ in range(a.blocks):
                self.down.append(stage(current, depth))
                current = widths[depth]
                skips.append(current)
            if depth < len(widths) - 1:
                self.down.append(step(current, "down"))
                skips.append(current)

        middle = [residual(current, current) for _ in range(2)]
        between = attention(current) if a.middle_attention else None
        self.middle = nn.ModuleList([Stage(middle[0], between), Stage(middle[1])])

        self.up = nn.ModuleList()
        for depth in reversed(range(len(widths))):
            for _ in range(a.blocks + 1):
                self.up.append(stage(current + skips.pop(), depth))
                current = widths[depth]
            if depth > 0:
                self.up.append(step(current, "up"))

        self.head_norm = nn.GroupNorm(_divisor(a.groups, current), current)
        self.head = _zeroed(nn.Conv2d(current, channels * a.patch**2, 3, padding=1))
        number_dropouts(self)

    def forward(
        self,
        x: Tensor,
        y_t: Tensor,
        gamma: Tensor,
        strength: Tensor | None = None,
        task: Tensor | None = None,
    ) -> Tensor:
        self._check(x, y_t)
        patch = self.architecture.patch
        embedding = self.embedding(gamma)
        if self.strength_embedding is not None:
            embedding = embedding + self.strength_embedding(
                torch.zeros_like(gamma) if strength is None else strength
            )
        if self.task_embedding is not None:
            embedding = embedding + self.task_embedding(
                torch.zeros_like(gamma, dtype=torch.int64) if task is None else task
            )
        if not self.shift:
            embedding = F.silu(embedding)
        if self.architecture.known == "clean":
            y_t = torch.where(x[:, -1:] > 0, y_t, x[:, : y_t.shape[1]])
            x = x if self.architecture.mask else x[:, :-1]
        h = torch.cat([x, y_t], dim=1)
        h = self.stem(h if patch == 1 else F.pixel_unshuffle(h, patch))
        skips = [h]
        for stage in self.down:
            h = self._run(stage, h, embedding)
            skips.append(h)
        for stage in self.middle:
            h = self._run(stage, h, embedding)
        for stage in self.up:
            assert isinstance(stage, Stage)
            if stage.block.resample is None:
                h = torch.cat([h, skips.pop()], dim=1)
            h = self._run(stage, h, embedding)
        h = self.head(norm_silu(self.head_norm, h))
        return h if patch == 1 else F.pixel_shuffle(h, patch)

    def _check(self, x: Tensor, y_t: Tensor) -> None:
        stride, mask = self.architecture.stride, self.architecture.takes_mask
        fits = x.shape[:1] + x.shape[2:] == y_t.shape[:1] + y_t.shape[2:]
        if not fits or x.shape[1] != y_t.shape[1] + mask or any(s % stride for s in x.shape[2:]):
            raise UserError(
                f"the network got x {tuple(x.shape)} and y_t {tuple(y_t.shape)}: they must be of "
                f"one shape{' but for the mask channel of x' if mask else ''} with sides that are "
                f"multiples of {stride}"
            )

    def _run(self, stage: nn.Module, h: Tensor, embedding: Tensor) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(stage, h, embedding, use_reentrant=False)  # type: ignore[return-value]
        return stage(h, embedding)


def _resample(h: Tensor, how: Resample) -> Tensor:
    """Average pooling down, nearest neighbour up: the residual up/down blocks of the paper."""
    return F.avg_pool2d(h, 2) if how == "down" else F.interpolate(h, scale_factor=2.0)


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _divisor(groups: int, channels: int) -> int:
    """``groups``, or where skip connections make an odd sum of channels, its largest divisor."""
    return math.gcd(groups, channels)
