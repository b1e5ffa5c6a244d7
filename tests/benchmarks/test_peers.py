"""Published networks through the literature's protocols: the figures of their own papers."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from palette.eval.protocols import find_protocol

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DATA = Path(os.environ.get("PALETTE_TEST_DATA") or "nowhere")
PEERS = DATA / "peers"
"""Weights of the networks, where there are any."""

sys.path.insert(0, str(BENCHMARKS))
networks = importlib.import_module("peer_networks")
script = importlib.import_module("peers")


def cost_of(network: nn.Module, channels: int, scale: int = 1) -> tuple[float, float]:
    """Parameters in millions, and multiply-adds in 10⁹ of an output of 1280 × 720."""
    found = script.of_peer(networks.Peer("", network.eval(), channels), scale)
    return script.count(network) / 1e6, found.multiply_adds * 1.28 * 0.72 / 1e9


@pytest.mark.parametrize(
    ("network", "channels", "scale", "protocol", "title"),
    [
        (networks.Imdn(2), 3, 2, "set5-x2", "IMDN"),
        (networks.Imdn(3), 3, 3, "set5-x3", "IMDN"),
        (networks.Imdn(4), 3, 4, "set5-x4", "IMDN"),
        (networks.Arcnn(), 1, 1, "classic5-grey-q10", "ARCNN"),
        (networks.DnCnn(), 1, 1, "classic5-grey-q10", "DnCNN-3"),
    ],
)
def test_cost_is_what_the_rows_say(
    network: nn.Module, channels: int, scale: int, protocol: str, title: str
) -> None:
    parameters, multiply_adds = cost_of(network, channels, scale)
    (row,) = (row for row in find_protocol(protocol).paper if row.title == title)
    assert row.parameters == pytest.approx(parameters, abs=0.0006)
    assert row.multiply_adds == pytest.approx(multiply_adds, rel=0.002)


def test_a_contender_is_timed_saved_and_listed(tmp_path: Path) -> None:
    """Without weights: the input as it is, by a protocol of grey pictures."""
    from PIL import Image

    draws = np.random.default_rng(0)
    (tmp_path / "set").mkdir()
    for name in "ab":
        noise = draws.integers(0, 255, (24, 32), np.uint8)
        Image.fromarray(noise).save(tmp_path / "set" / f"{name}.png")
    protocol = find_protocol("classic5-grey-q40")
    same = [
        script.Contender("one", lambda p: p, 1e6, 2e9),
        script.Contender("two", lambda p: p, 0, 0),
    ]
    report, seconds = script.run(protocol, same, tmp_path / "set", tmp_path / "out")
    assert report.value("restored-one", "psnr") == report.value("input", "psnr")
    lines = script.table(report, same, seconds).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["degraded", "one", "two"]
    assert lines[2].split()[4:6] == ["1.000", "2.0"]
    assert script.restore_all(same[0], protocol, [tmp_path / "set/a.png"], tmp_path / "more") > 0


PAPERS = [
    ("set5-x4", "Set5", "IMDN", {"psnr": 32.21, "ssim": 0.8948}),
    ("set5-x2", "Set5", "IMDN", {"psnr": 38.00, "ssim": 0.9605}),
    ("classic5-grey-q10", "Classic5", "ARCNN", {"psnr": 29.03, "ssim": 0.7929, "psnr-b": 28.76}),
    ("classic5-grey-q10", "Classic5", "DnCNN-3", {"psnr": 29.40, "ssim": 0.8026, "psnr-b": 29.13}),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "of", "title", "figures"), PAPERS)
def test_published_networks_have_the_figures_of_their_papers(
    name: str, of: str, title: str, figures: dict[str, float], tmp_path: Path
) -> None:
    if not (DATA / "test" / of).is_dir() or not PEERS.is_dir():
        pytest.skip("needs PALETTE_TEST_DATA/peers and /test")
    torch.set_num_threads(1)
    protocol = find_protocol(name)
    harshness = int(name.split("-")[-1].lstrip("xq"))
    (peer,) = (p for p in networks.peers(PEERS, protocol.task, harshness) if p.title == title)
    contenders = [script.of_peer(peer, protocol.scale)]
    report, _ = script.run(protocol, contenders, DATA / "test" / of, tmp_path / "out")
    for metric, figure in figures.items():
        tolerance = 0.001 if metric == "ssim" else 0.05
        assert report.value("restored", metric) == pytest.approx(figure, abs=tolerance), metric
