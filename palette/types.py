"""The words that every layer shares: pictures, what a user holds, what the network is shown, tasks.

Outside of the network a *picture* is a NumPy array ``(H, W, 3)``, float32, sRGB in [0, 1].
Inside of it, pictures are tensors ``(B, 3, H, W)``, float32 in [−1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Picture = NDArray[np.float32]
"""``(H, W, 3)`` float32 in [0, 1]."""

Mask = NDArray[np.bool_]
"""``(H, W)``, True where the picture is missing."""

Extend = tuple[int, int, int, int]
"""Pixels to add to a picture at the left, top, right and bottom."""

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

    def sized(self, height: int, width: int) -> Spec:
        """The same for another size."""
        return replace(self, height=height, width=width)


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
    """Of the conditioning augmentation, which the network is shown; None where there is none."""

    def shown(self, mask: bool) -> NDArray[np.float32]:
        """What enters the network, (H, W, 3), or (H, W, 4) with ``mask``, 1 where x is missing."""
        if not mask:
            return self.x
        missing = np.zeros(self.x.shape[:2], np.float32) if self.region is None else self.region
        return np.dstack([self.x, missing])


TargetName = Literal["residual", "picture", "chroma"]
"""What is diffused: the difference to the condition, the picture, or the difference without its
luma, which the condition has."""


@runtime_checkable
class Task(Protocol):
    """A degradation plus a few lines. Training, restoring and evaluating call the same methods.

    :class:`palette.tasks.base.AnyTask` has the defaults.
    """

    name: ClassVar[str]
    """That of ``palette train NAME``."""
    masked: ClassVar[bool]
    """Whether an observation must have a mask."""
    paired: ClassVar[bool]
    """Whether observations come with the pictures, in pairs, and are not made by ``degrade``."""
    batched: ClassVar[bool]
    """Whether the task can degrade on the device, by ``condition_batch``."""
    resize: ClassVar[bool]
    """Whether training crops are of random scales: the task has to see whole things."""
    coloured: ClassVar[bool]
    """Whether grey pictures are left out of training: they teach the task nothing."""

    @property
    def target(self) -> TargetName: ...

    @property
    def conditioning(self) -> str:
        """The conditioning augmentation, a degradation by name; "none" where there is none."""
        ...

    @property
    def scale(self) -> int | None:
        """How many times larger the target is than the observation; None: of the same size."""
        ...

    @property
    def multiple(self) -> int:
        """Sides of a clean picture must be multiples of this."""
        ...

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        """Restorations without a network other than the baseline, rows of an evaluation by name."""
        ...

    def members(self) -> tuple[Member, ...]:
        """What a network serves that is trained for this: the task itself."""
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

    def condition_batch(self, clean: Tensor, params: Sequence[Params]) -> Tensor:
        """``degrade`` and ``condition`` at once, on the device, for tasks that are ``batched``.

        Clean (B, 3, H, W) in [0, 1] and the params of each to x (B, 3, H, W) in [−1, 1].
        """
        ...

    def augment(
        self, observation: Observation, strength: float, rng: np.random.Generator
    ) -> Observation:
        """The observation with the augmentation ``conditioning`` of this strength."""
        ...

    def baseline(self, observation: Observation) -> Picture:
        """The simplest restoration, at the size of the target (bicubic, identity, grey hole)."""
        ...

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        """Put back what the observation knows for certain: the pixels outside of the hole, the luma
        of a grey picture, what an enlarged picture reduces to."""
        ...


@dataclass(frozen=True)
class Member:
    """One of the tasks that a network serves, and its share of the training examples."""

    name: str
    task: Task
    weight: float = 1.0
