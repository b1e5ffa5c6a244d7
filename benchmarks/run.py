"""Run every benchmark and write docs/benchmarks.md.

    python benchmarks/run.py [--model RUN --data FOLDER] [--peers PEERS --sets SETS] [NAME ...]

They run one after the other; let nothing else run. Each script prints ratios against a named peer
that ran in the same process. Those that judge quality take ``--model``, a super-resolution run, and
``--data``, clean pictures that it has not seen; without them they train a small network for some
minutes. Published networks run where ``--peers``, their weights, and ``--sets``, test sets of the
literature, are named. With NAMEs only those scripts run, and only their sections of the page are
replaced.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from palette.machine.format import processor

HERE = Path(__file__).parent
NO_SCRIPTS = ("run", "peer_networks")
PAGE = HERE.parent / "docs" / "benchmarks.md"
TITLE = """# Benchmarks

Written by `make bench`; each section names its command, machine and versions. Ratios above 1 are
in our favour. How samplers compare is discussed in [sampling.md](sampling.md).
"""
PACKAGES = ["torch", "diffusers", "numpy", "scipy", "opencv-python-headless", "pytorch-fid"]


def machine() -> str:
    """Processor, cores and versions, in one line each."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scripts, e.g. network samplers; all otherwise")
    parser.add_argument("--model", help="a super-resolution run for samplers and tiles")
    parser.add_argument("--data", help="clean pictures for samplers")
    parser.add_argument("--peers", help="weights of published networks")
    parser.add_argument("--sets", help="a folder of the literature's test sets, for the peers")
    args = parser.parse_args()
    scripts = [path for path in sorted(HERE.glob("*.py")) if path.stem not in NO_SCRIPTS]
    known = [path.stem for path in scripts]
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose of {', '.join(known)}")
    sections, failed = _written(), []
    for script in scripts:
        if args.names and script.stem not in args.names:
            continue
        if script.stem == "peers" and None in (args.peers, args.sets):
            print("== peers.py is left out: it needs --peers and --sets", flush=True)
            continue
        flags = _flags(script.stem, args)
        print(f"== {script.name}", flush=True)
        command = [sys.executable, str(script), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr, sep="", flush=True)
        if done.returncode:
            failed.append(script.name)
            continue
        shown = " ".join(["python", f"benchmarks/{script.name}", *_without_paths(flags)])
        sections[script.stem] = f"`{shown}`\n\n{machine()}.\n\n```\n{done.stdout.strip()}\n```\n"
    text = "\n".join(f"## {name}\n\n{sections[name]}" for name in sorted(sections))
    PAGE.write_text(f"{TITLE}\n{text}", encoding="utf-8")
    if failed:
        print(f"failed: {', '.join(failed)}; their sections are as they were", file=sys.stderr)
    return 1 if failed else 0


TAKES = {
    "samplers": {"--model": "model", "--data": "data"},
    "tiles": {"--model": "model"},
    "peers": {"--weights": "peers", "--data": "sets", "--model": "model"},
}
"""The flags of each script, by what fills them."""


def _flags(name: str, args: argparse.Namespace) -> list[str]:
    given = {flag: getattr(args, source) for flag, source in TAKES.get(name, {}).items()}
    flags = [part for flag, value in given.items() if value for part in (flag, str(value))]
    few = name == "samplers" and args.model
    return [*flags, "--pictures", "32", "--samples", "4"] if few else flags


def _without_paths(flags: list[str]) -> list[str]:
    """The flags for the page: a path of this machine becomes what it is, RUN or FOLDER."""
    named = {"--model": "RUN", "--data": "FOLDER", "--weights": "FOLDER"}
    return [named.get(before, flag) for before, flag in zip(["", *flags], flags, strict=False)]


def _written() -> dict[str, str]:
    """The sections of the page as it is."""
    if not PAGE.exists():
        return {}
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return {name: text.lstrip("\n") for name, text in (part.split("\n", 1) for part in parts)}


if __name__ == "__main__":
    sys.exit(main())
