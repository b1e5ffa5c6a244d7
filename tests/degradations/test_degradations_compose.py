"""Building by name, composition and pins."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palette.degradations import DEGRADATIONS, Degradation, build
from palette.degradations.bsr import Bsr
from palette.degradations.catalogue import about
from palette.degradations.compose import Choice, RandomOrder, Sequence, Sometimes, Strengths
from palette.degradations.grayscale import Grayscale
from palette.degradations.jpeg import Jpeg, Quantise
from palette.degradations.masks import Centre, Hole
from palette.degradations.noise import GaussianNoise
from palette.degradations.pins import check_pins, parse_pins, pin, pinnable
from palette.degradations.resize import Rescale, ResizeTo, Shrink
from palette.seeding import rng
from palette.types import Picture, Spec


def noise_picture(height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


# Building by name


def test_an_unknown_name_is_answered_with_the_nearest_and_all_others() -> None:
    with pytest.raises(ValueError, match=r"unknown degradation 'bsr_ligth': did you mean") as error:
        build("bsr_ligth")
    assert "'bsr_light'" in str(error.value)
    assert all(name in str(error.value) for name in DEGRADATIONS)


def test_scale_divides_the_size_or_is_refused() -> None:
    assert build("bsr", 3).scale == 3
    assert build("bsr") == Bsr()
    assert build("grayscale", 1) == Grayscale()
    assert build("grayscale").scale is None
    with pytest.raises(ValueError, match="grayscale keeps the size of the picture"):
        build("grayscale", 2)
    with pytest.raises(ValueError, match="scale 0 is below 1"):
        build("bsr", 0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "name", ["bsr", "bsr_light", "bsr_plus", "real_esrgan", "sr_bicubic", "sr_matlab"]
)
def test_pipelines_give_clean_size_over_scale(name: str, scale: int) -> None:
    degradation, picture = build(name, scale), noise_picture(61, 49)
    for i in range(4):
        params = degradation.draw(Spec(61, 49), rng(i))
        result = degradation.apply(picture, params)
        assert result.shape == (61 // scale, 49 // scale, 3)
        assert degradation.resized(Spec(61, 49), params) == Spec(61 // scale, 49 // scale)


def test_mixtures_keep_their_weights_and_give_one_size() -> None:
    mixture: Any = build("bsr:0.7, sr_bicubic:0.3", scale=2)
    assert mixture.scale == 2
    names = [mixture.draw(Spec(32, 32), rng(i))["name"] for i in range(400)]
    assert 0.62 < names.count("bsr") / 400 < 0.78
    assert mixture.apply(noise_picture(), mixture.draw(Spec(48, 64), rng(0))).shape == (24, 32, 3)

    with pytest.raises(ValueError, match="write NAME:WEIGHT with a weight above 0"):
        build("bsr:0.7,sr_bicubic")
    with pytest.raises(ValueError, match="write NAME:WEIGHT"):
        build("bsr:-1,sr_bicubic:2")
    with pytest.raises(ValueError, match="unknown degradation 'bsr2'"):
        build("bsr2:1,sr_bicubic:2")
    with pytest.raises(ValueError, match="a mixture gives one size"):
        build("bsr:1,grayscale:1")
    with pytest.raises(ValueError, match="mixes masks with other degradations"):
        build("free_form:1,grayscale:1")


def test_a_mixture_of_masks_is_a_mask() -> None:
    mixture: Any = build("free_form:1,centre:1")
    params = mixture.draw(Spec(40, 30), rng(0))
    assert mixture.mask(params).shape == (40, 30) == (params["height"], params["width"])


# Composition


def test_each_step_draws_for_the_size_that_it_finds() -> None:
    steps: dict[str, Degradation] = {
        "half": Shrink(2),
        "double": Rescale((2.0, 2.0)),
        "to": ResizeTo(5, 7),
        "half_again": Shrink(2),
        "hole": Hole(Centre()),
    }
    sequence = Sequence(steps)
    params = sequence.draw(Spec(40, 60), rng(0))
    drawn = {step["name"]: step["params"] for step in params["steps"]}
    assert (drawn["half"]["height"], drawn["half"]["width"]) == (20, 30)
    assert (drawn["half_again"]["height"], drawn["half_again"]["width"]) == (2, 3)
    assert (drawn["hole"]["height"], drawn["hole"]["width"]) == (2, 3)
    assert sequence.apply(noise_picture(40, 60), params).shape == (2, 3, 3)


def test_steps_are_applied_in_the_order_of_the_params() -> None:
    order = RandomOrder({"coarse": Quantise(1), "fine": Quantise(8)}, before=("fine", "coarse"))
    for i in range(10):
        params = order.draw(Spec(4, 4), rng(i))
        assert [step["name"] for step in params["steps"]] == ["fine", "coarse"]
    noise = Sequence({"noise": GaussianNoise(), "coarse": Quantise(1)})
    params = noise.draw(Spec(48, 64), rng(0))
    assert set(np.unique(noise.apply(noise_picture(), params))) == {0.0, 1.0}
    params["steps"].reverse()
    assert len(np.unique(noise.apply(noise_picture(), params))) > 2


def test_choice_sometimes_and_strengths() -> None:
    choice = Choice({"a": (3.0, Quantise(1)), "b": (1.0, Quantise(2))})
    names = [choice.draw(Spec(4, 4), rng(i))["name"] for i in range(400)]
    assert 0.69 < names.count("a") / 400 < 0.81
    sometimes = Sometimes(0.3, Quantise(1))
    draws = [sometimes.draw(Spec(4, 4), rng(i)) for i in range(400)]
    assert 0.23 < np.mean([one["on"] for one in draws]) < 0.37
    off = next(one for one in draws if not one["on"])
    picture = noise_picture()
    result = sometimes.apply(picture, off)
    assert np.array_equal(result, picture)
    assert result is not picture
    strengths = Strengths((Quantise(8), Quantise(4), Quantise(1)))
    assert {strengths.draw(Spec(4, 4), rng(i))["level"] for i in range(50)} == {1, 2, 3}
    assert {strengths.draw(Spec(4, 4, 1.0), rng(i))["level"] for i in range(50)} == {3}


def test_params_of_another_pipeline_are_refused() -> None:
    params = build("real_esrgan").draw(Spec(48, 64), rng(0))
    with pytest.raises(ValueError, match=r"the params name the step 'blur'; there are shuffle"):
        build("bsr", 2).apply(noise_picture(), params)


def test_walking_reaches_every_operator() -> None:
    kinds = {type(part).__name__ for part in build("bsr").walk()}
    assert {"Blur", "GaussianShrink", "SensorNoise", "Jpeg", "ResizeTo", "Rescale"} <= kinds
    corruption = build("imagenet_c_jpeg_compression")
    assert sum(isinstance(part, Jpeg) for part in corruption.walk()) == 5


# Pins


def test_a_pin_sets_one_parameter_and_leaves_all_others() -> None:
    degradation = build("bsr", 2)
    params = degradation.draw(Spec(48, 64), rng(1))
    before = json.dumps(params)
    pinned = pin(params, {"jpeg.quality": 40})
    assert json.dumps(params) == before
    qualities = json.dumps(pinned).split('"quality": ')[1:]
    assert qualities
    assert all(text.startswith("40,") for text in qualities)
    again = json.loads(json.dumps(pinned))
    text = json.dumps(params)
    for quality in {part.split(",")[0] for part in text.split('"quality": ')[1:]}:
        text = text.replace(f'"quality": {quality},', '"quality": 40,')
    assert json.loads(text) == again


def test_pins_reach_steps_by_any_name_around_them() -> None:
    params: Any = {
        "steps": [
            {"name": "blur", "params": {"name": "round", "params": {"sigma_x": 1.0}}},
            {"name": "sensor", "params": {"on": False, "params": {"shot": 0.1}}},
        ]
    }
    assert pin(params, {"blur.sigma_x": 2.0})["steps"][0]["params"]["params"]["sigma_x"] == 2.0
    assert pin(params, {"round.sigma_x": 2.0})["steps"][0]["params"]["params"]["sigma_x"] == 2.0
    assert pin(params, {"sigma_x": 2.0})["steps"][0]["params"]["params"]["sigma_x"] == 2.0
    assert pin(params, {"whole.sigma_x": 2.0}, "whole")["steps"][0]["params"]["params"] == {
        "sigma_x": 2.0
    }
    assert pin(params, {"sensor.sigma_x": 2.0}) == params
    assert pin(params, {"sensor.on": True})["steps"][1]["params"]["on"] is True
    assert pin({"quality": 3}, {"palette_jpeg.quality": 40}, "palette_jpeg") == {"quality": 40}


def test_pins_are_checked() -> None:
    degradation = build("bsr")
    check_pins(degradation, {"jpeg.quality": 40, "sensor.on": True, "noise.level_255": 3}, "bsr")
    check_pins(degradation, {}, "bsr")
    with pytest.raises(ValueError, match=r"'jpeg.qualty': did you mean 'jpeg.quality'"):
        check_pins(degradation, {"jpeg.qualty": 40}, "bsr")
    with pytest.raises(ValueError, match=r"pin jpeg.quality='high': write a value like \d+"):
        check_pins(degradation, {"jpeg.quality": "high"}, "bsr")
    with pytest.raises(ValueError, match=r"pin sensor.on=1: write a value like"):
        check_pins(degradation, {"sensor.on": 1}, "bsr")
    with pytest.raises(ValueError, match=r"nothing to pin as 'blur\.name'"):
        check_pins(degradation, {"blur.name": "isotropic"}, "bsr")
    assert set(pinnable(build("jpeg"), "jpeg")) == {
        "quality",
        "jpeg.quality",
        "subsampling",
        "jpeg.subsampling",
    }


def test_pins_are_parsed_as_json_or_text() -> None:
    texts = ["jpeg.quality=40", "sensor.on=true", "jpeg.subsampling=4:4:4", "noise.level_255=2.5"]
    assert parse_pins(texts) == {
        "jpeg.quality": 40,
        "sensor.on": True,
        "jpeg.subsampling": "4:4:4",
        "noise.level_255": 2.5,
    }
    with pytest.raises(ValueError, match=r"write NAME\.PARAM=VALUE"):
        parse_pins(["jpeg.quality"])


# Listing


def test_every_degradation_has_a_line_about_it() -> None:
    for name in DEGRADATIONS:
        assert re.fullmatch(r"[A-Z0-9].{10,85}\.", about(name)), name
    assert about("jpeg") == "A JPEG round trip, by default of quality 30–95."
    assert about("palette_jpeg") == "JPEG of quality 5–30, the low ones more often (Palette)."


# Documentation


def test_the_examples_of_the_documentation_run() -> None:
    text = (Path(__file__).parents[2] / "docs" / "degradations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {"picture": noise_picture(512, 512)}
    for block in blocks:
        exec(block, names)
    assert names["small"].shape == (128, 128, 3)
    scan, spec = names["scan"], Spec(48, 64)
    for i in range(6):
        params = scan.draw(spec, rng(i))
        for step in params["steps"]:
            step["params"]["on"] = True
        assert scan.apply(noise_picture(), params).shape == (48, 64, 3)
    for name in DEGRADATIONS:
        assert f"`{name}`" in text or name.startswith("imagenet_c_"), name
