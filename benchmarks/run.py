"""Run every benchmark and write docs/benchmarks.md.

    python benchmarks/run.py            # all of them, one after the other, nothing else running

Each script beside this one prints ratios against a named peer that ran in the same process.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ["torch", "torchvision", "numpy", "scipy", "opencv-python-headless", "pytorch-fid"]


def machine() -> str:
    """Processor, cores and versions, in one line each."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> int:
    sections, failed = [], []
    for script in sorted(HERE.glob("*.py")):
        if script == Path(__file__):
            continue
        print(f"== {script.name}", flush=True)
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr, sep="", flush=True)
        if done.returncode:
            failed.append(script.name)
            continue
        command = f"python benchmarks/{script.name}"
        sections.append(f"## {script.stem}\n\n`{command}`\n\n```\n{done.stdout.strip()}\n```\n")
    page = f"# Benchmarks\n\n{machine()}.\nWritten by `make bench`.\n\n" + "\n".join(sections)
    if failed:
        print(f"failed: {', '.join(failed)}; docs/benchmarks.md is as it was", file=sys.stderr)
        return 1
    (HERE.parent / "docs" / "benchmarks.md").write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
