"""Inception features against pytorch-fid's own network; KID and IS against closed forms."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from eval_inception import save_random_weights
from skimage import data

from palette.eval.metrics.frechet import frechet_distance, gaussian_of
from palette.eval.metrics.inception import Inception
from palette.eval.metrics.kid import inception_score, kernel_distance, squared_discrepancy
from palette.eval.metrics.weights import find


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("inception") / "random.pth")


@pytest.fixture
def pytorch_fid_weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch-fid with the same file instead of its download."""
    import pytorch_fid.inception

    monkeypatch.setattr(
        pytorch_fid.inception,
        "load_state_dict_from_url",
        lambda *_, **__: torch.load(weights, weights_only=True),
    )


def crops(count: int, side: int = 64) -> list[np.ndarray]:
    pictures = [data.astronaut(), data.coffee(), data.chelsea()]
    return [
        np.ascontiguousarray(pictures[i % 3][7 * i : 7 * i + side, 11 * i : 11 * i + side + 3])
        for i in range(count)
    ]


def test_features_and_logits_equal_pytorch_fid(weights: Path, pytorch_fid_weights: None) -> None:
    from pytorch_fid.inception import InceptionV3, fid_inception_v3

    pictures = crops(6)
    network = Inception(find("inception", weights))
    ours = network.features(pictures)
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        theirs = InceptionV3([3]).eval()(batch)[0].flatten(1).numpy()
    assert ours.shape == (6, 2048)
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
    head = fid_inception_v3().fc
    with torch.no_grad():
        logits = (head(torch.from_numpy(theirs)) - head.bias).numpy()
    assert network.logits(ours) == pytest.approx(logits, abs=1e-2 * float(np.abs(logits).max()))


def test_one_batch_or_many_give_the_same_features(weights: Path) -> None:
    network, pictures = Inception(find("inception", weights)), crops(4)
    alone = np.concatenate([network.features([picture]) for picture in pictures])
    assert np.abs(network.features(pictures) - alone).max() < 1e-4 * np.abs(alone).max()


def test_missing_and_foreign_weights_are_said_aloud(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="--weights-inception"):
        find("inception")
    with pytest.raises(ValueError, match="missing"):
        find("inception", tmp_path / "absent.pth")
    usual = tmp_path / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
    usual.parent.mkdir(parents=True)
    shutil.copy(weights, usual)
    with pytest.raises(ValueError, match="SHA-256"):
        find("inception")  # never other weights in silence
    assert not find("inception", usual).published
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="holds no weights"):
        Inception(find("inception", tmp_path / "text.pth"))


def test_fid_of_two_folders_equals_pytorch_fid(
    tmp_path: Path, weights: Path, pytorch_fid_weights: None
) -> None:
    from PIL import Image
    from pytorch_fid.fid_score import compute_statistics_of_path
    from pytorch_fid.inception import InceptionV3

    network, reference = Inception(find("inception", weights)), InceptionV3([3]).eval()
    pictures = crops(12)
    gaussians, theirs = [], []
    for name, chosen in (("a", pictures[:7]), ("b", pictures[7:])):
        (tmp_path / name).mkdir()
        for index, picture in enumerate(chosen):
            square = picture[:64, :64]
            Image.fromarray(square).save(tmp_path / name / f"{index}.png")
        gaussians.append(gaussian_of(network.features([p[:64, :64] for p in chosen])))
        theirs.append(
            compute_statistics_of_path(str(tmp_path / name), reference, 4, 2048, "cpu", 0)
        )
    ours = gaussians[0].distance(gaussians[1])
    assert ours == pytest.approx(frechet_distance(*theirs[0], *theirs[1]), rel=1e-3)


@pytest.mark.slow
def test_the_whole_of_pytorch_fid_gives_the_same_value(
    tmp_path: Path, weights: Path, pytorch_fid_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own reading, features and square root of 2048×2048 matrices: about a minute."""
    import inspect

    import scipy.linalg
    from PIL import Image
    from pytorch_fid.fid_score import calculate_fid_given_paths

    from palette.eval.metrics.fid import fid_of_folders

    sqrtm = scipy.linalg.sqrtm
    if "disp" not in inspect.signature(sqrtm).parameters:  # SciPy 1.18 and later
        monkeypatch.setattr(
            scipy.linalg, "sqrtm", lambda a, disp=True: sqrtm(a) if disp else (sqrtm(a), 0.0)
        )
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        for index, picture in enumerate(crops(16)[number::2]):
            Image.fromarray(picture[:64, :64]).save(folder / f"{index}.png")
    theirs = calculate_fid_given_paths([str(folder) for folder in folders], 8, "cpu", 2048, 0)
    assert fid_of_folders(*folders, weights=weights) == pytest.approx(theirs, rel=1e-3)


def test_kernel_distance_of_one_distribution_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    values = [
        squared_discrepancy(rng.normal(size=(20, 8)), rng.normal(size=(30, 8))) for _ in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_kernel_distance_has_its_closed_form_for_shifted_gaussians() -> None:
    """One dimension, k = (xy+1)³: the expectation is a polynomial in the moments."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60_000, 1)), 1 + rng.normal(size=(60_000, 1))
    moments_x, moments_y = np.array([1, 0, 1, 0]), np.array([1, 1, 2, 4])
    binomial = np.array([1, 3, 3, 1])
    expected = float((binomial * (moments_x - moments_y) ** 2).sum())
    spread = kernel_distance(x, y, subset_size=500)
    assert spread.deviation is not None
    assert spread.value == pytest.approx(expected, abs=5 * spread.deviation / np.sqrt(100))
    assert spread == kernel_distance(x, y, subset_size=500)


def test_small_sets_are_one_subset() -> None:
    x, y = np.eye(5), np.ones((4, 5))
    assert kernel_distance(x, y) == (pytest.approx(squared_discrepancy(x, y)), None)
    with pytest.raises(ValueError, match="2 pictures"):
        kernel_distance(x[:1], y)


def test_inception_score_of_certain_and_of_even_answers() -> None:
    certain = np.kron(np.eye(7) * 1e4, np.ones((3, 1)))
    assert inception_score(certain).value == pytest.approx(7)
    assert inception_score(np.zeros((10, 7))).value == pytest.approx(1)
    chunked = inception_score(np.tile(certain, (4, 1)), chunk=21)
    assert chunked.value == pytest.approx(7)
    assert chunked.deviation == pytest.approx(0)


def test_inception_score_equals_scipy_entropies() -> None:
    from scipy.special import softmax
    from scipy.stats import entropy

    logits = np.random.default_rng(0).normal(size=(50, 9)) * 3
    p = softmax(logits, axis=1)
    expected = np.exp(np.mean([entropy(row, p.mean(axis=0)) for row in p]))
    assert inception_score(logits).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_torch_fidelity_has_the_same_network(weights: Path) -> None:
    """At 299 pixels, where nothing is resized, and with its scaling, (x − 128) / 128."""
    library = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    wanted = ["2048", "logits_unbiased"]
    network = library.FeatureExtractorInceptionV3("inception", wanted, str(weights))
    crops = [picture[:299, :299] for picture in (data.astronaut(), data.coffee())]
    pictures = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    theirs, their_logits = (features.numpy() for features in network(pictures))
    own = Inception(find("inception", weights))
    with torch.inference_mode():
        features = own._body((pictures.float() - 128) / 128).flatten(1).numpy()
    assert features == pytest.approx(theirs, abs=1e-3 * float(np.abs(theirs).max()))
    most = float(np.abs(their_logits).max())
    assert own.logits(features) == pytest.approx(their_logits, abs=1e-2 * most)
