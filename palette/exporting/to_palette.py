"""A model as a folder of its own: averaged weights, no path of this machine, a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from palette.api import read_model
from palette.checkpoint import load_model, save_model
from palette.config import DataConfig
from palette.errors import UserError, nearest
from palette.exporting.choices import Choices, Say
from palette.types import Member


def write(model: str | Path, out: Path, chosen: Choices, say: Say) -> None:
    card = None if chosen.card is None else text_of(chosen.card)
    save(model, out, chosen, card)


def save(model: str | Path, out: Path, chosen: Choices, card: str | None) -> None:
    """A model folder with this card, or a generated one."""
    if chosen.mean is None:
        loaded = load_model(Path(model))
    else:
        loaded, members = read_model(model)
        loaded = replace(loaded, info={**loaded.info, "answers": _answers(members, chosen.mean)})
    own = DataConfig()
    data = replace(
        loaded.config.data,
        path=own.path,
        val=own.val,
        input=own.input,
        val_input=own.val_input,
    )
    loaded = replace(loaded, config=replace(loaded.config, data=data))
    save_model(out, loaded, None if chosen.precision == "fp32" else torch.bfloat16, card)


def _answers(members: Sequence[Member], mean: tuple[str, ...]) -> dict[str, str]:
    """By the names of tasks; UserError for those that the model does not serve."""
    known = [member.name for member in members]
    for name in mean:
        if name not in known:
            raise UserError(f"mean is {name!r}: {nearest(name, known)}")
    return dict.fromkeys(mean, "mean")


def text_of(card: Path) -> str:
    """UserError where it cannot be read."""
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the card {card} cannot be read: {error}") from None
