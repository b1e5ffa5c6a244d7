"""Published networks and a palette model on the same pictures, by the protocols of the literature.

    python benchmarks/peers.py --weights PEERS --data SETS [--model RUN] [--protocols set5-x4,…]
        [--out FOLDER] [--weights-squeezenet FILE]

PEERS holds weights: imdn_x2, imdn_x3, imdn_x4.safetensors; arcnn_q10 … q40.npz; dncnn3.npz. SETS
holds a folder for each test set, Set5 and so on. Every network is given what the protocol makes of
the originals; the restored pictures go through `palette compare`. Beside its figures stand, of each
network, parameters, multiply-adds and seconds for a megapixel of output: the median over the
pictures, which says something only where nothing else runs. LPIPS needs the package lpips and the
weights of SqueezeNet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peer_networks import Peer, peers
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from palette.api import load_tasks
from palette.data.images import list_pictures, read
from palette.data.stored import grey_of
from palette.eval.compare import compare
from palette.eval.conventions import stored
from palette.eval.literature_protocols import LITERATURE
from palette.eval.protocol import Protocol
from palette.eval.protocols import find_protocol
from palette.eval.report.result import Report
from palette.eval.request import Measuring, WeightsFiles
from palette.network.cost import cost
from palette.restoring.restorer import Restorer
from palette.types import Observation, Picture

MEGA = 10**6
COUNTED = 48
"""Pixels a side that multiply-adds are counted at; a multiple of every scale."""


@dataclass(frozen=True)
class Contender:
    """Whoever restores: (h, w, 3) in [0, 1] to the picture; cost of a megapixel of output."""

    title: str
    restore: Callable[[Picture], Picture]
    parameters: float
    multiply_adds: float


def of_peer(peer: Peer, scale: int) -> Contender:
    """Multiply-adds of convolutions, which grow with the pixels."""

    def restore(picture: Picture) -> Picture:
        given = grey_of(picture) if peer.channels == 1 else picture
        batch = torch.from_numpy(given.transpose(2, 0, 1).copy())[None]
        with torch.inference_mode():
            made = peer.network(batch)[0].clamp(0, 1).numpy().transpose(1, 2, 0)
        return np.repeat(made, 3, axis=2) if peer.channels == 1 else made

    side = COUNTED // scale
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        peer.network(torch.zeros(1, peer.channels, side, side))
    adds = counter.get_total_flops() / 2 / COUNTED**2 * MEGA
    return Contender(peer.title, restore, count(peer.network), adds)


def of_model(restorer: Restorer) -> list[Contender]:
    """Its mean answer, of one evaluation, and a sample."""
    model, steps = restorer.model, restorer.sampling.steps
    side = model.config.data.size
    one = cost(model.config.model, side).evaluation / side**2 * MEGA
    total = count(model.denoiser)

    def mean(picture: Picture) -> Picture:
        return restorer.restore_observations([Observation(picture)], answer="mean")[0]

    def sample(picture: Picture) -> Picture:
        return restorer.restore_observations([Observation(picture)], answer="sample")[0]

    return [
        Contender("palette, mean answer", mean, total, one),
        Contender(f"palette, a sample of {steps} evaluations", sample, total, one * steps),
    ]


def count(network: nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters())


def restore_all(
    contender: Contender, protocol: Protocol, originals: Sequence[Path], folder: Path
) -> float:
    """Restore what the protocol makes of every original; median seconds for a megapixel."""
    folder.mkdir(parents=True)
    seconds = []
    for path in [originals[0], *originals]:  # the first one once more, to get warm
        photo = read(path)
        pair = protocol.pair(photo.picture, photo.grey)
        start = time.perf_counter()
        made = contender.restore(pair.given)
        passed = time.perf_counter() - start
        seconds.append(passed * MEGA / (made.shape[0] * made.shape[1]))
        Image.fromarray(stored(made, pair.grey)).save(folder / f"{path.stem}.png")
    return float(np.median(seconds[1:]))


def run(
    protocol: Protocol,
    contenders: Sequence[Contender],
    originals: Path,
    out: Path,
    lpips: Path | None = None,
) -> tuple[Report, dict[str, float]]:
    """The comparison of all contenders, and the seconds of each."""
    paths = list_pictures(originals, recursive=False)
    folders = {c.title: out / c.title.replace(" ", "-").replace(",", "") for c in contenders}
    seconds = {c.title: restore_all(c, protocol, paths, folders[c.title]) for c in contenders}
    more = () if lpips is None else ("lpips-squeeze",)
    measuring = Measuring(
        (*protocol.metrics, *more),
        weights=WeightsFiles(squeezenet=lpips),
        protocol=protocol.name,
        dataset=protocol.dataset,
        device="cpu",
    )
    return compare(folders, originals, out / "report", measuring), seconds


def table(report: Report, contenders: Sequence[Contender], seconds: dict[str, float]) -> str:
    """Figures and costs, a line each."""
    known = {contender.title: contender for contender in contenders}
    titles = [metric.title for metric in report.metrics.values()]
    head = "".join(f"{title:>17}" for title in titles)
    lines = [f"{'':38}{head}{'M parameters':>14}{'G madds/Mpx':>13}{'s/Mpx':>9}"]
    for row in report.rows:
        if row.key == "original":
            continue
        title = row.title if len(contenders) > 1 or row.key != "restored" else contenders[0].title
        cells = (report.value(row.key, name) for name in report.metrics)
        digits = (metric.digits for metric in report.metrics.values())
        figures = "".join(
            f"{'–' if v is None else f'{v:.{d}f}':>17}" for v, d in zip(cells, digits, strict=True)
        )
        about = ""
        if title in known:
            who = known[title]
            about = f"{who.parameters / MEGA:14.3f}{who.multiply_adds / 1e9:13.1f}"
            about += f"{seconds[title]:9.2f}"
        lines.append(f"{title:38}{figures}{about}")
    return "\n".join(lines)


def sets(root: Path) -> dict[str, Path]:
    """Folders of test sets by the names of the protocols."""
    return {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}


def harshness(protocol: Protocol) -> int:
    """The scale or the quality, with which its name ends."""
    return int(protocol.name.rpartition("-")[2].lstrip("xqsigma"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True, help="a folder of weights")
    parser.add_argument("--data", type=Path, required=True, help="a folder of test sets")
    parser.add_argument("--model", type=Path, help="a palette run or model, of any tasks")
    parser.add_argument("--protocols", help="names with commas; all that have pictures otherwise")
    parser.add_argument("--out", type=Path, help="a new folder for pictures and reports")
    parser.add_argument("--weights-squeezenet", type=Path, help="for LPIPS")
    args = parser.parse_args()
    found = sets(args.data)
    chosen = (
        [find_protocol(name) for name in args.protocols.split(",")]
        if args.protocols
        else [protocol for protocol in LITERATURE if protocol.dataset in found]
    )
    models = {} if args.model is None else load_tasks(args.model)
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        for protocol in chosen:
            if protocol.dataset not in found:
                parser.error(f"{protocol.name} needs {args.data}/{protocol.dataset}")
            grey = protocol.conventions is not None and protocol.conventions.grey
            contenders = [
                of_peer(peer, protocol.scale)
                for peer in peers(args.weights, protocol.task, harshness(protocol))
                if peer.channels == 3 or grey
            ]
            for restorer in models.values():
                if protocol.misfit(restorer.task) is None:
                    contenders += of_model(restorer)
            if not contenders:
                continue
            report, seconds = run(
                protocol,
                contenders,
                found[protocol.dataset],
                out / protocol.name,
                args.weights_squeezenet,
            )
            print(f"{protocol.name}, {len(report.pictures)} pictures")
            print(table(report, contenders, seconds), flush=True)


if __name__ == "__main__":
    main()
