"""A few damaged files of every kind; `make fuzz` damages 10,000."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzz import FAILURES, fuzz, one
from fuzz_subjects import Subject
from mutations import mutated

from palette.errors import PictureError
from palette.seeding import rng

COUNT = 120
"""Three of each file."""


def test_no_damage_is_silent_unnamed_or_the_end() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = fuzz(COUNT, seed=7)
    assert [outcome.number for outcome in outcomes] == list(range(COUNT))
    assert [outcome for outcome in outcomes if outcome.kind in FAILURES] == []
    found = Counter(outcome.kind for outcome in outcomes)
    assert found["refused"] > COUNT / 3
    assert found["same"]


def always(result: object) -> Callable[[Path], str]:
    """A reader that returns, raises or does ``result`` where the file is not what it was."""

    def read(path: Path) -> str:
        if path.read_bytes() == b"0123456789":
            return "whole"
        if isinstance(result, Exception):
            raise result
        if callable(result):
            result()
        return str(result)

    return read


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("another", "silent"),
        ("whole", "same"),
        (PictureError("x.bin: broken"), "refused"),
        (PictureError("broken"), "unnamed"),
        (PictureError("x.bin: two\nlines"), "unnamed"),
        (KeyError("x.bin"), "traceback"),
        (lambda: os._exit(3), "crash"),
        (lambda: time.sleep(60), "hang"),
    ],
)
def test_each_outcome_is_told_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: object, kind: str
) -> None:
    path, read = tmp_path / "x.bin", always(result)
    path.write_bytes(b"0123456789")
    subject = Subject("x", path, lambda: read(path), checksum=True)
    if kind not in ("crash", "hang"):
        outcome = one(subject, tmp_path, 0, 0, tmp_path / "kept")
        assert outcome.kind == kind
        assert bool(list((tmp_path / "kept").glob("*"))) == (kind in FAILURES)
    monkeypatch.setattr("fuzz.subjects", lambda _: [subject])
    monkeypatch.setattr("fuzz.SECONDS", 1.0 if kind == "hang" else 20.0)
    count = 2 if kind == "hang" else 3
    assert [outcome.kind for outcome in fuzz(count)] == [kind] * count
    assert path.read_bytes() == b"0123456789"


def test_mutations_are_repeatable_and_stay_texts() -> None:
    text = json.dumps({"a": [1, {"b": None}], "c": "d"}).encode()
    for suffix, whole in ((".png", bytes(range(256)) * 4), (".json", text), (".toml", b"a = 1\n")):
        several = [mutated(whole, suffix, rng(0, i)) for i in range(60)]
        assert several == [mutated(whole, suffix, rng(0, i)) for i in range(60)]
        assert len(set(several)) > 10 if suffix == ".toml" else len(set(several)) > 30
        assert np.mean([one == whole for one in several]) < 0.1
