"""Every drawn parameter has the published distribution. Seeds are fixed; so are the outcomes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import stats

from palette.degradations import build
from palette.degradations.bsr import BsrLight
from palette.degradations.corruptions import CORRUPTIONS
from palette.degradations.lama import LAMA, Lama
from palette.degradations.operator import SEVERITY_WINDOW
from palette.degradations.sensor import SensorNoise
from palette.seeding import rng
from palette.types import Params, Spec

DRAWS = 1500
SPEC = Spec(128, 96)
SURE = 1e-4
"""A p-value below it would be a one in ten thousand accident; the seeds were not chosen."""


def leaves(params: Params, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Params]]:
    """All that was applied: the names around each operator and its params."""
    if params.get("on") is False:
        return
    if "steps" in params:
        for step in params["steps"]:
            yield from leaves(step["params"], (*names, step["name"]))
    elif isinstance(params.get("params"), dict):
        inner = (*names, params["name"]) if "name" in params else names
        yield from leaves(params["params"], inner)
    else:
        yield names, params


def drawn(name: str, scale: int | None = None, spec: Spec = SPEC) -> list[Params]:
    degradation = build(name, scale)
    return [degradation.draw(spec, rng(0, name, i)) for i in range(DRAWS)]


def collected(draws: list[Params]) -> dict[str, list[Params]]:
    """Name to the params of all operators below it."""
    found: dict[str, list[Params]] = {}
    for params in draws:
        for names, leaf in leaves(params):
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(leaf)
    return found


def is_uniform(values: list[float], low: float, high: float, power: float = 1) -> None:
    """Continuous uniform between low and high, of values^power."""
    low, high = sorted((low, high))
    unit = (np.array(values, dtype=float) ** power - low) / (high - low)
    assert len(unit) > 50
    assert stats.kstest(unit, "uniform").pvalue > SURE


def is_integer_uniform(values: list[int], low: int, high: int) -> None:
    counts = Counter(values)
    assert set(counts) == set(range(low, high + 1))
    assert stats.chisquare([counts[i] for i in range(low, high + 1)]).pvalue > SURE


def has_shares(values: list[Any], shares: dict[Any, float]) -> None:
    counts = Counter(values)
    assert set(counts) == set(shares)
    total = sum(shares.values())
    expected = [len(values) * share / total for share in shares.values()]
    assert stats.chisquare([counts[key] for key in shares], expected).pvalue > SURE


def column(params: list[Params], key: str) -> list[Any]:
    return [one[key] for one in params]


@pytest.mark.parametrize("scale", [2, 4])
def test_bsr(scale: int) -> None:
    draws = drawn("bsr", scale)
    if scale == 4:
        has_shares(column(draws, "name"), {"at_once": 0.75, "halved": 0.25})
        halved = [d["params"]["steps"][0]["params"]["name"] for d in draws if d["name"] == "halved"]
        has_shares(halved, {"random": 0.5, "bicubic": 0.5})
        draws = [d["params"] for d in draws if d["name"] == "at_once"]
    found = collected(draws)

    for name in ("blur", "blur_again"):
        aniso = [p for p in found["anisotropic"] if p["sigma_x"] != p["sigma_y"]]
        assert abs(len([p for p in found[name] if p["angle"]]) / len(found[name]) - 0.5) < 0.05
        for key in ("sigma_x", "sigma_y"):
            is_uniform(column(aniso, key), 0, 4 + scale, power=2)
        is_uniform(column(aniso, "angle"), 0, math.pi)
        is_uniform(column(found["isotropic"], "sigma_x"), 0, 2 + 0.2 * scale)
        assert column(found["isotropic"], "sigma_x") == column(found["isotropic"], "sigma_y")
        has_shares(column(found[name], "size"), dict.fromkeys(range(7, 26, 2), 1.0))

    downs = [next(iter(p)) for p in found["down"]]
    has_shares(downs, {"factor": 0.75, "scale": 0.25})
    resized = [p for p in found["down"] if "factor" in p]
    is_uniform([1 / p["factor"] for p in resized], 1, 2 * scale)
    has_shares(column(resized, "method"), dict.fromkeys(("linear", "cubic", "area"), 1.0))
    shrunk = [p for p in found["down"] if "scale" in p]
    is_uniform(column(shrunk, "sigma"), 0.1, 0.6 * scale)
    assert {(p["scale"], p["size"]) for p in shrunk} == {(scale, 25)}

    has_shares(column(found["noise"], "kind"), {"colour": 0.4, "grey": 0.4, "correlated": 0.2})
    levels = [p["level_255"] for p in found["noise"] if p["kind"] != "correlated"]
    is_integer_uniform(levels, 2, 25)
    is_integer_uniform(column(found["jpeg"], "quality"), 30, 95)
    # The last JPEG always, the one within with probability .9.
    rate = len(found["jpeg"]) / len(draws) - 1
    assert abs(rate - 0.9) < 0.03
    assert abs(len(found["sensor"]) / len(draws) - 0.25) < 0.05


def test_the_order_of_bsr_is_any_with_down_before_resize() -> None:
    draws = drawn("bsr", 2)
    orders = [[s["name"] for s in d["steps"][0]["params"]["steps"]] for d in draws]
    assert all(order.index("down") < order.index("resize") for order in orders)
    assert {d["steps"][-1]["name"] for d in draws} == {"jpeg"}
    for name in ("blur", "blur_again", "noise", "jpeg", "sensor"):
        is_integer_uniform([order.index(name) for order in orders], 0, 6)
    # The exchange makes the pair of positions uniform over all pairs.
    pairs = [(order.index("down"), order.index("resize")) for order in orders]
    has_shares(pairs, {(i, j): 1.0 for i in range(7) for j in range(i + 1, 7)})


def test_bsr_light() -> None:
    found = collected(drawn("bsr_light", 2))
    aniso = [p for p in found["blur"] if p["sigma_x"] != p["sigma_y"]]
    is_uniform(column(aniso, "sigma_x"), 0, 6 / 4, power=2)
    is_uniform(column(found["isotropic"], "sigma_x"), 0, 2.4 / 4)
    assert len(found["blur"]) == DRAWS
    has_shares([next(iter(p)) for p in found["down"]], {"factor": 0.8, "scale": 0.2})
    levels = [p["level_255"] for p in found["noise"] if p["kind"] != "correlated"]
    is_integer_uniform(levels, 1, 2)
    is_integer_uniform(column(found["jpeg"], "quality"), 80, 95)
    assert "sensor" not in found
    assert BsrLight().scale == 4


def test_bsr_plus() -> None:
    draws = drawn("bsr_plus", 4)
    found = collected(draws)
    has_shares([d["steps"][0]["params"]["name"] for d in draws], {"shuffled": 0.5, "in_order": 0.5})
    assert all(len(d["steps"][0]["params"]["params"]["steps"]) == 13 for d in draws)
    kinds = [
        "up" if p["factor"] > 1 else "down" if p["factor"] < 1 else "keep"
        for p in [*found["rescale"], *found["rescale_again"]]
    ]
    has_shares(kinds, {"up": 0.2, "down": 0.7, "keep": 0.1})
    is_uniform(column(found["up"], "factor"), 1, 2)
    is_uniform(column(found["down"], "factor"), 0.5 / 4, 1)
    for name in ("poisson", "poisson_again", "speckle", "speckle_again", "sensor", "sensor_again"):
        assert abs(len(found[name]) / DRAWS - 0.1) < 0.035, name
    photons = [*found["poisson"], *found["poisson_again"]]
    is_uniform([math.log10(p["peak"]) for p in photons], 2, 4)


def test_real_esrgan() -> None:
    draws = drawn("real_esrgan")
    found = collected(draws)
    for name, widest, probability in (("blur", 3.0, 1.0), ("blur_again", 1.5, 0.8)):
        kernels = found[name]
        assert abs(len(kernels) / DRAWS - probability) < 0.04
        sincs = [p for p in kernels if "cutoff" in p]
        assert abs(len(sincs) / len(kernels) - 0.1) < 0.03
        is_uniform([p["cutoff"] for p in sincs if p["size"] >= 13], math.pi / 5, math.pi)
        family = [p for p in kernels if "shape" in p]
        is_uniform(column(family, "sigma_x"), 0.2, widest)
        has_shares(column(family, "size"), dict.fromkeys(range(7, 22, 2), 1.0))
        has_shares(
            [(p["shape"], p["sigma_x"] == p["sigma_y"]) for p in family],
            {
                ("gaussian", True): 0.45,
                ("gaussian", False): 0.25,
                ("generalised", True): 0.12,
                ("generalised", False): 0.03,
                ("plateau", True): 0.12,
                ("plateau", False): 0.03,
            },
        )
    betas = [p["beta"] for p in found["blur"] if p.get("shape") == "generalised"]
    assert abs(np.mean(np.array(betas) < 1) - 0.5) < 0.12
    assert 0.5 <= min(betas) < 0.6
    assert 3.8 < max(betas) <= 4
    plateaus = [p["beta"] for p in found["blur"] if p.get("shape") == "plateau"]
    assert abs(np.mean(np.array(plateaus) == 1) - 0.5) < 0.12
    assert min(plateaus) >= 1
    assert 1.9 < max(plateaus) <= 2

    for name, shares, low, high in (
        ("rescale", {"up": 0.2, "down": 0.7, "keep": 0.1}, 0.15, 1.5),
        ("rescale_again", {"up": 0.3, "down": 0.4, "keep": 0.3}, 0.3, 1.2),
    ):
        factors = np.array(column(found[name], "factor"))
        kinds = np.where(factors > 1, "up", np.where(factors < 1, "down", "keep"))
        has_shares(kinds.tolist(), shares)
        is_uniform(factors[factors > 1].tolist(), 1, high)
        is_uniform(factors[factors < 1].tolist(), low, 1)

    for name, level, strength in (("noise", 30, 3.0), ("noise_again", 25, 2.5)):
        gaussian = [p for p in found[name] if "kind" in p]
        poisson = [p for p in found[name] if "peak" in p]
        has_shares([p in poisson for p in found[name]], {True: 0.5, False: 0.5})
        is_uniform(column(gaussian, "level_255"), 1, level)
        has_shares(column(gaussian, "kind"), {"colour": 0.6, "grey": 0.4})
        is_uniform(column(poisson, "strength"), 0.05, strength)
        has_shares(column(poisson, "grey"), {True: 0.4, False: 0.6})

    is_integer_uniform(column(found["jpeg"], "quality"), 30, 95)
    ends = [d["steps"][7]["params"] for d in draws]
    has_shares(column(ends, "name"), {"jpeg_last": 0.5, "sinc_last": 0.5})
    finals = [s["params"] for e in ends for s in e["params"]["steps"] if s["name"] == "sinc"]
    has_shares(column(finals, "on"), {True: 0.8, False: 0.2})
    is_uniform([p["params"]["cutoff"] for p in finals], math.pi / 3, math.pi)


def test_palette_jpeg_is_exponential_in_quality() -> None:
    qualities = column(drawn("palette_jpeg"), "quality")
    has_shares(qualities, {q: math.exp(-q / 10) for q in range(5, 31)})


def test_sensor_noise_has_the_ranges_of_unprocessing() -> None:
    draws = [SensorNoise().draw(SPEC, rng(1, i)) for i in range(DRAWS)]
    is_uniform([math.log(p["shot"]) for p in draws], math.log(1e-4), math.log(1.2e-2))
    spread = [math.log(p["read"]) - 2.18 * math.log(p["shot"]) - 1.2 for p in draws]
    assert stats.kstest(np.array(spread) / 0.26, "norm").pvalue > SURE
    is_uniform(column(draws, "red_gain"), 1.9, 2.4)
    is_uniform(column(draws, "blue_gain"), 1.5, 1.9)
    gains = (1 / np.array(column(draws, "gain")) - 0.8) / 0.1
    assert stats.kstest(gains, "norm").pvalue > SURE


def test_palette_inpainting_shares_and_areas() -> None:
    degradation: Any = build("palette_inpainting")
    draws = drawn("palette_inpainting")
    has_shares(column(draws, "name"), {"free_form": 0.6, "boxes": 0.4})
    boxes = [p["params"] for p in draws if p["name"] == "boxes"]
    is_integer_uniform([len(p["boxes"]) for p in boxes], 1, 5)
    areas = [degradation.shape.shapes["boxes"][1].mask(p).mean() for p in boxes]
    assert min(areas) > 0.09
    assert max(areas) < 0.42
    assert stats.kstest((np.array(areas) - 0.1) / 0.3, "uniform").pvalue > SURE


def test_free_form_strokes_are_those_of_deepfill() -> None:
    spec = Spec(256, 256)
    diagonal = 256 * math.sqrt(2)
    draws = drawn("free_form", spec=spec)
    is_integer_uniform([len(p["strokes"]) for p in draws], 1, 3)
    strokes = [stroke for p in draws for stroke in p["strokes"]]
    is_integer_uniform([len(s["points"]) for s in strokes], 4, 11)
    is_integer_uniform(column(strokes, "width"), 12, 39)
    starts = np.array([s["points"][0] for s in strokes])
    is_uniform((starts[:, 0] + 0.5).tolist(), 0, 256)
    is_uniform((starts[:, 1] + 0.5).tolist(), 0, 256)

    inside, angles = [], []
    for stroke in strokes:
        points = np.array(stroke["points"], dtype=float)
        step = np.diff(points, axis=0)
        free = ((points[1:] > 0) & (points[1:] < 255)).all(axis=1)
        lengths = np.hypot(*step.T)
        inside += lengths[free].tolist()
        angles += np.arctan2(np.abs(step[:, 1]), np.abs(step[:, 0]))[free & (lengths > 40)].tolist()
    assert max(inside) <= diagonal / 4 + 2
    # Turned by 72° ± 24° from the x axis, up and down in turns.
    assert math.radians(46) < min(angles)
    assert abs(np.median(angles) - 2 * math.pi / 5) < 0.06


@pytest.mark.parametrize("kind", LAMA)
@pytest.mark.parametrize("side", [256, 512])
def test_lama_masks_have_the_published_numbers(kind: str, side: int) -> None:
    settings = LAMA[kind][side == 512]
    shape = Lama(kind)
    draws = [shape.draw(Spec(side, side), rng(2, kind, i)) for i in range(300)]
    assert max(shape.mask(p).mean() for p in draws[:100]) <= 0.5
    segments = [segment for p in draws for segment in p["strokes"]]
    widths = column(segments, "width")
    assert min(widths) >= 5
    assert max(widths) <= 4 + settings.max_width
    lengths = [math.dist(*segment["points"]) for segment in segments]
    assert max(lengths) <= 10 + settings.max_length
    boxes = [box for p in draws for box in p["boxes"]]
    if kind == "thin":
        assert not boxes
        return
    low, high = settings.box_side
    assert all(low <= side_ <= high for box in boxes for side_ in box[2:])
    assert all(box[0] >= 10 and box[0] + box[2] <= side - 10 for box in boxes)
    # Large strokes are rejected more often than boxes, so the share is checked before rejection.
    assert 0.1 < np.mean([bool(p["boxes"]) for p in draws]) < 0.6


@pytest.mark.parametrize("name", ["free_form", "lama_thin", "lama_medium", "lama_thick", "boxes"])
def test_holes_are_as_frequent_on_each_side(name: str) -> None:
    """Left and right, top and bottom within 5 %, on a picture that is not square."""
    degradation: Any = build(name)
    spec = Spec(96, 160)
    rate = np.mean(
        [degradation.mask(degradation.draw(spec, rng(3, i))) for i in range(2000)], axis=0
    )
    left, right = rate[:, :80].mean(), rate[:, 80:].mean()
    top, bottom = rate[:48].mean(), rate[48:].mean()
    assert abs(left / right - 1) < 0.05
    assert abs(top / bottom - 1) < 0.05


@pytest.mark.parametrize("size", [(256, 256), (97, 181), (64, 63)])
def test_uncropping_masks_a_border_of_half_of_the_area(size: tuple[int, int]) -> None:
    degradation: Any = build("palette_uncropping")
    kinds = []
    for i in range(600):
        params = degradation.draw(Spec(*size), rng(4, i))
        mask = degradation.mask(params)
        assert abs(mask.mean() - 0.5) < 0.01
        edges = {
            "top": mask[0].all(),
            "bottom": mask[-1].all(),
            "left": mask[:, 0].all(),
            "right": mask[:, -1].all(),
        }
        centre = mask[size[0] // 2 - 2 : size[0] // 2 + 3, size[1] // 2 - 2 : size[1] // 2 + 3]
        masked = [edge for edge, full in edges.items() if full]
        if len(masked) == 4:
            assert not centre.any(), "the centre is what is known"
        kinds.append("all" if len(masked) == 4 else masked[0])
        assert len(masked) in (1, 4)
    shares = {"all": 0.5, "top": 0.125, "bottom": 0.125, "left": 0.125, "right": 0.125}
    has_shares(kinds, shares)


def test_severity_stays_inside_of_the_published_range_and_orders_it() -> None:
    degradation = build("jpeg")
    for severity, low, high in ((0.0, 82, 95), (0.5, 56, 69), (1.0, 30, 43)):
        spec = Spec(64, 64, severity)
        qualities = [degradation.draw(spec, rng(5, i))["quality"] for i in range(400)]
        assert low - 1 <= min(qualities)
        assert max(qualities) <= high + 1
    assert SEVERITY_WINDOW == 0.2


@pytest.mark.parametrize("name", ["bsr", "bsr_light", "bsr_plus", "real_esrgan", "palette_jpeg"])
def test_severity_makes_pictures_worse(name: str) -> None:
    y, x = np.mgrid[:64, :64]
    waves = np.sin(np.stack([x / 3, y / 2, (x + y) / 4], axis=-1))
    picture = (0.5 + 0.4 * waves).astype(np.float32)
    degradation = build(name, 1)

    def error(severity: float) -> float:
        spec = Spec(64, 64, severity)
        results = [degradation.apply(picture, degradation.draw(spec, rng(6, i))) for i in range(24)]
        return float(np.mean([np.abs(result - picture).mean() for result in results]))

    assert error(0.0) < error(0.5) < error(1.0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_picks_the_level_of_imagenet_c(name: str) -> None:
    for level in range(1, 6):
        spec = Spec(32, 32, severity=(level - 1) / 4)
        drawn_levels = {CORRUPTIONS[name].draw(spec, rng(7, i))["level"] for i in range(50)}
        assert drawn_levels == {level}
