"""A folder without pictures: no command does nothing and calls that success."""

from __future__ import annotations

from pathlib import Path

import pytest

from palette.cli.main import main
from palette.errors import USAGE

COMMANDS = {
    "degrade": "degrade bsr EMPTY OUT",
    "restore": "restore photos EMPTY OUT --task jpeg-restoration",
    "evaluate": "evaluate photos --task jpeg-restoration --data EMPTY --out OUT",
    "compare": "compare EMPTY EMPTY --out OUT",
    "pack": "pack EMPTY OUT.h5",
    "train": "train jpeg-restoration --data EMPTY --out OUT",
    "info": "info EMPTY",
    "search": "search photos --task jpeg-restoration --data EMPTY",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_one_line_and_nothing_is_written(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("none of these is a picture")
    places = {"EMPTY": str(empty), "OUT": str(tmp_path / "out"), "OUT.h5": str(tmp_path / "o.h5")}
    assert main([places.get(word, word) for word in COMMANDS[command].split()]) == USAGE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{empty} holds no pictures" in said
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_verify_takes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == USAGE
    assert f"{tmp_path} is a folder: name a file" in capsys.readouterr().err
