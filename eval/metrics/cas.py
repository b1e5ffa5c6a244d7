"""Classification Accuracy Score (Ravuri and Vinyals 2019): what a classifier learns from answers.

Every training picture is replaced by the model's answer to it, a classifier is trained from
scratch on the answers and tested on real pictures. The same training on the originals is the
ceiling, on the degraded inputs the floor. Not CA, which asks a classifier that was trained on real
pictures (see :mod:`palette.eval.metrics.classification`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from palette.eval.metrics.perceptual import IMAGENET_DEVIATION, IMAGENET_MEAN
from palette.eval.metrics.pixels import Pixels, read_pixels
from palette.eval.metrics.resnet import cifar_resnet
from palette.files import write_bytes
from palette.seeding import entropy, rng


@dataclass(frozen=True)
class Profile:
    """How the classifiers are trained: SGD with momentum, the rate cut to a tenth at ``cuts``.

    ``side`` is what the network sees, ``stride`` that of its first layer. ``crop`` "shift" pads
    by an eighth and cuts at random; "area" cuts a random part of 8 to 100 % of the area, as
    ImageNet's training does.
    """

    name: str
    network: str
    epochs: int
    batch: int
    rate: float
    cuts: tuple[int, ...]
    weight_decay: float
    side: int
    crop: str
    workers: int = 0
    stride: int = 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"cuts": list(self.cuts)}


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("paper-imagenet", "resnet50", 90, 256, 0.1, (30, 60, 80), 1e-4, 224, "area", 8),
        Profile("paper-cifar", "resnet56", 182, 128, 0.1, (91, 136), 2e-4, 32, "shift"),
        Profile("quick", "resnet14", 12, 64, 0.1, (7, 10), 5e-4, 32, "shift", stride=2),
    )
}
"""ResNet-50 and ResNet-56 are trained as in the papers; ``quick`` takes minutes on a CPU."""

_MEAN = np.array(IMAGENET_MEAN, np.float32)
_DEVIATION = np.array(IMAGENET_DEVIATION, np.float32)


@dataclass(frozen=True)
class Examples:
    """Picture files and their class indices."""

    paths: Sequence[Path]
    labels: Sequence[int]


@dataclass(frozen=True)
class Hits:
    """For every test picture, whether its class came first, and among the first five."""

    top1: NDArray[np.bool_]
    top5: NDArray[np.bool_]


def classifier(profile: Profile, classes: int) -> nn.Module:
    """The untrained network of a profile."""
    if profile.network == "resnet50":
        from torchvision.models import resnet50

        return resnet50(weights=None, num_classes=classes)
    depth = int(profile.network.removeprefix("resnet"))
    return cifar_resnet(depth, classes, profile.stride)


def train_and_test(
    train: Examples,
    test: Examples,
    classes: int,
    profile: Profile,
    checkpoint: Path,
    device: str = "cpu",
    seed: int = 0,
    progress: Callable[[int, float], object] = lambda epoch, loss: None,
) -> Hits:
    """Train from scratch on ``train``, test on ``test``.

    The state after every epoch goes to ``checkpoint``, and a run that finds one continues from it.
    Initial weights, order and crops depend on ``seed`` and the position alone, so that two
    trainings differ in their pictures only.
    """
    with _one_thread(device):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(entropy(seed, "cas", "weights") % 2**63)
            network = classifier(profile, classes).to(device)
        optimizer = torch.optim.SGD(
            network.parameters(),
            lr=profile.rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=profile.weight_decay,
        )
        first = _resume(checkpoint, network, optimizer)
        for epoch in range(first, profile.epochs):
            rate = profile.rate * 0.1 ** sum(epoch >= cut for cut in profile.cuts)
            losses = _epoch(network, optimizer, train, profile, rate, epoch, device, seed)
            _save(checkpoint, network, optimizer, epoch + 1)
            progress(epoch + 1, float(np.mean(losses)))
        return _test(network, test, profile, device)


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """On a CPU one thread works: small layers lose more by waiting for a second than they gain."""
    threads = torch.get_num_threads()
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    profile: Profile,
    rate: float,
    epoch: int,
    device: str,
    seed: int,
) -> list[float]:
    network.train()
    losses = []
    count = math.ceil(len(train.paths) / profile.batch)
    for step, (pictures, labels) in enumerate(_batches(train, profile, device, (seed, epoch))):
        # The first epoch warms up: at the full rate a deep network may never begin to learn.
        warm = (step + 1) / count if epoch == 0 else 1.0
        for group in optimizer.param_groups:
            group["lr"] = rate * warm
        loss = cross_entropy(network(pictures), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@torch.inference_mode()
def _test(network: nn.Module, test: Examples, profile: Profile, device: str) -> Hits:
    network.eval()
    top1, top5 = [], []
    for pictures, labels in _batches(test, profile, device, None):
        ranked = network(pictures).argsort(dim=1, descending=True)[:, :5] == labels[:, None]
        top1.append(ranked[:, 0].cpu().numpy())
        top5.append(ranked.any(dim=1).cpu().numpy())
    return Hits(np.concatenate(top1), np.concatenate(top5))


class _Pictures(torch.utils.data.Dataset):
    """Pictures as the network sees them; ``draw`` is (seed, epoch) for training, None for tests."""

    def __init__(self, examples: Examples, profile: Profile, draw: tuple[int, int] | None) -> None:
        self.examples = examples
        self.profile = profile
        self.draw = draw

    def __len__(self) -> int:
        return len(self.examples.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels = read_pixels(self.examples.paths[index])
        if self.draw is None:
            seen = _central(pixels, self.profile.side)
        else:
            seed, epoch = self.draw
            cut = _shifted if self.profile.crop == "shift" else _part
            generator = rng(seed, "cas", "crop", epoch, index)
            seen = cut(pixels, self.profile.side, generator)
            if generator.random() < 0.5:
                seen = seen[:, ::-1]
        scaled = (seen / np.float32(255) - _MEAN) / _DEVIATION
        return torch.from_numpy(np.ascontiguousarray(scaled)), self.examples.labels[index]


def _batches(
    examples: Examples, profile: Profile, device: str, draw: tuple[int, int] | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pictures ``(B, 3, S, S)`` and labels ``(B,)``; shuffled for training, in order for tests."""
    count = len(examples.paths)
    order = np.arange(count)
    if draw is not None:
        seed, epoch = draw
        order = rng(seed, "cas", "order", epoch).permutation(count)
    batches = [order[i : i + profile.batch].tolist() for i in range(0, count, profile.batch)]
    loader = torch.utils.data.DataLoader(
        _Pictures(examples, profile, draw), batch_sampler=batches, num_workers=profile.workers
    )
    for pictures, labels in loader:
        yield pictures.to(device).permute(0, 3, 1, 2).contiguous(), labels.to(device)


def _shifted(pixels: Pixels, side: int, generator: np.random.Generator) -> Pixels:
    """The picture at ``side``, padded by an eighth with black and cut at random."""
    margin = side // 8
    padded = np.pad(_central(pixels, side), ((margin, margin), (margin, margin), (0, 0)))
    top, left = generator.integers(2 * margin + 1, size=2)
    return padded[top : top + side, left : left + side]


def _part(pixels: Pixels, side: int, generator: np.random.Generator) -> Pixels:
    """A part of 8 to 100 % of the area with sides of 3:4 to 4:3, resized to ``side``."""
    height, width = pixels.shape[:2]
    area = height * width * generator.uniform(0.08, 1)
    ratio = math.exp(generator.uniform(math.log(3 / 4), math.log(4 / 3)))
    tall = min(height, max(1, round(math.sqrt(area / ratio))))
    wide = min(width, max(1, round(math.sqrt(area * ratio))))
    top = int(generator.integers(height - tall + 1))
    left = int(generator.integers(width - wide + 1))
    return _resized(pixels[top : top + tall, left : left + wide], side, side)


def _central(pixels: Pixels, side: int) -> Pixels:
    """The central square at ``side``: of larger pictures 7/8 of the shorter side, as usual."""
    height, width = pixels.shape[:2]
    if (height, width) == (side, side):
        return pixels
    shorter = min(height, width)
    edge = shorter if shorter <= side else max(side, round(shorter * 7 / 8))
    top, left = (height - edge) // 2, (width - edge) // 2
    return _resized(pixels[top : top + edge, left : left + edge], side, side)


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    buffer = io.BytesIO()
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    torch.save(state, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, buffer.getvalue())


def _resume(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The number of epochs that were done before."""
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])
