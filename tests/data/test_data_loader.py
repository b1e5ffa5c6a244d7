"""Batches depend on (seed, step) and on nothing else; what goes wrong in a worker is reported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from palette.data import loader
from palette.data.crops import Crops
from palette.data.images import write
from palette.data.loader import automatic_workers, batches, epoch_order
from palette.data.opening import open_source
from palette.data.sources import Source
from palette.errors import MachineError, PictureError
from palette.seeding import rng

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Crop:
    """What training does, with sums that threads could split: a crop, blurred, and its mean."""

    source: Source

    def __call__(self, position: int) -> Arrays:
        index = epoch_order(7, len(self.source), position)
        crop = Crops(96).crop(self.source.read(index), rng(7, "crop", position))
        blurred = cv2.GaussianBlur(crop, (0, 0), 2.5)
        kernel = torch.full((3, 3, 9, 9), 1 / 243)
        smooth = torch.conv2d(torch.from_numpy(blurred).permute(2, 0, 1)[None], kernel)[0]
        return {"y": crop, "x": smooth.numpy(), "position": np.array(position)}


def number(position: int) -> Arrays:
    return {"position": np.array(position)}


def test_batches_are_equal_for_any_number_of_workers() -> None:
    example = Crop(open_source("bundled", "held_out"))
    expected = list(batches(example, 3, 2, 8))
    assert [b["position"].tolist() for b in expected] == [
        list(range(3 * step, 3 * step + 3)) for step in range(2, 8)
    ]
    assert expected[0]["y"].shape == (3, 96, 96, 3)
    assert expected[0]["x"].dtype == torch.float32
    for workers in (1, 2):
        found = list(batches(example, 3, 2, 8, workers))
        assert len(found) == 6
        for a, b in zip(expected, found, strict=True):
            assert all(torch.equal(a[key], b[key]) for key in ("x", "y", "position"))


def test_a_later_start_gives_the_same_steps() -> None:
    example = Crop(open_source("bundled", "held_out"))
    whole = list(batches(example, 2, 0, 6))
    rest = list(batches(example, 2, 4, 6))
    assert len(rest) == 2
    assert torch.equal(whole[5]["y"], rest[1]["y"])
    assert list(batches(example, 2, 6, 6)) == []


def test_workers_that_are_spawned_give_the_same(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path / f"{i}.png", rng(0, i).random((9, 9, 3), dtype=np.float32))
    script = f"""
import multiprocessing, torch
from functools import partial
from palette.data.loader import batches
from palette.data.sources import FolderSource

def example(source, position):
    return {{"y": source.read(position % len(source))}}

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    one = partial(example, FolderSource({str(tmp_path)!r}))
    here, there = batches(one, 2, 0, 3), batches(one, 2, 0, 3, workers=1)
    for a, b in zip(here, there, strict=True):
        assert torch.equal(a["y"], b["y"])
"""
    (tmp_path / "spawn.py").write_text(script)
    subprocess.run([sys.executable, str(tmp_path / "spawn.py")], check=True, timeout=120)


@pytest.mark.parametrize("n", [1, 2, 17])
def test_each_epoch_is_a_permutation_of_its_own(n: int) -> None:
    epochs = [[epoch_order(5, n, e * n + i) for i in range(n)] for e in range(6)]
    assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
    if n == 17:
        assert len({tuple(epoch) for epoch in epochs}) == 6
        assert epochs[0] != [epoch_order(6, n, i) for i in range(n)]
    assert epochs[3] == [epoch_order(5, n, 3 * n + i) for i in range(n)]


def test_global_generators_are_left_alone() -> None:
    before = torch.get_rng_state(), repr(np.random.get_state())
    list(batches(number, 2, 0, 2, workers=0))
    list(batches(number, 2, 0, 2, workers=1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == repr(np.random.get_state())


def settings(position: int) -> Arrays:
    stops = (signal.SIGINT, signal.SIGTERM)
    ignored = all(signal.getsignal(number) == signal.SIG_IGN for number in stops)
    return {"all": np.array([torch.get_num_threads(), cv2.getNumThreads(), ignored])}


def test_examples_use_one_thread_and_workers_leave_signals_to_the_main_process() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    try:
        (here,) = batches(settings, 1, 0, 1)
        (there,) = batches(settings, 1, 0, 1, workers=1)
        assert here["all"].tolist() == [[1, 1, 0]]
        assert there["all"].tolist() == [[1, 1, 1]]
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        signal.signal(signal.SIGINT, handler)
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


# Faults


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_picture_is_named(tmp_path: Path, workers: int) -> None:
    for i in range(4):
        write(tmp_path / f"{i}.png", np.zeros((4, 4, 3), np.float32))
    (tmp_path / "2.png").write_bytes(b"broken")
    source = open_source(tmp_path)

    def example(position: int) -> Arrays:
        return {"y": source.read(position)}

    before = set(multiprocessing.active_children())
    feed = batches(example, 1, 0, 4, workers)
    assert len([next(feed), next(feed)]) == 2
    with pytest.raises(PictureError, match=r"2\.png: no PNG") as caught:
        next(feed)
    assert "\n" not in str(caught.value)
    assert not set(multiprocessing.active_children()) - before


def fail(position: int) -> Arrays:
    if position < 2:
        return number(position)
    raise KeyError("a mistake at home")


def die(position: int) -> Arrays:
    if position >= 2:
        time.sleep(1)  # the first batch must have left
        os._exit(9)
    return number(position)


def hang(position: int) -> Arrays:
    time.sleep(0 if position < 2 else 60)
    return number(position)


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (fail, "a mistake at home"),
        (die, r"^a process that prepares batches ended \(DataLoader worker .* --train.workers$"),
        (hang, r"^no batch came within 2 seconds .* can the pictures be reached"),
    ],
)
def test_a_worker_that_fails_dies_or_hangs_is_noticed(
    example: Callable[[int], Arrays], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "WORKER_TIMEOUT_SECONDS", 2)
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.5)
    before = set(multiprocessing.active_children())
    feed = batches(example, 2, 0, 3, workers=1)
    assert next(feed)["position"].tolist() == [0, 1]
    with pytest.raises((KeyError, MachineError), match=reason):
        next(feed)
    left = set(multiprocessing.active_children()) - before  # the end of the program waits for them
    for worker in left:  # killed, and gone at once
        worker.join(2)
    assert not any(worker.is_alive() for worker in left)


def test_workers_end_with_the_feed() -> None:
    before = set(multiprocessing.active_children())
    feed = batches(number, 2, 0, 1000, workers=2)
    next(feed)
    assert len(set(multiprocessing.active_children()) - before) == 2
    feed.close()  # type: ignore[attr-defined]
    assert not set(multiprocessing.active_children()) - before


def test_an_automatic_number_of_workers_leaves_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for cores, on_cpu, beside_gpu in [(1, 0, 0), (2, 1, 1), (4, 1, 3), (64, 1, 8)]:
        present = set(range(cores))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, p=present: p, raising=False)
        assert automatic_workers(cpu) == on_cpu
        assert automatic_workers(gpu) == beside_gpu


@pytest.mark.parametrize(("batch", "workers"), [(0, 0), (1, -1)])
def test_impossible_numbers_are_refused(batch: int, workers: int) -> None:
    with pytest.raises(ValueError, match=f"{batch}.*{workers}"):
        next(batches(number, batch, 0, 1, workers))
