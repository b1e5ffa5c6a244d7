"""`palette doctor`: is this installation in order, and what will it run on?"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from palette.errors import MACHINE, OK

PACKAGES = (
    "torch",
    "torchvision",
    "kornia",
    "albumentations",
    "opencv-python-headless",
    "scikit-image",
    "pytorch-fid",
    "h5py",
    "numpy",
    "scipy",
    "pillow",
    "pydantic",
    "tyro",
    "safetensors",
)


@dataclass(frozen=True)
class Doctor:
    """Check this installation."""

    json: bool = False
    """Print JSON."""


def run(args: Doctor) -> int:
    found, problems = examine()
    if args.json:
        print(json.dumps({**found, "problems": problems}, indent=2))
    else:
        for key, value in found.items():
            print(f"{key:<24}{value}" if len(key) < 24 else f"{key}\n  {value}")
        print("\n".join(f"problem: {problem}" for problem in problems) or "no problems found")
    return MACHINE if problems else OK


def examine() -> tuple[dict[str, Any], list[str]]:
    """What is installed, and what is wrong with it, each problem with its cure."""
    import palette

    found: dict[str, Any] = {"palette": palette.__version__, "python": platform.python_version()}
    problems = []
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            problems.append(f"{package} is not installed: pip install {package}")
    try:
        import torch
        import torchvision.ops

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except Exception as error:
        problems.append(
            f"torch and torchvision do not fit together ({' '.join(str(error).split())}): "
            f"pip install --upgrade torch torchvision"
        )
        return found, problems
    from palette.machine.device import choose_device
    from palette.machine.format import choose_precision, remembered

    device = choose_device("auto")
    found["device"] = str(device)
    found["precision"] = choose_precision("auto", device, "train")
    found["threads"] = torch.get_num_threads()
    for machine, times in remembered().items():
        measured = ", ".join(f"{name} {milliseconds:g} ms" for name, milliseconds in times.items())
        found[f"measured: {machine}"] = measured
    return found, problems
