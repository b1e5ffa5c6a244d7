"""Precision and recall: closed forms, a plain rendering of the definition, another library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palette.eval.metrics import manifold
from palette.eval.metrics.frechet import frechet_distance, gaussian_of
from palette.eval.metrics.kid import SUBSET_SIZE, inception_score, kernel_distance
from palette.eval.metrics.manifold import radii, recall, within
from palette.eval.metrics.set_metrics import PictureSet, precision_of, recall_of


def sets(features: np.ndarray, reference: np.ndarray | None) -> PictureSet:
    known = features if reference is None else reference
    return PictureSet(features, features, gaussian_of(known), reference, False)


def figures(features: np.ndarray, reference: np.ndarray) -> tuple[float | None, float | None]:
    both = sets(features, reference)
    return precision_of(both).value, recall_of(both).value


def line(*places: float) -> np.ndarray:
    return np.array(places, np.float32)[:, None]


def test_on_a_line_it_can_be_counted() -> None:
    """References at 0 … 9, each with a ball of the distance to its third neighbour."""
    reference = line(*range(10))
    assert np.sqrt(radii(reference)).tolist() == [3, 2, 2, 2, 2, 2, 2, 2, 2, 3]
    answers = line(-3, -3.1, 4.5, 12, 12.5, 30)
    assert within(answers, reference, radii(reference)).tolist() == [1, 0, 1, 1, 0, 0]
    # third neighbours: 15.0, 15.1, 7.6, 15.0, 15.5, 25.5: all of 0 … 9 are in a ball
    precision, covered = figures(answers, reference)
    assert precision == pytest.approx(3 / 6)
    assert covered == pytest.approx(1)


def test_one_mode_has_precision_without_recall() -> None:
    rng = np.random.default_rng(0)
    reference = np.concatenate([rng.normal(c, 1, (50, 16)) for c in (-100, 0, 100, 200)])
    precision, covered = figures(rng.normal(0, 0.9, (200, 16)), reference)
    assert precision is not None
    assert precision > 0.7
    assert covered is not None
    assert covered <= 0.25
    wide = rng.normal(0, 300, (200, 16))
    precision, covered = figures(wide, reference)
    assert precision == 0
    assert covered is not None
    assert covered > 0.9


def test_copies_are_found_whatever_their_size() -> None:
    """Equal sets have 1 and 1, and a copy is at distance zero even of balls without a width."""
    rng = np.random.default_rng(1)
    pictures = (1e3 + rng.normal(size=(40, 512))).astype(np.float32)
    assert figures(pictures, pictures) == (1, 1)
    copies = np.repeat(pictures[:5], 4, axis=0)
    assert radii(copies).tolist() == [0] * 20
    assert within(pictures, copies, radii(copies)).tolist() == [True] * 5 + [False] * 35


def plainly(features: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Algorithm 1 of the paper, picture by picture."""

    def share(of: np.ndarray, manifold: np.ndarray) -> float:
        widths = []
        for place, one in enumerate(manifold):
            others = np.delete(manifold, place, axis=0)
            widths.append(np.sort(np.sqrt(((others - one) ** 2).sum(axis=1)))[2])
        hits = 0
        for one in of:
            distances = np.sqrt(((manifold - one) ** 2).sum(axis=1))
            hits += bool((distances <= np.array(widths)).any())
        return hits / len(of)

    return share(features, reference), share(reference, features)


@pytest.mark.parametrize("chunk", [7, 64, 2048])
def test_equals_a_plain_rendering(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifold, "CHUNK", chunk)
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(24, 24))
    reference = rng.normal(size=(70, 24)) @ mixing
    answers = 0.8 * rng.normal(size=(90, 24)) @ mixing + 0.3
    assert figures(answers, reference) == pytest.approx(plainly(answers, reference), abs=1e-12)
    assert 0.1 < recall(answers, reference) < 0.95


def test_intervals_and_reasons() -> None:
    rng = np.random.default_rng(3)
    both = sets(rng.normal(size=(60, 8)), rng.normal(size=(60, 8)))
    for compute in (precision_of, recall_of):
        cell = compute(both)
        assert cell.value is not None
        assert cell.low is not None
        assert cell.high is not None
        assert 0 <= cell.low < cell.value < cell.high <= 1
        few = compute(sets(both.features[:3], both.reference_features))
        assert few.reason == "precision and recall need more than 3 pictures"
        assert "statistics" in (compute(sets(both.features, None)).reason or "")
        assert "itself" in (compute(replace(both, is_reference=True)).reason or "")


@pytest.mark.slow
def test_torch_fidelity_finds_the_same(tmp_path: Path) -> None:
    """FID, KID, IS, precision and recall of the same features by another library."""
    pytest.importorskip("torch_fidelity")
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(128, 128)) * np.geomspace(1, 0.1, 128)
    reference = (rng.normal(size=(1200, 128)) @ mixing).astype(np.float32)
    answers = (0.9 * rng.normal(size=(1300, 128)) @ mixing + 0.1).astype(np.float32)
    theirs = [torch.from_numpy(features) for features in (answers, reference)]

    ours, known = (fid_features_to_statistics(features) for features in theirs)
    fid = fid_statistics_to_metric(ours, known, False)
    a, b = gaussian_of(answers), gaussian_of(reference)
    own = frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    assert own == pytest.approx(fid["frechet_inception_distance"], rel=1e-6)

    kid = kid_features_to_metric(*theirs, kid_subset_size=SUBSET_SIZE, verbose=False)
    distance = kernel_distance(answers, reference)
    assert distance.deviation is not None
    error = 3 * distance.deviation / 10  # of the mean of 100 subsets, drawn otherwise
    assert distance.value == pytest.approx(kid["kernel_inception_distance_mean"], abs=error)

    logits = 0.2 * rng.normal(size=(1000, 1008))
    score = isc_features_to_metric(torch.from_numpy(logits), splits=1, shuffle=False)
    assert inception_score(logits).value == pytest.approx(score["inception_score_mean"], rel=1e-9)

    shares = prc_features_to_metric(*theirs, prc_neighborhood=3, prc_batch_size=500, verbose=False)
    precision, covered = figures(answers, reference)
    assert precision == pytest.approx(shares["precision"], abs=2e-3)  # theirs is in float32
    assert covered == pytest.approx(shares["recall"], abs=2e-3)
    assert 0.05 < shares["recall"] < 0.95
