"""Every command line of every page parses: a flag that was renamed, or a choice that is none, is
found, with the page and its line."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from palette.api import read_model
from palette.cli.arguments import parse
from palette.cli.main import COMMANDS
from palette.cli.restore import Restore
from palette.degradations.catalogue import names
from palette.errors import UserError
from palette.eval.metrics.registry import GROUPS, METRICS
from palette.eval.protocols import PROTOCOLS
from palette.models import DEFAULT
from palette.tasks import trainable
from palette.tasks.choosing import find_member

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "palette/models/photos/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PLACEHOLDERS = {"TASK": "inpainting", "N": "1", "FLAGS": ""}
"""What stands for something that is no name of a file; NAME depends on its flag."""
NAMES = {"--config": "palette-inpainting", "--protocol": "set5-x4"}
ELSEWHERE = {"--gpus-per-node"}
"""Flags of other programs, here SLURM's."""
ASKED_ALONE = {"--version", "--tyro-print-completion", "COMMAND"}
"""What stands in the place of a command; the last one for any of them."""
PLUGIN = {"scanline-removal", "dust-removal", "scanlines", "dust"}
"""Tasks and degradations of the packages that pages install."""
BLOCK = re.compile(
    r"^(?P<fence>`{3,})[^\n]*\n(?P<fenced>.*?)^(?P=fence)$|^(?P<indented>(?:    [^\n]*\n)+)",
    re.DOTALL | re.MULTILINE,
)
"""Fenced or indented; what Sphinx's directives hold has no commands in it."""


class Line(NamedTuple):
    """A command as a page has it, after the word palette."""

    where: str
    words: tuple[str, ...]
    whole: bool
    """Of a code block, not of a sentence, which may leave out what it is not about."""


def commands(path: Path) -> Iterator[Line]:
    """Those of the code blocks, fenced or indented, and of the code within sentences."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in BLOCK.finditer(text):
        inside = block["fenced"] or block["indented"] or ""
        values = re.findall(r'\b([A-Z]+)="?([^"\n]*)"?$', inside, re.MULTILINE)
        for line in inside.splitlines():
            asked = [
                line.replace(f"${name}", value) for name, value in values if f"${name}" in line
            ]
            for words in itertools.chain.from_iterable(map(in_shell, asked or [line])):
                yield Line(f"{path.relative_to(ROOT)}: {line}", words, whole=True)
    for span in re.findall(r"`(palette\s[^`]+)`", BLOCK.sub("", text)):
        for words in in_shell(span.replace("…", "")):
            yield Line(f"{path.relative_to(ROOT)}: {span}", words, whole=False)


def in_shell(line: str) -> Iterator[tuple[str, ...]]:
    """The palette commands of a line: its own, of a container, or within quotes."""
    if found := re.match(r"\s*args: \[(.*)\]$", line):  # of Kubernetes
        line = "palette " + found[1].replace(",", " ")
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # text, with an apostrophe
        return
    for word in words:
        if word.startswith("palette "):
            yield from in_shell(word)
    starts = [i for i, word in enumerate(words) if re.fullmatch(r"palette(:cuda)?", word)]
    for start in starts:
        rest = list(
            itertools.takewhile(lambda word: word not in (">", "|", "&&"), words[start + 1 :])
        )
        if rest and (start == 0 or rest[0] in COMMANDS):
            yield from variants(rest)


def variants(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """One for each of ``a|b``, with values for what stands for one; brackets are left out."""
    clean = [word.strip("[]") for word in words if word != "[MODEL]"]
    for i, word in enumerate(clean):
        if word == "NAME":
            clean[i] = NAMES.get(clean[i - 1], "NAME")
    clean = [PLACEHOLDERS.get(word, word) for word in clean]
    yield from itertools.product(*(word.split("|") for word in clean if word))


LINES = {(line.words, line.whole): line for path in PAGES for line in commands(path)}
"""Each once."""


def read(words: Sequence[str]) -> Any:
    """What the command line makes of them before it does it."""
    name, *args = words
    module = importlib.import_module(f"palette.cli.{name}")
    if hasattr(module, "read_arguments"):
        return module.read_arguments(args)
    return parse(getattr(module, name.capitalize()), args)


def check(line: Line) -> None:
    """AssertionError with the place and what the parser said."""
    name, *args = line.words
    if PLUGIN & {word.partition(":")[0] for word in args} or (not args and not line.whole):
        return
    if name == "train" and "--help" in args:
        return
    try:
        read(line.words)
    except UserError as error:
        if line.whole or not str(error).startswith(("Missing", "task is '--")):
            raise AssertionError(f"{line.where}: {error}") from None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with the files of settings that pages name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for words, _ in LINES:
        for word in words:
            if word.endswith(".toml") and not Path(word).exists():
                Path(word).write_text("", encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("folder")
def test_the_commands_of_all_pages_parse(command: str) -> None:
    lines = [line for line in LINES.values() if line.words[0] == command]
    for line in lines:
        check(line)


def test_the_names_that_they_give_exist() -> None:
    """Of protocols, metrics and degradations, which no parser knows."""
    known = {
        "--protocol": PROTOCOLS,
        "--protocols": PROTOCOLS,
        "--metrics": METRICS | GROUPS,
        "degrade": names(),
    }
    for line in LINES.values():
        for flag, value in itertools.pairwise(line.words):
            for name in re.findall(r"(?:^|,)([\w-]+)", value) if flag in known else ():
                assert name in known[flag] or name in PLUGIN, f"{line.where}: there is no {name}"


def test_what_they_ask_of_the_model_in_the_box_it_does() -> None:
    """Where they name it, and where `palette restore` names no model."""
    _, members = read_model(DEFAULT)
    lines = [w for w, whole in LINES if whole and w[0] in ("restore", "evaluate", "export")]
    asked = [read(words) for words in lines]
    own = [a for a in asked if str(a.model) == DEFAULT or (isinstance(a, Restore) and not a.more)]
    assert len(own) >= 8
    for args in own:
        if args.task is not None or isinstance(args, Restore):
            find_member(members, args.task, getattr(args, "scale", None))


def test_they_are_found_wherever_they_stand() -> None:
    found = {words for words, _ in LINES}
    assert {words[0] for words in found} == COMMANDS.keys() | ASKED_ALONE
    trained = {words[1] for words in found if words[0] == "train" and len(words) > 1}
    assert trained >= trainable().keys()
    for line in (
        "train colorization --config palette-colorization --data photos --out $RUN",  # of a script
        "merge out/",  # in quotes of sbatch
        "restore in/ out/ --task denoising",  # in a container
        "restore runs/x4 in/ out/ --shard $(JOB_COMPLETION_INDEX)/8",
        "export MODEL OUT --to torch",  # one of --to a|b
        "resume RUN --steps 1",  # in a sentence
    ):
        assert tuple(shlex.split(line)) in found, line


@pytest.mark.parametrize(
    "text",
    ["restore A B --stepz 3", "restore A B --answer median", "evaluate", "train --data PHOTOS"],
)
def test_what_does_not_parse_is_found(text: str) -> None:
    with pytest.raises(AssertionError, match="here: "):
        check(Line("here", tuple(text.split()), whole=True))


def test_a_sentence_may_leave_something_out() -> None:
    check(Line("here", ("restore", "--mask", "hole.png"), whole=False))
    with pytest.raises(AssertionError, match="median"):
        check(Line("here", ("restore", "--answer", "median"), whole=False))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_in_sentences_exist(path: Path, completion: Path) -> None:
    known = set(re.findall(r"--[a-z][\w.-]*", completion.read_text(encoding="utf-8")))
    spans = re.findall(r"`((?:--|palette )[^`]+)`", path.read_text(encoding="utf-8"))
    named = {flag for span in spans for flag in re.findall(r"--[a-z][\w.-]*", span)}
    assert named <= known | ELSEWHERE | ASKED_ALONE


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_exist_with_their_flags(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name, rest in re.findall(r"python ((?:benchmarks|docs|tests)/[\w/]+\.py)([^`\n]*)", text):
        source = (ROOT / name).read_text(encoding="utf-8")
        for flag in re.findall(r"--([a-z][\w-]*)", rest):  # of argparse, or a field for tyro
            field = flag.replace("-", "_")
            assert re.search(rf'"--{flag}"|^    {field}: ', source, re.MULTILINE), (name, flag)
