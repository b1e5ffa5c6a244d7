"""The shape of the U-Net as plain data (no torch), and the presets that have a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from palette.errors import UserError


@dataclass(frozen=True)
class Architecture:
    """What :class:`palette.network.unet.UNet` is built from; it travels with every checkpoint."""

    width: int = 64
    """Channels at full resolution."""
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    """Channels at each depth as multiples of the width; each depth halves the resolution."""
    blocks: int = 2
    """Residual blocks at each depth on the way down (one more on the way up)."""
    attention: tuple[int, ...] = ()
    """Self-attention at the depths of these true resolutions, in pixels, at training size."""
    head_width: int = 32
    """Channels of one attention head."""
    groups: int = 32
    """Groups of every group normalization."""
    dropout: float = 0.0
    """Share of the activations that each residual block drops in training."""
    patch: int = 1
    """Space-to-depth stem: the network works at 1/patch of the picture's resolution."""
    output: Literal["skip", "plain"] = "skip"
    """skip: ε̂ = √(1−γ)·y_t + √γ·F. plain: ε̂ = F, as published weights expect."""
    embedding: Literal["logsnr", "gamma", "root-gamma", "ddpm-step"] = "logsnr"
    """Which number of the noise level is embedded. Published weights expect gamma (Palette),
    root-gamma, √γ (SR3), or ddpm-step, the time step of 1000 (guided-diffusion)."""
    strength: Annotated[bool, tyro.conf.arg(aliases=["--model.level"])] = False
    """Embed the strength of the conditioning augmentation too (cascades, Ho et al. 2022)."""
    middle_attention: bool = True
    """Self-attention in the middle, at the lowest resolution, whatever that is."""
    mask: bool | None = None
    """Show the network what is missing as one more channel (GLIDE, Nichol et al. 2022). Without a
    choice: where a task has holes that are filled with something else than noise."""
    tasks: int | None = None
    """Tasks that a learned embedding tells apart. Without a choice: all of a network's, where it
    has several; 0 shows it none."""
    heads: int | None = None
    """Heads of every attention, whatever their width, instead of --model.head-width."""
    modulation: Literal["scale-shift", "shift"] = "scale-shift"
    """How the noise level enters a residual block. scale-shift: after its second norm. shift:
    added before it, as published SR3 weights expect."""
    resampling: Literal["residual", "convolution"] = "residual"
    """Between two depths. residual: a residual block that pools or repeats. convolution: one
    convolution, as published SR3 weights expect."""
    known: Literal["noised", "clean"] = "noised"
    """What y_t has where a picture with a hole is known. noised: as much noise as in the hole.
    clean: the picture itself, as published Palette weights expect; for holes filled with noise."""

    def __post_init__(self) -> None:
        if not self.multipliers or min(self.multipliers) < 1:
            raise UserError(
                f"model.multipliers is {self.multipliers}: give one positive number for each depth"
            )
        for name in ("width", "blocks", "head_width", "groups", "patch"):
            if getattr(self, name) < 1:
                raise UserError(f"model.{name} is {getattr(self, name)}: it must be at least 1")
        if self.width % 2:
            raise UserError(
                f"model.width is {self.width}: choose an even one, as noise levels are embedded by "
                f"pairs of sines and cosines"
            )
        if (self.tasks or 0) < 0:
            raise UserError(f"model.tasks is {self.tasks}: it must be at least 0")
        if not 0 <= self.dropout < 1:
            raise UserError(f"model.dropout is {self.dropout}: it must be in [0, 1)")
        for multiplier in self.multipliers:
            channels = self.width * multiplier
            if channels % self.groups:
                raise UserError(
                    f"model.groups is {self.groups}, which does not divide {channels} channels: "
                    f"choose a width that is a multiple of {self.groups}, or fewer groups"
                )
            middle = self.middle_attention and multiplier == self.multipliers[-1]
            attends = bool(self.attention) or middle
            if attends and self.heads is not None:
                if self.heads < 1 or channels % self.heads:
                    raise UserError(
                        f"model.heads is {self.heads}, which does not divide {channels} channels: "
                        f"choose a divisor of {channels}"
                    )
            elif attends and channels % min(self.head_width, channels):
                raise UserError(
                    f"model.head_width is {self.head_width}, which does not divide "
                    f"{channels} channels: choose a divisor of {channels}"
                )

    def heads_of(self, channels: int) -> int:
        """Of an attention over so many channels."""
        return self.heads or channels // min(self.head_width, channels)

    @property
    def takes_mask(self) -> bool:
        """Whether x comes with one more channel, 1 where the picture is missing."""
        return bool(self.mask) or self.known == "clean"

    @property
    def stride(self) -> int:
        """Sides of the network's input must be multiples of this."""
        return self.patch * 2 ** (len(self.multipliers) - 1)

    @property
    def activations(self) -> float:
        """Numbers that inference holds at once for each pixel of the picture, at its widest place.

        The skips that wait, and a residual block's own: its input normalized and activated, or
        input, shortcut and three steps of its second half. The walk is that of ``UNet.forward``.
        """
        widths = [self.width * m for m in self.multipliers]
        areas = [1 / (self.patch * 2**depth) ** 2 for depth in range(len(widths))]

        def block(inputs: int, outputs: int, depth: int) -> float:
            return max(3 * inputs, inputs + 4 * outputs) * areas[depth]

        current, skips, peak = self.width, [(self.width, 0)], 0.0
        waiting = lambda: sum(channels * areas[depth] for channels, depth in skips)  # noqa: E731
        for depth, width in enumerate(widths):
            for _ in range(self.blocks):
                peak = max(peak, waiting() + block(current, width, depth))
                current = width
                skips.append((width, depth))
            if depth < len(widths) - 1:
                skips.append((width, depth + 1))
        for depth, width in reversed(list(enumerate(widths))):
            for _ in range(self.blocks + 1):
                inputs = current + skips.pop()[0]
                peak = max(peak, waiting() + block(inputs, width, depth))
                current = width
            if depth > 0:
                peak = max(peak, waiting() + block(current, current, depth - 1))
        return peak


PRESETS: dict[str, Architecture] = {
    # learns something in minutes on a CPU
    "tiny": Architecture(width=32, multipliers=(1, 2, 4), blocks=2, groups=8, patch=2),
    # an afternoon on one GPU
    "small": Architecture(width=64, multipliers=(1, 2, 4, 4), blocks=2, attention=(16,), patch=2),
    # the 62.6M shape of the public Palette port
    "base": Architecture(width=64, multipliers=(1, 2, 4, 8), blocks=2, dropout=0.2),
    # the 256² network of Dhariwal & Nichol (2021) that Palette (2022, appendix) trained: 552M
    "paper": Architecture(
        width=256,
        multipliers=(1, 1, 2, 2, 4, 4),
        blocks=2,
        attention=(32, 16, 8),
        head_width=64,
    ),
}
