"""An order to its pictures, by the functions that `palette restore` calls: the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette.data.encoding import holds_alpha
from palette.data.images import Photo, read
from palette.data.stored import to_stored
from palette.errors import UserError
from palette.restoring.holes import observe, to_mask
from palette.restoring.pictures import as_file, fit
from palette.restoring.restorer import Restorer
from palette.types import Mask, Observation, Picture
from palette.web.effort import evaluations, most_steps
from palette.web.limits import Limits
from palette.web.order import Item, Order, placed, require
from palette.web.spread import Spread, as_map, average
from palette.web.store import Held, Store
from palette.web.tickets import Cancelled, Ticket, explained

TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "tif": "image/tiff"}


class Workshop:
    """Restores what a ticket asks for, with one model at any of its tasks."""

    def __init__(self, restorers: Mapping[str, Restorer], store: Store, limits: Limits) -> None:
        self.restorers, self.store, self.limits = dict(restorers), store, limits

    def check(self, order: Order) -> None:
        """UserError for what can be refused before it waits in the queue."""
        if order.task not in self.restorers:
            choices = ", ".join(self.restorers)
            raise UserError(f"task is {order.task!r}: choose one of {choices}")
        require("steps", order.steps, 1, most_steps(self.restorers.values()))
        for item in order.items:
            self.store.get(item.picture)
            if item.mask is not None:
                self.store.get(item.mask)

    def work(self, ticket: Ticket) -> None:
        """Fill the results of the ticket; a picture that fails has its error, the rest goes on."""
        with _each_evaluation(self.restorers[ticket.order.task], ticket):
            for item in ticket.order.items:
                ticket.results.append({"picture": item.picture, **self._result(ticket, item)})

    def _restorer(self, order: Order) -> Restorer:
        restorer = self.restorers[order.task]
        sampling = replace(restorer.sampling, answer=order.answer, steps=order.steps)
        return restorer.using(sampling)

    def _result(self, ticket: Ticket, item: Item) -> dict[str, Any]:
        held = None
        try:
            held = self.store.get(item.picture)
            return {"name": held.name, **self._restored(ticket, item, held)}
        except Cancelled:
            raise
        except Exception as error:  # whatever it is, the other pictures are not to blame
            if held is None:
                return {"name": "a picture", "error": explained(error)}
            text = explained(error).replace(str(held.path), held.name)
            return {"name": held.name, "error": text}

    def _restored(self, ticket: Ticket, item: Item, held: Held) -> dict[str, Any]:
        order, restorer = ticket.order, self._restorer(ticket.order)
        photo, observation = self._observed(restorer, item, held)
        target = Path(f"{Path(held.name).stem}.{order.format}")
        if photo.alpha is not None and not holds_alpha(target):
            raise UserError(f"{held.name} has transparency, which JPEG cannot hold: choose another")
        ticket.begin(order.samples * evaluations(restorer, observation))
        spread, made = Spread(), []
        for number in range(order.samples):
            seed = order.seed + number
            (picture,) = restorer.restore_observations([observation], seeds=[seed])
            ticket.check()
            spread.add(picture)
            name = target.with_stem(f"{target.stem}-{seed}") if order.samples > 1 else target
            file = self.store.add(str(name), TYPES[order.format], as_file(name, picture, photo))
            plain = order.format == "png" and photo.bit_depth == 8 and not photo.metadata.icc
            seen = file.key if plain else self._view(picture, photo)
            made.append({"seed": seed, "file": file.key, "view": seen})
        height, width = (side * (restorer.task.scale or 1) for side in _size(photo))
        return {
            "width": width,
            "height": height,
            "before": None if item.frame is None else self._view(photo.picture, photo),
            "samples": made,
            "spread": None if order.samples == 1 else self._spread(spread, observation.mask),
        }

    def _observed(self, restorer: Restorer, item: Item, held: Held) -> tuple[Photo, Observation]:
        """The part in the frame, with its hole."""
        task, photo = restorer.task, read(held.path)
        added = (0, 0, 0, 0)
        mask = item.mask
        missing = None if mask is None else to_mask(self.store.get(mask).path, _size(photo))
        if item.frame is not None:
            part, added = placed(item.frame, _size(photo))
            photo, (left, top, right, bottom) = photo.cut(*part), part
            missing = None if missing is None else missing[top:bottom, left:right]
        if missing is not None and not missing.any():
            raise UserError(f"nothing of {held.name} is marked: paint over what is missing")
        (height, width), scale = _size(photo), task.scale or 1
        height, width = height + added[1] + added[3], width + added[0] + added[2]
        self.limits.require_pixels(height * scale, width * scale, "the result")
        return observe(photo, task, missing, added if any(added) else None)

    def _view(self, picture: Picture, photo: Photo) -> str:
        alpha = None if photo.alpha is None else fit(photo.alpha[..., None], picture)
        return self.store.add("view.png", TYPES["png"], view(picture, alpha)).key

    def _spread(self, spread: Spread, region: Mask | None) -> dict[str, Any]:
        deviation = spread.deviation()
        drawn = self.store.add("spread.png", TYPES["png"], _png(as_map(deviation)))
        return {"view": drawn.key, "average": average(deviation, region)}


def _size(photo: Photo) -> tuple[int, int]:
    height, width = photo.picture.shape[:2]
    return height, width


def view(picture: Picture, alpha: NDArray[np.float32] | None = None) -> bytes:
    """A PNG for the page: sRGB, 8 bits, of (H, W, 3) and perhaps alpha (H, W, 1)."""
    layers = picture if alpha is None else np.dstack([picture, alpha])
    return _png(to_stored(layers, 8))


def thumbnail(picture: Picture) -> Picture:
    """At most 160 pixels a side."""
    height, width = picture.shape[:2]
    share = min(1.0, 160 / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _png(stored: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(stored).save(out, "PNG", compress_level=1)  # it travels a few centimetres
    return out.getvalue()


@contextmanager
def _each_evaluation(restorer: Restorer, ticket: Ticket) -> Iterator[None]:
    """Count the passes of the network for the ticket, and end where it was cancelled."""
    hook = restorer.solver.denoiser.register_forward_pre_hook(lambda *_: ticket.count())
    try:
        yield
    finally:
        hook.remove()
