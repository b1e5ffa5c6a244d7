"""What a second run does: skips what is right, mends what is ours, and touches nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from copying_restorer import Copying

from palette.data.images import read, write
from palette.errors import IntegrityError, InUse
from palette.files import sha256
from palette.restoring.folder import Result, restore_folder
from palette.restoring.job import Job
from palette.restoring.output import Output
from palette.restoring.there import all_there, note
from palette.shard import Shard


def flat(value: float, size: int = 8) -> np.ndarray:
    return np.full((size, size, 3), value, np.float32)


def run(job: Job, restorer: Copying | None = None) -> list[Result]:
    return list(restore_folder(restorer or Copying(), job))


def value_of(path: Path) -> float:
    return float(read(path).picture[-1, -1, 0])


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three pictures that were restored."""
    for i, name in enumerate("abc"):
        (tmp_path / "in").mkdir(exist_ok=True)
        write(tmp_path / "in" / f"{name}.png", flat(i / 255))
    job = Job([tmp_path / "in"], tmp_path / "out")
    assert not any(result.skipped or result.error for result in run(job))
    return job


def test_what_is_there_is_not_made_again(job: Job) -> None:
    before = (job.out / "palette-restored.jsonl").read_bytes()
    restorer = Copying()
    assert all(result.skipped for result in run(job, restorer))
    assert restorer.count == 0
    assert (job.out / "palette-restored.jsonl").read_bytes() == before


def test_of_a_folder_that_is_half_done_nothing_is_read_twice(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    for module in ("there", "manifest"):
        monkeypatch.setattr(
            f"palette.restoring.{module}.sha256", lambda path: read.append(path) or sha256(path)
        )
    note(job, {})
    assert all_there(job, job.items(), {})
    assert len(read) == 6
    (job.out / "c.png").unlink()
    read.clear()
    assert not all_there(job, job.items(), {})
    assert not read
    assert [result.skipped for result in run(job)] == [True, True, False]
    assert len(read) == len(set(read)) == 5


def test_an_edited_input_is_restored_again(job: Job, tmp_path: Path) -> None:
    """Although neither its size nor its time says so."""
    path = tmp_path / "in" / "b.png"
    times = os.stat(path)
    write(path, flat(200 / 255))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [result.skipped for result in run(job)] == [True, False, True]
    assert value_of(job.out / "b.png") == pytest.approx(200 / 255)
    assert all(result.skipped for result in run(job))


def test_the_same_name_from_another_folder_is_refused_by_name(job: Job, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "b.png", flat(0.5))
    other = Job([tmp_path / "other"], job.out)
    (result,) = run(other)
    assert str(tmp_path / "in" / "b.png") in str(result.error)
    assert "--overwrite" in str(result.error)
    assert value_of(job.out / "b.png") == pytest.approx(1 / 255)
    (result,) = run(Job([tmp_path / "other"], job.out, Output(overwrite=True)))
    assert result.error is None
    assert value_of(job.out / "b.png") == pytest.approx(0.5, abs=1 / 255)


def test_a_folder_that_has_moved_is_still_the_same(job: Job, tmp_path: Path) -> None:
    (tmp_path / "in").rename(tmp_path / "moved")
    assert all(result.skipped for result in run(Job([tmp_path / "moved"], job.out)))


@pytest.mark.parametrize("content", [b"", b"half", None])
def test_an_output_that_was_changed_is_refused_by_name(job: Job, content: bytes | None) -> None:
    path = job.out / "b.png"
    path.write_bytes(path.read_bytes()[:40] if content is None else content)
    first, second, third = run(job)
    assert first.skipped
    assert third.skipped
    assert "not as it was written" in str(second.error)
    again = run(Job(job.sources, job.out, Output(overwrite=True)))
    assert [result.skipped for result in again] == [True, False, True]
    assert value_of(path) == pytest.approx(1 / 255)


def test_a_file_that_is_not_ours_is_left(job: Job, tmp_path: Path) -> None:
    write(tmp_path / "in" / "d.png", flat(0.2))
    (job.out / "d.png").write_bytes(b"precious")
    result = run(job)[-1]
    assert "was there before" in str(result.error)
    assert (job.out / "d.png").read_bytes() == b"precious"


def test_an_output_that_is_gone_is_made_again(job: Job) -> None:
    (job.out / "b.png").unlink()
    assert [result.skipped for result in run(job)] == [True, False, True]


@pytest.mark.parametrize("name", ["dtype", "model"])
def test_other_settings_are_refused_and_named(job: Job, name: str) -> None:
    restorer = Copying()
    before = restorer.chosen[name]
    restorer.chosen = restorer.chosen | {name: "bfloat16"}
    with pytest.raises(ValueError, match=f"{name} was {before} and is bfloat16.*--overwrite"):
        run(job, restorer)
    replacing = Job(job.sources, job.out, Output(overwrite=True))
    assert not any(result.skipped or result.error for result in run(replacing, restorer))
    assert all(result.skipped for result in run(job, restorer))
    with pytest.raises(ValueError, match="other settings"):
        run(job)


def test_quality_and_seed_are_settings_too(job: Job) -> None:
    with pytest.raises(ValueError, match="seed was 0 and is 3"):
        run(Job(job.sources, job.out, seed=3))
    with pytest.raises(ValueError, match="quality was None and is 80"):
        run(Job(job.sources, job.out, Output(format="jpg", quality=80)))


def test_another_mask_is_another_picture(tmp_path: Path) -> None:
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "in" / "a.png", flat(0.5))
    hole = flat(0)
    hole[:2] = 1
    write(tmp_path / "masks" / "a.png", hole)
    job = Job([tmp_path / "in"], tmp_path / "out", masks=tmp_path / "masks")
    run(job, Copying(masked=True))
    assert run(job, Copying(masked=True))[0].skipped
    write(tmp_path / "masks" / "a.png", hole[::-1].copy())
    (result,) = run(job, Copying(masked=True))
    assert not result.skipped
    assert value_of(tmp_path / "out" / "a.png") == 0


@pytest.mark.parametrize("torn", [b'{"target": "b.png", "sou', b"\xff\n", b'5\n[]\n{"a": 1}\n'])
def test_a_manifest_that_was_cut_off_is_read(job: Job, torn: bytes) -> None:
    """What its torn end was to say is unknown, and what is unknown is not touched."""
    path = job.out / "palette-restored.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + torn)
    first, *others = run(job)
    assert first.skipped
    assert all("was there before" in str(result.error) for result in others)
    known = [json.loads(line) for line in path.read_bytes().splitlines() if line[:1] == b"{"]
    assert sum("input" in line for line in known) == 1


def test_settings_that_are_damaged_are_named(job: Job) -> None:
    (job.out / ".palette-settings.json").write_bytes(b'{"model": ')
    with pytest.raises(IntegrityError, match=r"settings\.json is damaged"):
        run(job)


def test_killed_between_the_line_and_the_picture(job: Job) -> None:
    """The line comes first: the picture is made, and not a second line."""
    before = (job.out / "palette-restored.jsonl").read_bytes()
    (job.out / "c.png").unlink()
    (job.out / ".0123456789abcdef.partial").write_bytes(b"half")
    assert [result.skipped for result in run(job)] == [True, True, False]
    assert (job.out / "palette-restored.jsonl").read_bytes() == before


def test_shards_know_what_the_whole_has_made(job: Job, tmp_path: Path) -> None:
    shards = [Job(job.sources, job.out, shard=Shard(i, 2)) for i in range(2)]
    assert all(result.skipped for shard in shards for result in run(shard))
    shutil.rmtree(job.out)
    assert [len(run(shard)) for shard in shards] == [2, 1]
    assert all(result.skipped for result in run(job))


def test_one_folder_has_one_owner(job: Job) -> None:
    """A second command would wait for nothing and write the same names; another shard may."""
    first = restore_folder(Copying(), job)
    next(first)
    with pytest.raises(InUse, match=f"in use by process {os.getpid()}"):
        run(job)
    assert len(run(Job(job.sources, job.out, shard=Shard(0, 2)))) == 2
    del first
    assert len(run(job)) == 3


def test_an_interrupted_replacement_goes_on(job: Job) -> None:
    """Some outputs are of the new settings, some of the old; all of them are ours."""
    restorer = Copying()
    restorer.chosen = {"model": "newer"}
    replacing = restore_folder(restorer, Job(job.sources, job.out, Output(overwrite=True)))
    assert not next(replacing).skipped
    del replacing
    assert [result.skipped for result in run(job, restorer)] == [True, False, False]
