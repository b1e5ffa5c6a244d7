"""A repository for the Hugging Face hub: a model folder whose card the hub can read."""

from __future__ import annotations

from pathlib import Path

from palette.api import read_model
from palette.checkpoint import read_card
from palette.errors import UserError
from palette.exporting.card import Published, card_of
from palette.exporting.choices import Choices, Say
from palette.exporting.figures import read_figures
from palette.exporting.openmodeldb import refuse_other_names
from palette.exporting.to_palette import save, text_of
from palette.extras import require


def write(model: str | Path, out: Path, chosen: Choices, say: Say) -> None:
    """Weights, model.json and README.md with front matter; UserError without licence and name."""
    if chosen.repo is None or chosen.license is None:
        raise UserError(
            "a model of the hub has a name and a licence, which its card says: give --repo "
            "OWNER/NAME and --license, e.g. apache-2.0"
        )
    refuse_other_names(chosen.repo)
    require("huggingface_hub", extra="hub")
    loaded, members = read_model(model)
    text = read_card(Path(model)) if chosen.card is None else text_of(chosen.card)
    figures = [] if chosen.report is None else read_figures(chosen.report, loaded)
    published = Published(chosen.repo, chosen.license, text, figures)
    save(model, out, chosen, card_of(loaded, members, published))
    say(f"upload it: hf upload {chosen.repo} {out}")
