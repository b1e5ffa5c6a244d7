"""Files by names that nobody can guess, bounded, and what names become."""

from __future__ import annotations

from pathlib import Path

import pytest

from palette.errors import UserError
from palette.web.store import Store, each_once, tidy


def test_files_are_kept_by_their_keys(tmp_path: Path) -> None:
    store = Store(tmp_path, 1000)
    held = store.add("../../a.PNG", "image/png", b"pixels")
    assert store.get(held.key).path.read_bytes() == b"pixels"
    assert held.path.parent == tmp_path
    assert held.path.suffix == ".png"
    assert len(held.key) > 20
    store.remove(held.key)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["", ".", "..", "../x", "/etc/passwd", "a.png"])
def test_other_keys_lead_nowhere(key: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not in the list")
    with pytest.raises(UserError):
        Store(tmp_path, 1000).get(key)


def test_those_longest_unused_go(tmp_path: Path) -> None:
    store = Store(tmp_path, 25)
    first, second = (store.add("a", "", bytes(10)) for _ in range(2))
    store.get(first.key)
    third = store.add("a", "", bytes(10))
    assert store.get(first.key).path.exists()
    assert store.get(third.key).path.exists()
    assert not second.path.exists()
    with pytest.raises(UserError, match="not here any more"):
        store.get(second.key)


def test_a_file_that_is_in_use_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows deletes no file that is being sent."""

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "in use", str(path))

    store = Store(tmp_path, 15)
    first = store.add("a", "", bytes(10))
    monkeypatch.setattr(Path, "unlink", refuse)
    second = store.add("a", "", bytes(10))
    assert store.get(second.key).path.exists()
    with pytest.raises(UserError, match="not here any more"):
        store.get(first.key)


def test_what_is_not_written_whole_is_absent(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        Store(tmp_path, 1000).make("a.zip", "application/zip", fail)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "expected"), [
    ("photo.jpg", "photo.jpg"), ("../../etc/passwd", "passwd"), ("C:\\photos\\a b.png", "a b.png"),
    ("a\r\nb\0.png", "ab.png"), ("", "picture"), (".htaccess", "htaccess"), ("…/..", "picture"),
    ("x" * 300 + ".jpeg", "x" * 94 + ".jpeg"), ("ünï.png", "ünï.png"),
])  # fmt: skip
def test_names_are_tidy(name: str, expected: str) -> None:
    assert tidy(name) == expected


def test_each_name_is_there_once() -> None:
    names = ["a.png", "A.png", "a.png", "b.png", "a-2.png"]
    assert each_once(names) == ["a.png", "A-2.png", "a-3.png", "b.png", "a-2-2.png"]
