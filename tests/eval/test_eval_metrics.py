"""The other per-picture metrics, against closed forms and independent implementations."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import DATA
from PIL import Image
from skimage import data
from skimage.metrics import structural_similarity

from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.classification import class_indices, resnet50
from palette.eval.metrics.consistency import colour_drift, consistency
from palette.eval.metrics.multiscale import WEIGHTS, ms_ssim
from palette.eval.metrics.per_picture import Measure, Pair, Setup
from palette.eval.metrics.perceptual import googlenet_distance, lpips_distance, lpips_network
from palette.eval.metrics.registry import GROUPS, METRICS, PerPicture, PerSet
from palette.eval.metrics.weights import PUBLISHED, Weights, find
from palette.eval.request import Measuring, WeightsFiles
from palette.eval.settings import Settings


def photograph(side: int = 192) -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[60 : 60 + side, 120 : 120 + side])


def noisy(picture: np.ndarray, deviation: float = 10, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def measure_of(name: str) -> Measure:
    """The measure of a per-picture metric, without weights."""
    how = METRICS[name].how
    assert isinstance(how, PerPicture)
    return how.begin(Setup())


def test_ms_ssim_equals_a_plain_transcription_of_the_paper() -> None:
    """Single scales from scikit-image: contrast-structure is SSIM without its luminance term."""

    def single(x: np.ndarray, y: np.ndarray, with_luminance: bool) -> float:
        options = {
            "gaussian_weights": True,
            "sigma": 1.5,
            "use_sample_covariance": False,
            "data_range": 255,
            "full": True,
        }
        similarity = structural_similarity(x, y, **options)[1]
        if not with_luminance:
            # A huge K₂ leaves luminance alone (the other factor is 1): divide it out.
            similarity = similarity / structural_similarity(x, y, K2=1e9, **options)[1]
        return float(similarity[5:-5, 5:-5].mean())

    a, b = photograph(), noisy(photograph())
    channels = []
    for c in range(3):
        x, y, product = a[..., c].astype(float), b[..., c].astype(float), 1.0
        for scale, weight in enumerate(WEIGHTS):
            product *= single(x, y, with_luminance=scale == len(WEIGHTS) - 1) ** weight
            x, y = (v.reshape(len(v) // 2, 2, len(v) // 2, 2).mean((1, 3)) for v in (x, y))
        channels.append(product)
    assert ms_ssim(a, b) == pytest.approx(np.mean(channels), abs=1e-6)
    assert ms_ssim(a, a) == pytest.approx(1)
    assert ms_ssim(a, noisy(a, 30)) < ms_ssim(a, b) < 1


def test_ms_ssim_refuses_small_pictures() -> None:
    with pytest.raises(Undefined, match="176"):
        ms_ssim(photograph(175), photograph(175))


def test_consistency_of_an_answer_with_its_own_reduction_is_the_rounding_alone() -> None:
    large = photograph()
    channels = [
        np.asarray(
            Image.fromarray(large[..., c].astype(np.float32)).resize(
                (48, 48), Image.Resampling.BICUBIC
            )
        )
        for c in range(3)
    ]
    exact = np.stack(channels, axis=2).clip(0, 255)
    small = np.rint(exact).astype(np.uint8)
    rounding = float(np.square((exact - small) / 255).mean() / 1e-5)
    assert consistency(large, small) == pytest.approx(rounding, rel=1e-3)
    assert rounding == pytest.approx(1 / 12 / 255**2 / 1e-5, rel=0.1)
    shifted = np.clip(small.astype(int) + 10, 0, 255).astype(np.uint8)
    assert consistency(large, shifted) > 100 * rounding
    with pytest.raises(Undefined, match="smaller"):
        consistency(large, large)


def test_colour_drift_is_signed_and_per_channel() -> None:
    target = np.full((8, 8, 3), 100, np.uint8)
    answer = target + np.array([3, 0, 250], np.uint8)  # 250 wraps around to −6
    assert colour_drift(answer, target) == pytest.approx([3, 0, -6])
    pair = Pair(answer, target)
    values = [measure_of(name)([pair])[0] for name in GROUPS["drift"]]
    assert values == pytest.approx([3, 0, -6])


def saved(kind: str, network: torch.nn.Module, folder: Path) -> Weights:
    torch.save(network.state_dict(), folder / f"{kind}.pth")
    return find(kind, folder / f"{kind}.pth")


@pytest.mark.parametrize(("kind", "net"), [("alexnet", "alex"), ("squeezenet", "squeeze")])
def test_lpips_equals_the_package_with_the_same_trunk(
    kind: str, net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lpips = pytest.importorskip("lpips")
    from torchvision import models

    torch.manual_seed(0)
    make = {"alexnet": models.alexnet, "squeezenet": models.squeezenet1_1}[kind]
    trunk = make(weights=None)
    distance = lpips_distance(saved(kind, trunk, tmp_path))
    monkeypatch.setattr(lpips.pretrained_networks.tv, make.__name__, lambda pretrained: trunk)
    theirs = lpips.LPIPS(net=net, verbose=False)
    a, b = photograph(64), noisy(photograph(64))
    x, y = (torch.from_numpy(p).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (a, b))
    with torch.no_grad():
        assert distance(a, b) == pytest.approx(float(theirs(x, y)), rel=1e-5)
    assert distance(a, a) == pytest.approx(0, abs=1e-7)
    assert distance(a[:32, :32], b[:32, :32]) > 0
    with pytest.raises(Undefined, match="32"):
        distance(a[:31], b[:31])


SQUEEZENET = DATA / "peers" / "squeezenet1_1_fp16.safetensors"


@pytest.mark.skipif(not SQUEEZENET.is_file(), reason="no weights of SqueezeNet at hand")
def test_lpips_squeeze_has_the_figures_of_torchmetrics() -> None:
    """The examples of its documentation, functional and class, which seed with 42.

    The class makes its network first, and draws the pictures from what is left of the seed.
    """
    pytest.importorskip("lpips")
    from torchvision.models import squeezenet1_1

    network = lpips_network(find("squeezenet", SQUEEZENET))

    def example() -> float:
        a, b = (torch.rand(10, 3, 100, 100) * 2 - 1 for _ in range(2))
        with torch.inference_mode():
            return float(network(a, b).mean())

    torch.manual_seed(42)
    assert example() == pytest.approx(0.1005, abs=1e-4)
    torch.manual_seed(42)
    squeezenet1_1(weights=None)
    for width in (64, 128, 256, 384, 384, 512, 512):
        torch.nn.Conv2d(width, 1, 1, bias=False)
    assert example() == pytest.approx(0.1024, abs=1e-4)


def test_pd_is_the_distance_of_googlenets_pool_features(tmp_path: Path) -> None:
    from torchvision.models import googlenet

    torch.manual_seed(0)
    network = googlenet(weights=None, aux_logits=True, transform_input=True, init_weights=False)
    distance = googlenet_distance(saved("googlenet", network, tmp_path))
    a, b = photograph(64), noisy(photograph(64), 40)
    pooled: list[torch.Tensor] = []
    network.eval().avgpool.register_forward_hook(lambda _, __, out: pooled.append(out.flatten(1)))
    for picture in (a, b):
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        batch = torch.nn.functional.interpolate(batch, 224, mode="bilinear", antialias=True)
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        with torch.no_grad():
            network((batch - mean) / deviation)
    expected = float((pooled[0] - pooled[1]).norm())
    assert distance(a, b) == pytest.approx(expected, rel=1e-3)
    assert distance(a, a) == 0


def test_classification_ranks_as_torchvision_does(tmp_path: Path) -> None:
    from torchvision import models

    torch.manual_seed(0)
    network = models.resnet50(weights=None)
    rank = resnet50(saved("classifier", network, tmp_path))
    pictures = [photograph(240), noisy(photograph(240), 60)]
    transforms = models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    batch = torch.stack([transforms(torch.from_numpy(p).permute(2, 0, 1)) for p in pictures])
    with torch.no_grad():
        expected = network.eval()(batch).argmax(dim=1).numpy()
    np.testing.assert_array_equal(rank(pictures)[:, 0], expected)


def test_accuracy_needs_every_class_to_have_its_folder() -> None:
    assert class_indices(["b", "a", "b", "c"], 3) == {"a": 0, "b": 1, "c": 2}
    with pytest.raises(ValueError, match="2 class folders for a classifier of 1000"):
        class_indices(["a", "b"], 1000)


def test_hole_metrics_look_at_the_hole_only() -> None:
    target, mask = photograph(64), np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    answer = target.copy()
    answer[~mask] = 0
    value = measure_of("psnr-hole")([Pair(answer, target, mask=mask)])[0]
    assert value == "identical to the target: infinite"
    value = measure_of("psnr-hole")([Pair(answer, target)])[0]
    assert value == "this task has no mask"


def test_diversity_of_equal_samples_is_none_and_of_one_undefined() -> None:
    a = photograph()
    for name, equal in (("diversity", 0.0), ("diversity-ms-ssim", 1.0)):
        measure = measure_of(name)
        assert measure([Pair(a, a, draws=[a, a, a])]) == [pytest.approx(equal)]
        assert measure([Pair(a, a)]) == ["diversity needs two samples or more of an input"]


def test_groups_expand_and_repeat_nothing() -> None:
    settings = Settings.of(Measuring(("psnr", "drift", "psnr", "fid")))
    assert settings.metrics == ("psnr", *GROUPS["drift"], "fid")
    assert list(settings.computed(PerSet)) == ["fid"]
    with pytest.raises(ValueError, match="did you mean 'ssim'"):
        Settings.of(Measuring(("sssim",)))


def test_weights_have_a_flag_for_every_kind_that_a_metric_needs() -> None:
    kinds = {field.name for field in fields(WeightsFiles)}
    assert kinds == set(PUBLISHED)
    assert {metric.weights for metric in METRICS.values()} - {None} == kinds


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("lpips")
    other = saved("alexnet", torch.nn.Linear(2, 2), tmp_path)
    with pytest.raises(ValueError, match="holds no AlexNet"):
        lpips_distance(other)
    with pytest.raises(ValueError, match=r"holds no SqueezeNet: it lacks features\.0\.weight"):
        lpips_distance(replace(other, kind="squeezenet"))
    with pytest.raises(ValueError, match="other weights than torchvision's ResNet-50"):
        resnet50(saved("classifier", torch.nn.Linear(2, 2), tmp_path))
