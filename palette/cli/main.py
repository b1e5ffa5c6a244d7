"""The command line: picks a command, parses its flags, turns errors into one line and a code.

Exit codes: 0 ok, 1 training diverged, 2 usage, 3 some inputs failed, 4 integrity, 5 the machine
(disk, memory), 75 preempted and resumable, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from palette.cli.arguments import parse
from palette.cli.examples import EXAMPLES
from palette.cli.streams import drop_what_nobody_reads, say_nothing
from palette.errors import (
    INTERRUPTED,
    MACHINE,
    OK,
    USAGE,
    UserError,
    nearest,
)
from palette.launch import launched
from palette.machine.errors import as_ours

COMMANDS = {
    "demo": "show what the model of the package makes of photographs, at each of its tasks",
    "train": "train TASK on a folder of pictures",
    "resume": "continue a stopped run, or a finished one to more steps",
    "watch": "show how a training goes, in the terminal or as a page",
    "restore": "restore a picture or a folder of pictures",
    "web": "restore pictures on a page in the browser",
    "search": "find the noise levels, eta and detail that suit a model",
    "evaluate": "measure a model on clean pictures and write a report",
    "compare": "measure the pictures of any tool against their originals",
    "benchmark": "run the literature's protocols and write their tables",
    "merge": "join what shards restored, degraded, packed or evaluated",
    "import": "make a model of weights that another tool published",
    "export": "write a model for other people or programs: a folder, ONNX, diffusers, the hub",
    "degrade": "damage pictures as the training does, with records",
    "pack": "pack a folder of pictures into one HDF5 file",
    "verify": "check a packed file",
    "tasks": "list the tasks and their options",
    "degradations": "list the degradations",
    "info": "say what a run, a model or a data set is",
    "doctor": "check this installation",
}
AGAIN = {
    "train": "continue with `palette resume`",
    **dict.fromkeys(("demo", "merge"), "begin again with another output"),
}
"""How to go on once the machine can; the other commands continue when given again."""
BY_MANY = ("train", "resume")
"""What many processes do together under torchrun."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the result is the exit code."""
    if argv is None:
        drop_what_nobody_reads()
        warnings.showwarning = _show_warning
        if launched().rank:
            say_nothing()
    args = list(sys.argv[1:] if argv is None else argv)
    name = args[0] if args else ""
    try:
        code = _run(name, args[1:])
        sys.stdout.flush()  # a full disk shows now, not at exit
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:
        if argv is None and launched().ranks > 1:
            # torchrun ends all ranks where one has; this one ends by itself, with a code of its own
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        known = as_ours(error)
        if known is None or "PALETTE_TRACEBACK" in os.environ:
            if launched().rank:
                sys.stderr = sys.__stderr__
            raise
        text = " ".join(str(known).split()) or type(known).__name__
        if known.exit_code == MACHINE:
            again = AGAIN.get(name, "give the same command again")
            text += f". Files that are complete are kept; then {again}"
        return _fail(text, known.exit_code)


def _run(name: str, rest: Sequence[str]) -> int:
    if name in ("", "-h", "--help"):
        print(_overview())
        return OK if name else USAGE
    if name == "--version":
        print(_versions())
        return OK
    if name == "--tyro-print-completion":
        from palette.cli.completion import script

        print(script(" ".join(rest), COMMANDS))
        return OK
    if name not in COMMANDS:
        raise UserError(f"there is no command {name!r}: {nearest(name, COMMANDS)}")
    if launched().ranks > 1 and name not in BY_MANY:
        raise UserError(
            f"{name} is the work of one process, and torchrun started {launched().ranks}: "
            f"give `palette {name}` without torchrun"
        )
    module = importlib.import_module(f"palette.cli.{name}")
    read = getattr(module, "read_arguments", None)  # where flags depend on other flags
    try:
        return module.run(read(rest) if read else parse(getattr(module, name.capitalize()), rest))
    except SystemExit:
        if {"-h", "--help"} & set(rest):
            print("\nexamples:", *EXAMPLES[name], sep="\n  ")
        raise


def _versions() -> str:
    import torch

    import palette
    from palette.machine.device import choose_device

    return f"palette {palette.__version__}, torch {torch.__version__} on {choose_device('auto')}"


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"palette: {message}", file=sys.stderr)


def _fail(message: str, code: int) -> int:
    launch = launched()
    if launch.ranks > 1:
        from palette.training.ranks import first_to_speak

        if not first_to_speak():
            return code
    print(f"palette: {message}", file=sys.__stderr__ if launch.rank else sys.stderr)
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
            "`palette COMMAND --help` lists its flags; `palette demo` is the place to start.",
        ]
    )
