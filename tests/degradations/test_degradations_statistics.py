"""Every drawn parameter has the published distribution. Seeds are fixed; so are the outcomes."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from distributions import (
    DRAWS,
    SPEC,
    SURE,
    collected,
    column,
    drawn,
    has_shares,
    is_integer_uniform,
    is_uniform,
)
from scipy import stats

from palette.degradations import build
from palette.degradations.base import SEVERITY_WINDOW
from palette.degradations.bsr import BsrLight
from palette.degradations.corruptions import CORRUPTIONS
from palette.degradations.real_esrgan import RealEsrgan
from palette.degradations.sensor import SensorNoise
from palette.seeding import rng
from palette.types import Params, Spec


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
    deviations = [p["level_255"] for p in found["noise"] if p["kind"] != "correlated"]
    is_integer_uniform(deviations, 2, 25)
    is_integer_uniform(column(found["jpeg"], "quality"), 30, 95)
    # The last JPEG always, the one within with probability 0.9.
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
    has_shares(column(aniso, "size"), dict.fromkeys(range(5, 14, 2), 1.0))
    has_shares(column(found["isotropic"], "size"), {5: 1.0, 7: 1.0})
    assert len(found["blur"]) == DRAWS
    has_shares([next(iter(p)) for p in found["down"]], {"factor": 0.8, "scale": 0.2})
    deviations = [p["level_255"] for p in found["noise"] if p["kind"] != "correlated"]
    is_integer_uniform(deviations, 1, 2)
    is_integer_uniform(column(found["jpeg"], "quality"), 80, 95)
    assert "sensor" not in found
    assert BsrLight().scale == 4


def order_of(params: Params) -> list[str]:
    """The names of the steps, those within steps instead of them."""
    order = []
    for step in params["steps"]:
        inner = order_of(step["params"]) if "steps" in step["params"] else []
        order += inner or [step["name"]]
    return order


def test_bsr_plus() -> None:
    draws = drawn("bsr_plus", 4)
    found = collected(draws)
    has_shares([d["steps"][0]["params"]["name"] for d in draws], {"shuffled": 0.5, "in_order": 0.5})
    orders: dict[str, list[list[str]]] = {"shuffled": [], "in_order": []}
    for d in draws:
        half = d["steps"][0]["params"]
        orders[half["name"]].append(order_of(half["params"]))
    assert all(len(order) == 13 for half in orders.values() for order in half)
    is_integer_uniform([order.index("jpeg") for order in orders["shuffled"]], 0, 12)
    kept = {0: "blur", 1: "rescale", 6: "jpeg", 7: "blur_again", 8: "rescale_again"}
    assert all(order[i] == name for order in orders["in_order"] for i, name in kept.items())
    for suffix, first in (("", 2), ("_again", 9)):
        for name in ("noise", "poisson", "speckle", "sensor"):
            places = [order.index(name + suffix) for order in orders["in_order"]]
            is_integer_uniform(places, first, first + 3)
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

    again = RealEsrgan(4).body(Spec(130, 97)).steps["rescale_again"]
    for d in draws:
        params = d["steps"][5]["params"]
        factor, now = params["params"]["factor"], Spec(77, 55)  # whatever the size is by then
        after = now.sized(int(130 / 4 * factor), int(97 / 4 * factor))
        assert again.resized(now, params) == after

    for name, deviation, strength in (("noise", 30, 3.0), ("noise_again", 25, 2.5)):
        gaussian = [p for p in found[name] if "kind" in p]
        poisson = [p for p in found[name] if "peak" in p]
        has_shares([p in poisson for p in found[name]], {True: 0.5, False: 0.5})
        is_uniform(column(gaussian, "level_255"), 1, deviation)
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


BENCHMARK = runpy.run_path(
    str(Path(__file__).parents[2] / "benchmarks" / "degradation_statistics.py")
)


@pytest.mark.parametrize("name", BENCHMARK["NAMES"])
def test_means_are_those_of_plain_renderings_of_the_published_code(name: str) -> None:
    """Within four standard errors; the benchmark takes many more draws."""
    draws = 40 if name in BENCHMARK["PUBLISHED"]["PIPELINES"] else 200
    for line in BENCHMARK["lines"](name, draws):
        assert abs(line.ratio - 1) < 4 * line.error, line


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_picks_the_strength_of_imagenet_c(name: str) -> None:
    for strength in range(1, 6):
        spec = Spec(32, 32, severity=(strength - 1) / 4)
        strengths = {CORRUPTIONS[name].draw(spec, rng(7, i))["level"] for i in range(50)}
        assert strengths == {strength}
