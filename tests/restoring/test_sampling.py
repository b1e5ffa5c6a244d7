"""The choices of sampling: plain data, declared once, named in every help."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any, get_args

import pytest

from palette.cli.main import main
from palette.diffusion.samplers import SAMPLERS
from palette.diffusion.schedule import GRIDS
from palette.restoring.sampling import GridName, Route, SamplerName, Sampling


def test_the_choices_are_those_that_exist() -> None:
    assert list(get_args(SamplerName)) == list(SAMPLERS)
    assert list(get_args(GridName)) == ["auto", *GRIDS]


def test_choosing_takes_no_torch() -> None:
    code = "import palette.restoring.sampling, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_choice_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command, data in (("restore", Sampling), ("search", Route)):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = "".join(capsys.readouterr().out.split())
        for field in dataclasses.fields(data):
            if field.name != "logsnrs":
                assert f"--{field.name.replace('_', '-')}" in shown
        assert ",".join(SAMPLERS) in shown.replace("│", "")
        assert ",".join(GRIDS) in shown or data is Route


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"start": "middle"}, "condition, mean, noise"),
        ({"sampler": "dpmpp2m"}, "did you mean 'dpmpp_2m'"),
        ({"grid": "lin"}, "auto, ddpm, karras, logsnr, palette, sr3"),
        ({"start_logsnr": 9.0}, "-?20 to 5"),
        ({"resamplings": 0}, "at least 1"),
        ({"guidance": -1.0}, "0 to 20"),
        ({"detail": 1.5}, "0 to 1"),
    ],
)
def test_bad_choices_are_refused(sampling: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**sampling)


@pytest.mark.parametrize(
    ("field", "value"),
    [("answer", "best"), ("steps", 0), ("sampler", "dimm"), ("grid", "linear"), ("samples", 0)],
)
def test_bad_sampling_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=str(value)):
        Sampling(**{field: value})  # type: ignore[arg-type]
