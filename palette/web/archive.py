"""All results of an order as one zip, with a record that says how they were made."""

from __future__ import annotations

import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.files import as_json
from palette.web.order import Order
from palette.web.store import Held, Store, each_once

RECORD = "how-they-were-made.json"


def archive(
    order: Order, results: list[dict[str, Any]], store: Store, about: dict[str, Any]
) -> Held:
    """Keep a zip of the files of ``results``, as :mod:`palette.web.work` gives them.

    The record has ``about``, the model, the order and for each picture its files or its error.
    UserError where there is no file.
    """
    files = [(result, sample) for result in results for sample in result.get("samples", [])]
    if not files:
        raise UserError("there is no result to download: nothing was restored")
    held = [store.get(sample["file"]) for _, sample in files]
    names = each_once([one.name for one in held])
    named = {sample["file"]: name for (_, sample), name in zip(files, names, strict=True)}
    record = about | _record(order, results, named, store)
    masks = [(f"masks/{number}.png", item.mask) for number, item in enumerate(order.items, 1)]

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as packed:  # stored: pictures are compressed already
            for one, name in zip(held, names, strict=True):
                packed.write(one.path, name)
            for name, key in masks:
                if key is not None:
                    packed.write(store.get(key).path, name)
            packed.writestr(RECORD, as_json(record))

    return store.make("palette.zip", "application/zip", write)


def _record(
    order: Order, results: list[dict[str, Any]], named: dict[str, str], store: Store
) -> dict[str, Any]:
    """Names instead of keys, which mean nothing outside of the page."""
    settings = asdict(order)
    del settings["items"]
    pictures = []
    for number, (item, result) in enumerate(zip(order.items, results, strict=False), 1):
        one: dict[str, Any] = {"picture": result["name"], "frame": item.frame}
        if item.mask is not None:
            one["mask"] = f"masks/{number}.png"
        if "error" in result:
            one["error"] = result["error"]
        else:
            made = [{"seed": s["seed"], "file": named[s["file"]]} for s in result["samples"]]
            one |= {"files": made, "spread": (result["spread"] or {}).get("average")}
        pictures.append(one)
    return {"order": settings, "pictures": pictures}
