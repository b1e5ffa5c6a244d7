"""FID of two folders, for scripts: the figure of pytorch-fid from the same network, faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.eval.metrics.frechet import Gaussian, gaussian_of
from palette.eval.metrics.inception import Inception
from palette.eval.metrics.pixels import SUFFIXES, read_pixels
from palette.eval.metrics.weights import find

BATCH = 16
"""Pictures that the network sees at once."""


def fid_of_folders(
    answers: str | Path,
    reference: str | Path,
    weights: str | Path | None = None,
    device: str = "cpu",
) -> float:
    """FID of the pictures below ``answers`` against those below ``reference``.

    ``reference`` may be an ``.npz`` of statistics. Subfolders count, and suffixes in any case.
    ``weights`` as :func:`palette.eval.metrics.weights.find` takes it.
    """
    network = Inception(find("inception", weights), device)
    known = Path(reference).suffix == ".npz"
    gaussian = (
        Gaussian.load(Path(reference))
        if known
        else gaussian_of(features_of_files(network, pictures_below(reference)))
    )
    features = features_of_files(network, pictures_below(answers))
    if len(features) < features.shape[1]:
        return gaussian.distance_to_features(features)
    return gaussian.distance(gaussian_of(features))


def pictures_below(folder: str | Path) -> list[Path]:
    """The picture files of a folder and its subfolders, sorted; two or more."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    if len(paths) < 2:
        raise UserError(f"{folder} holds {len(paths)} pictures: FID needs two or more")
    return paths


def features_of_files(network: Inception, paths: Sequence[Path]) -> NDArray[np.float32]:
    """Features ``(N, 2048)``; the next batch is decoded while the network works on this one."""
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]

    def decoded() -> Iterator[list[NDArray[np.uint8]]]:
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(_decode, batches[0])
            for batch in batches[1:]:
                current, following = following, pool.submit(_decode, batch)
                yield current.result()
            yield following.result()

    return np.concatenate([network.features(batch) for batch in decoded()])


def _decode(batch: Sequence[Path]) -> list[NDArray[np.uint8]]:
    return [read_pixels(path) for path in batch]
