"""How the tables of the restoration literature are made, where they are not of whole RGB files.

Their MATLAB scripts convert a picture to YCbCr only if its file holds three channels: a file of one
channel, such as ``bridge`` of Set14 and all of Classic5, is taken as it is. A luma that is restored
is rounded to 8 bits first. Inputs and the bicubic row are MATLAB's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palette.data.sources import ChannelSource, Source
from palette.data.stored import grey_of
from palette.degradations.matlab import imresize
from palette.errors import UserError
from palette.eval.metrics.distortion import luma
from palette.eval.metrics.pixels import to_uint8
from palette.seeding import rng
from palette.types import Picture


@dataclass(frozen=True)
class Conventions:
    """What of a picture is restored and judged.

    ``luma`` and ``border``: PSNR and SSIM are of BT.601 luma, without that many pixels at each
    side. ``grey``: pictures become their luma before they are degraded.
    """

    luma: bool = False
    border: int = 0
    grey: bool = False

    @property
    def tells_channels(self) -> bool:
        """Whether a file of one channel is treated unlike one of three."""
        return self.luma or self.grey

    def clean(self, picture: Picture, one_channel: bool) -> tuple[Picture, bool]:
        """The clean picture, (H, W, 3) rounded to 8 bits, and whether it is judged as one channel.

        ``one_channel`` says what its file holds.
        """
        if self.grey and not one_channel:
            picture = _three(np.rint(luma(picture)) / 255)
        return picture, self.grey or (self.luma and one_channel)


def check_source(source: Source, conventions: Conventions | None, protocol: str) -> None:
    """UserError where files of one channel cannot be told from others."""
    tells = conventions is not None and conventions.tells_channels
    if tells and not isinstance(source, ChannelSource):
        raise UserError(
            f"protocol {protocol} takes files of one channel as they are, and a packed file does "
            "not tell which those are: name the folder of the pictures"
        )


def holds_one_channel(source: Source, index: int) -> bool:
    """Whether a picture's file holds one channel; False where the source does not tell."""
    return isinstance(source, ChannelSource) and source.one_channel(index)


def stored(picture: Picture, grey: bool | None) -> NDArray[np.uint8]:
    """What is saved and judged: (H, W, 3), or the mean of the channels, (H, W), where ``grey``."""
    return to_uint8(grey_of(picture)[..., 0] if grey else picture)


def keyed_rng(seed: int, clean: Picture) -> np.random.Generator:
    """Of a degradation: the same for this picture in any set, at any place, by any command."""
    digest = hashlib.blake2b(f"{clean.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(to_uint8(clean)).tobytes())
    return rng(seed, "degrade", digest.hexdigest())


def bicubic(picture: Picture, height: int, width: int) -> Picture:
    """The literature's baseline: MATLAB's enlargement of what was given, rounded to 8 bits."""
    return (imresize(to_uint8(picture), height, width) / 255).astype(np.float32)


def _three(grey: NDArray) -> Picture:
    return np.repeat(grey.astype(np.float32)[..., None], 3, axis=-1)
