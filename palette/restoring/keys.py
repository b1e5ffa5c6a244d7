"""What keys the noise of a restoration: what is known of the picture, and the seed.

A picture gets the same noise alone, in a list, in a folder or in a shard, whatever its name is and
whatever stands beside it. Pixels of a hole are not known, so that they change nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np

from palette.seeding import entropy
from palette.types import Observation


def noise_key(observation: Observation, seed: int) -> int:
    """The seed of all noise for this observation. ``seed`` gives other samples of the same one.

    Values count in 16 bits: floats that differ by rounding have one key, as have those beyond white
    and white.
    """
    height, width = observation.picture.shape[:2]
    known = np.rint(np.clip(observation.picture, 0, 1) * 65535).astype("<u2")
    digest = hashlib.blake2b(f"{height}×{width}".encode(), digest_size=16)
    if observation.mask is not None:
        known[observation.mask] = 0
        digest.update(np.packbits(observation.mask).tobytes())
    digest.update(known.tobytes())
    return entropy(seed, "picture", digest.hexdigest())
