"""What may be ordered on the page, and what a frame means for a picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from palette.errors import UserError
from palette.web.limits import Limits
from palette.web.order import Item, Order, placed, read_order


def order(**changed: Any) -> bytes:
    plain = {"task": "denoising", "items": [{"picture": "a"}, {"picture": "b", "mask": "m"}]}
    return json.dumps({**plain, **changed}).encode()


def test_an_order_is_read() -> None:
    items = [{"picture": "a", "frame": [-8, 0, 40, 30]}]
    read = read_order(order(items=items, answer="mean", steps=3, seed=7, format="tif"))
    item = Item("a", frame=(-8, 0, 40, 30))
    assert read == Order("denoising", (item,), "mean", 3, 1, 7, "tif")


@pytest.mark.parametrize("changed", [
    {"steps": 1.5}, {"samples": 9}, {"samples": 2, "answer": "mean"}, {"seed": -1},
    {"seed": 2**53}, {"seed": 1.5}, {"items": []}, {"items": [{"picture": "a"}] * 51},
    {"items": "a"}, {"items": [{"mask": "a"}]}, {"items": [{"picture": "a", "frame": [1, 2, 3]}]},
    {"items": [{"picture": ["a"]}]}, {"answer": "best"}, {"format": "exe"}, {"path": "/etc/passwd"},
])  # fmt: skip
def test_what_is_no_order_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        read_order(order(**changed))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(UserError):
        read_order(body)


@pytest.mark.parametrize(("frame", "part", "added"), [
    ((0, 0, 60, 40), (0, 0, 60, 40), (0, 0, 0, 0)),
    ((10, 5, 50, 35), (10, 5, 50, 35), (0, 0, 0, 0)),
    ((-8, 3, 70, 40), (0, 3, 60, 40), (8, 0, 10, 0)),
    ((0, -4, 30, 44), (0, 0, 30, 40), (0, 4, 0, 4)),
])  # fmt: skip
def test_a_frame_cuts_and_adds(frame: Any, part: Any, added: Any) -> None:
    assert placed(frame, (40, 60)) == (part, added)


@pytest.mark.parametrize("frame", [(60, 0, 90, 40), (10, 10, 10, 20), (30, 0, 20, 40)])
def test_a_frame_beside_the_picture_is_refused(frame: Any) -> None:
    with pytest.raises(UserError, match="60×40"):
        placed(frame, (40, 60))


def test_limits_name_themselves() -> None:
    limits = Limits(upload_mb=2, megapixels=1)
    limits.require_size(2_000_000, "a.png")
    limits.require_pixels(1000, 1000, "a.png")
    with pytest.raises(UserError, match=r"a.png has 2.0 MB .* --upload-mb 3"):
        limits.require_size(2_000_001, "a.png")
    with pytest.raises(UserError, match=r"2000×501 pixels.* --megapixels 2"):
        limits.require_pixels(501, 2000, "a.png")
    with pytest.raises(UserError, match="waiting is 0"):
        Limits(waiting=0)
    with pytest.raises(UserError, match="at least four"):
        Limits(upload_mb=100, kept_mb=399)
