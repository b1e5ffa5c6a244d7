"""The words that every layer shares: pictures, what a user holds, degradations and tasks.

Outside of the network a *picture* is a NumPy array ``(H, W, 3)``, float32, sRGB in [0, 1].
Inside of it, pictures are tensors ``(B, 3, H, W)``, float32 in [−1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""``(H, W, 3)`` float32 in [0, 1]."""

Mask = NDArray[np.bool_]
"""``(H, W)``, True where the picture is missing."""

Params = dict[str, Any]
"""What a draw decided: plain JSON values, so that it can be saved, replayed and pinned."""


@dataclass(frozen=True)
class Spec:
    """All that a draw may know of a picture: its size, never its pixels.

    ``severity`` in [0, 1] moves inside of the published ranges; None draws from all of them.
    """

    height: int
    width: int
    severity: float | None = None
    augment: bool = False
    """Training only: also draw the conditioning augmentation of tasks that have one."""


@runtime_checkable
class Degradation(Protocol):
    """A random operator, its drawing and its applying apart.

    ``draw`` reads no pixels and returns plain JSON values; ``apply`` is deterministic and never
    changes its input (noise comes from seeds in ``params``).
    """

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params: ...

    def apply(self, picture: Picture, params: Params) -> Picture: ...


@dataclass(frozen=True)
class Observation:
    """What a user holds: a picture and, where there is one, the mask of what is missing."""

    picture: Picture
    mask: Mask | None = None
    strength: float = 0.0
    """Of the conditioning augmentation (noise or blur) that the picture was given."""


@dataclass(frozen=True)
class Condition:
    """What the network is shown: ``x`` (H, W, 3) float32, the size of the target, in [−1, 1].

    A noise-filled hole leaves that range. ``region`` (H, W) float32 is 1 where the loss counts
    and the picture is to be made, 0 where it is known; None means everywhere.
    """

    x: NDArray[np.float32]
    region: NDArray[np.float32] | None = None
    strength: float | None = None
    """Of the conditioning augmentation, shown to the network; None where there is none."""


@runtime_checkable
class Task(Protocol):
    """A degradation plus a few lines. Training, restoring and evaluating call the same methods."""

    @property
    def residual(self) -> bool:
        """Whether the condition is near the target, so that y − x is what is diffused."""
        ...

    @property
    def masked(self) -> bool:
        """Whether an observation must have a mask."""
        ...

    @property
    def multiple(self) -> int:
        """Sides of a clean picture must be multiples of this."""
        ...

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        """Decide how a clean picture of size ``spec`` is degraded."""
        ...

    def degrade(self, clean: Picture, params: Params) -> Observation:
        """Clean picture to what a user would hold."""
        ...

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        """What the network is shown; ``rng`` fills holes with noise."""
        ...

    def baseline(self, observation: Observation) -> Picture:
        """The simplest restoration, at the size of the target (bicubic, identity, grey hole)."""
        ...

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        """Put back what the observation knows for certain (the pixels outside of the hole)."""
        ...


@runtime_checkable
class BatchTask(Task, Protocol):
    """A task that can also degrade a batch on the device."""

    def condition_batch(self, clean: Any, params: Sequence[Params]) -> Any:
        """Clean (B, 3, H, W) tensor in [0, 1] to the condition x (B, 3, H, W) in [−1, 1]."""
        ...


@runtime_checkable
class AugmentingTask(Task, Protocol):
    """A task whose observations can be given noise or blur of a strength that the network sees."""

    def augment(
        self, observation: Observation, strength: float, rng: np.random.Generator
    ) -> Observation: ...
