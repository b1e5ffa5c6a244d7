"""The command line: picks a command, parses its flags, turns errors into one line and a code.

Exit codes: 0 ok, 1 training diverged, 2 usage, 3 some inputs failed, 4 integrity, 75 preempted
and resumable.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from palette.cli.arguments import parse
from palette.errors import DIVERGED, INTEGRITY, OK, PREEMPTED, USAGE

COMMANDS = {
    "demo": "train a small model on bundled photographs for two minutes and show what it does",
    "train": "train TASK on a folder of pictures",
    "resume": "continue a stopped run, or a finished one to more steps",
    "restore": "restore a picture or a folder of pictures",
    "search": "find the noise levels that suit a model, for few evaluations",
    "evaluate": "measure a model on clean pictures and write a report",
    "compare": "measure the pictures of any tool against their originals",
    "merge": "join the parts of an evaluation that ran in shards",
    "degrade": "damage pictures as the training does, with records",
    "pack": "pack a folder of pictures into one HDF5 file",
    "verify": "check a packed file",
    "tasks": "list the tasks and their options",
    "degradations": "list the degradations",
    "info": "say what a run or a model is",
    "doctor": "check this installation",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the result is the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(_overview())
        return OK if args else USAGE
    if args[0] == "--version":
        import palette

        print(palette.__version__)
        return OK
    name, rest = args[0], args[1:]
    if name not in COMMANDS:
        from palette.errors import nearest

        return _fail(f"there is no command {name!r}: {nearest(name, COMMANDS)}")
    try:
        module = importlib.import_module(f"palette.cli.{name}")
        read = getattr(module, "read_arguments", None)  # where flags depend on other flags
        return module.run(read(rest) if read else parse(getattr(module, name.capitalize()), rest))
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        code = _code_of(error)
        if code is None or "PALETTE_TRACEBACK" in os.environ:
            raise
        return _fail(" ".join(str(error).split()) or type(error).__name__, code)


def _code_of(error: Exception) -> int | None:
    """The exit code of an expected error; None is a bug of ours and deserves its traceback."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if "Preempted" in names:
        return PREEMPTED
    if "IntegrityError" in names:
        return INTEGRITY
    if "Diverged" in names:
        return DIVERGED
    return USAGE if names & {"ValueError", "OSError", "InUse"} else None


def _fail(message: str, code: int = USAGE) -> int:
    print(f"palette: {message}", file=sys.stderr)
    return code


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: palette COMMAND ...",
            "",
            "Image-to-image diffusion: one network restores, enlarges, colours and fills pictures.",
            "",
            *lines,
            "",
            "`palette COMMAND --help` tells its flags; `palette demo` is the place to start.",
        ]
    )
