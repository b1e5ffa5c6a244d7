"""`palette evaluate`, `compare` and `merge` as a user types them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from palette.cli.arguments import parse
from palette.cli.compare import Compare
from palette.cli.evaluate import Evaluate
from palette.cli.main import main
from palette.errors import INTEGRITY, OK, USAGE
from palette.eval.metrics.registry import GROUPS, METRICS
from palette.eval.request import FoolStudy, Measuring, Request, WeightsFiles
from palette.restoring.sampling import Sampling


def test_flags_make_one_request() -> None:
    flags = "--metrics psnr,drift --answer sample --samples 4 --limit 3 --protocol photos-jpeg"
    flags += " --weights-alexnet a.pth --cas-test real --border 2 --luma --seed 7 --title mine"
    flags += " --reference stats.npz --dataset faces --cas-profile paper-cifar --device cpu"
    assert parse(Evaluate, ["run", *flags.split()]).request == Request(
        metrics=("psnr", "drift"),
        luma=True,
        border=2,
        weights=WeightsFiles(alexnet=Path("a.pth")),
        title="mine",
        device="cpu",
        protocol="photos-jpeg",
        limit=3,
        answers=("sample",),
        samples=4,
        seed=7,
        reference=Path("stats.npz"),
        dataset="faces",
        cas_test=Path("real"),
        cas_profile="paper-cifar",
    )
    plain = parse(Evaluate, ["run"])
    assert plain.request == Request()
    assert plain.request.answers == parse(Evaluate, ["run", "--answer", "both"]).request.answers
    assert plain.sampling.as_json() == Sampling().as_json()


def test_flags_of_a_sample_are_those_of_restoring() -> None:
    flags = "--steps 4 --start mean --eta 0 --tile 64 --guidance 2 --level 0.1 --grid karras"
    expected = Sampling(
        steps=4, start="mean", eta=0.0, tile=64, guidance=2.0, strength=0.1, grid="karras"
    )
    found = parse(Evaluate, ["run", *flags.split(), "--samples", "3"]).sampling
    assert found.as_json() == expected.as_json()


def test_flags_of_a_comparison() -> None:
    flags = "--metrics fid --input given --fool-pairs 9 --fool-seconds 2 --fool-answers a.csv b.csv"
    found = parse(Compare, ["restored", "reference", *flags.split()])
    assert found.measuring == Measuring(metrics=("fid",))
    assert found.given == Path("given")
    assert found.fool == FoolStudy(9, 2.0, (Path("a.csv"), Path("b.csv")))


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_every_metric_is_in_the_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    words = set(re.findall(r"[\w-]+", capsys.readouterr().out))
    assert {*METRICS, *GROUPS} - words == set()


def test_shards_merge_and_settings_are_kept(
    trained: dict[str, Path], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit codes: 2 for a folder of other settings, 4 for folders that do not belong together."""
    source = tmp_path / "photos"
    for copy in "abc":  # more than one block
        shutil.copytree(photos, source / copy)
    model = str(trained["jpeg-restoration"])
    command = ["evaluate", model, "--data", str(source), "--start", "condition", "--steps", "2"]
    shards = [str(tmp_path / name) for name in "01"]
    for index, shard in enumerate(shards):
        assert main([*command, "--out", shard, "--shard", f"{index}/2"]) == OK
    whole, merged = str(tmp_path / "whole"), str(tmp_path / "merged")
    assert main([*command, "--out", whole]) == OK
    assert main(["merge", *shards, "--out", merged]) == OK
    assert "model, one sample" in capsys.readouterr().out
    report = (tmp_path / "whole" / "report.json").read_bytes()
    assert (tmp_path / "merged" / "report.json").read_bytes() == report
    assert json.loads(report)["manifest"]["model"]["sampling"]["start"] == "condition"
    assert main([*command, "--out", whole, "--start", "noise"]) == USAGE
    assert "differs in model: choose another folder" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "other"), "--limit", "2"]) == OK
    mixed = str(tmp_path / "mixed")
    assert main(["merge", shards[0], str(tmp_path / "other"), "--out", mixed]) == INTEGRITY
