"""The published networks, rendered plainly from their description: what parity is measured against.

The names of the modules are those of the published state dicts. Layers that published networks
start at zero are drawn too, so that everything has an effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoids(number: Tensor, width: int, order: str) -> Tensor:
    half = width // 2
    angles = number[:, None] * torch.exp(-math.log(1e4) * torch.arange(half) / half)
    waves = [angles.cos(), angles.sin()]
    return torch.cat(waves if order == "cos-sin" else waves[::-1], dim=1)


class GuidedBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, embedding: int, step: str = "") -> None:
        super().__init__()
        self.step = step
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.in_layers = nn.Sequential(nn.GroupNorm(32, inputs), nn.SiLU(), conv)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        conv = nn.Conv2d(outputs, outputs, 3, padding=1)
        norm = nn.GroupNorm(32, outputs)
        self.out_layers = nn.Sequential(norm, nn.SiLU(), nn.Dropout(0.2), conv)
        if inputs != outputs:
            self.skip_connection = nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        inner = self.in_layers[1](self.in_layers[0](h))
        if self.step == "down":
            inner, h = F.avg_pool2d(inner, 2), F.avg_pool2d(h, 2)
        if self.step == "up":
            inner, h = (F.interpolate(one, scale_factor=2, mode="nearest") for one in (inner, h))
        inner = self.in_layers[2](inner)
        scale, shift = self.emb_layers(e)[:, :, None, None].chunk(2, dim=1)
        inner = self.out_layers[0](inner) * (1 + scale) + shift
        inner = self.out_layers[1:](inner)
        return inner + (self.skip_connection(h) if hasattr(self, "skip_connection") else h)


class GuidedAttention(nn.Module):
    """In the "legacy" order: a third of each head's channels is its query, a third its key, …"""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(32, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        batch, channels, height, width = h.shape
        flat = h.reshape(batch, channels, -1)
        each = self.qkv(self.norm(flat)).reshape(batch * self.heads, -1, height * width)
        q, k, v = each.split(channels // self.heads, dim=1)
        weight = torch.einsum("bct,bcs->bts", q, k) / math.sqrt(channels / self.heads)
        mixed = torch.einsum("bts,bcs->bct", weight.softmax(dim=-1), v).reshape(flat.shape)
        return (flat + self.proj_out(mixed)).reshape(h.shape)


class Strided(nn.Module):
    """A step between depths by one convolution, under the name ``op`` or ``conv``."""

    def __init__(self, channels: int, step: str, name: str) -> None:
        super().__init__()
        self.step, self.name = step, name
        self.add_module(name, nn.Conv2d(channels, channels, 3, 2 if step == "down" else 1, 1))

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        return self.get_submodule(self.name)(
            h if self.step == "down" else F.interpolate(h, scale_factor=2)
        )


class InTurn(nn.ModuleList):
    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        for layer in self:
            h = layer(h) if isinstance(layer, nn.Conv2d) else layer(h, e)
        return h


class GuidedUNet(nn.Module):
    """That of guided-diffusion, and of Palette's port with ``embed`` = cond_embed."""

    def __init__(
        self,
        embed: str,
        width: int,
        multipliers: Sequence[int],
        blocks: int,
        attention: Sequence[int] = (),
        head_width: int = 32,
        heads: int = 0,
        inputs: int = 6,
        outputs: int = 3,
        classes: int = 0,
        convolutions: bool = False,
    ) -> None:
        super().__init__()
        self.embed, self.width, emb = embed, width, 4 * width
        self.add_module(embed, nn.Sequential(nn.Linear(width, emb), nn.SiLU(), nn.Linear(emb, emb)))
        if classes:
            self.label_emb = nn.Embedding(classes, emb)

        def attend(channels: int) -> GuidedAttention:
            return GuidedAttention(channels, heads or channels // head_width)

        def step(channels: int, way: str) -> nn.Module:
            if convolutions:
                return Strided(channels, way, {"down": "op", "up": "conv"}[way])
            return GuidedBlock(channels, channels, emb, way)

        current = width * multipliers[0]
        self.input_blocks = nn.ModuleList([InTurn([nn.Conv2d(inputs, current, 3, padding=1)])])
        kept = [current]
        for depth, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                layers: list[nn.Module] = [GuidedBlock(current, width * multiplier, emb)]
                current = width * multiplier
                layers += [attend(current)] if depth in attention else []
                self.input_blocks.append(InTurn(layers))
                kept.append(current)
            if depth < len(multipliers) - 1:
                self.input_blocks.append(InTurn([step(current, "down")]))
                kept.append(current)
        middle = [GuidedBlock(current, current, emb), attend(current)]
        self.middle_block = InTurn([*middle, GuidedBlock(current, current, emb)])
        self.output_blocks = nn.ModuleList()
        for depth, multiplier in reversed(list(enumerate(multipliers))):
            for number in range(blocks + 1):
                layers = [GuidedBlock(current + kept.pop(), width * multiplier, emb)]
                current = width * multiplier
                layers += [attend(current)] if depth in attention else []
                layers += [step(current, "up")] if depth and number == blocks else []
                self.output_blocks.append(InTurn(layers))
        head = nn.Conv2d(current, outputs, 3, padding=1)
        self.out = nn.Sequential(nn.GroupNorm(32, current), nn.SiLU(), head)

    def forward(self, shown: Tensor, number: Tensor, label: int | None = None) -> Tensor:
        e = self.get_submodule(self.embed)(sinusoids(number, self.width, "cos-sin"))
        if label is not None:
            e = e + self.label_emb.weight[label]
        h, kept = shown, []
        for layers in self.input_blocks:
            h = layers(h, e)
            kept.append(h)
        h = self.middle_block(h, e)
        for layers in self.output_blocks:
            h = layers(torch.cat([h, kept.pop()], dim=1), e)
        return self.out(h)


class Inner(nn.Module):
    """A module under the name ``name``, as the published code nests them."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, module)

    def forward(self, h: Tensor) -> Tensor:
        return self.get_submodule(self.name)(h)


def norm_swish_conv(inputs: int, outputs: int, groups: int) -> Inner:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return Inner(
        "block", nn.Sequential(nn.GroupNorm(groups, inputs), nn.SiLU(), nn.Identity(), conv)
    )


class SR3Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, embedding: int, groups: int) -> None:
        super().__init__()
        self.noise_func = Inner("noise_func", nn.Sequential(nn.Linear(embedding, outputs)))
        self.block1 = norm_swish_conv(inputs, outputs, groups)
        self.block2 = norm_swish_conv(outputs, outputs, groups)
        if inputs != outputs:
            self.res_conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        inner = self.block1(h) + self.noise_func(e)[:, :, None, None]
        return self.block2(inner) + (self.res_conv(h) if hasattr(self, "res_conv") else h)


class SR3Attention(nn.Module):
    """One head, no bias."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(h)).flatten(2).chunk(3, dim=1)
        weight = (torch.einsum("bct,bcs->bts", q, k) / math.sqrt(h.shape[1])).softmax(dim=-1)
        return h + self.out(torch.einsum("bts,bcs->bct", weight, v).reshape(h.shape))


class SR3Stage(nn.Module):
    def __init__(self, inputs: int, outputs: int, emb: int, groups: int, attends: bool) -> None:
        super().__init__()
        self.res_block = SR3Block(inputs, outputs, emb, groups)
        if attends:
            self.attn = SR3Attention(outputs, groups)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        h = self.res_block(h, e)
        return self.attn(h) if hasattr(self, "attn") else h


class SR3UNet(nn.Module):
    """That of SR3's port, and of Palette's port as its network sr3."""

    def __init__(
        self,
        width: int,
        multipliers: Sequence[int],
        blocks: int,
        attention: Sequence[int] = (),
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.width = width
        layers = [
            nn.Identity(),
            nn.Linear(width, 4 * width),
            nn.SiLU(),
            nn.Linear(4 * width, width),
        ]
        self.noise_level_mlp = nn.Sequential(*layers)
        self.downs = nn.ModuleList([nn.Conv2d(6, width, 3, padding=1)])
        current, kept = width, [width]
        for depth, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                out = width * multiplier
                self.downs.append(SR3Stage(current, out, width, groups, depth in attention))
                current = out
                kept.append(current)
            if depth < len(multipliers) - 1:
                self.downs.append(Strided(current, "down", "conv"))
                kept.append(current)
        self.mid = nn.ModuleList(
            [SR3Stage(current, current, width, groups, attends) for attends in (True, False)]
        )
        self.ups = nn.ModuleList()
        for depth, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                inputs, out = current + kept.pop(), width * multiplier
                self.ups.append(SR3Stage(inputs, out, width, groups, depth in attention))
                current = out
            if depth:
                self.ups.append(Strided(current, "up", "conv"))
        self.final_conv = norm_swish_conv(current, 3, groups)

    def forward(self, shown: Tensor, number: Tensor) -> Tensor:
        e = self.noise_level_mlp(sinusoids(number, self.width, "sin-cos"))
        h, kept = self.downs[0](shown), []
        kept.append(h)
        for layer in self.downs[1:]:
            h = layer(h, e)
            kept.append(h)
        for layer in self.mid:
            h = layer(h, e)
        for layer in self.ups:
            if isinstance(layer, SR3Stage):
                h = torch.cat([h, kept.pop()], dim=1)
            h = layer(h, e)
        return self.final_conv(h)
