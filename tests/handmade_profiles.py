"""ICC profiles made by hand, one of each kind (ICC.1:2001, the version that all readers know)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
LINEAR = b"curv\0\0\0\0" + struct.pack(">I", 0)
TABLE = b"curv\0\0\0\0" + struct.pack(">I9H", 9, *(int(65535 * (i / 8) ** 1.8) for i in range(9)))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PARAMETRIC = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(v * 65536) for v in _SRGB_CURVE))
ADOBE = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
_WHITE = np.array([0.9642, 1, 0.8249])


def icc_profile(space: bytes, curve: bytes, matrix: np.ndarray | None) -> bytes:
    """One curve for all channels and, for RGB, a matrix to XYZ."""
    if matrix is None:
        return _profile(b"mntr", space, b"XYZ ", {b"kTRC": curve})
    tags = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags |= {n: _xyz(matrix[:, i]) for i, n in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"mntr", space, b"XYZ ", tags)


def table_profile(space: bytes) -> bytes:
    """Tables to Lab: of a wide RGB with a way back, or of CMYK inks without one."""

    def of_rgb(rgb: np.ndarray) -> np.ndarray:
        return _lab(rgb**1.8 @ ADOBE.T)

    def of_cmyk(inks: np.ndarray) -> np.ndarray:
        return of_rgb((1 - inks[..., :3]) * (1 - inks[..., 3:]))

    def to_rgb(lab: np.ndarray) -> np.ndarray:
        return np.clip(_xyz_of_lab(lab) @ np.linalg.inv(ADOBE).T, 0, 1) ** (1 / 1.8)

    if space == b"CMYK":
        return _profile(b"prtr", space, b"Lab ", {b"A2B0": _table(of_cmyk, 4, 9)})
    tags = {b"A2B0": _table(of_rgb, 3, 33), b"B2A0": _table(to_rgb, 3, 33)}
    return _profile(b"scnr", space, b"Lab ", tags)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"made for a test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0" + text,
        b"wtpt": _xyz(_WHITE),
        **tags,
    }
    table, body = b"", b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    data = struct.pack(">I", len(tags)) + table + body
    header = bytearray(128)
    header[0:4] = struct.pack(">I", 128 + len(data))
    header[8:12] = b"\x02\x40\0\0"
    header[12:16], header[16:20], header[20:24] = kind, space, connection
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + data


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *np.rint(np.asarray(values) * 65536).astype(int))


def _table(function: Callable[[np.ndarray], np.ndarray], channels: int, points: int) -> bytes:
    """A tag of type lut8: ``function`` at ``points`` values of each channel, in [0, 1]."""
    axes = np.meshgrid(*[np.linspace(0, 1, points)] * channels, indexing="ij")
    values = np.rint(np.clip(function(np.stack(axes, -1)), 0, 1) * 255).astype(np.uint8)
    head = b"mft1\0\0\0\0" + bytes([channels, 3, points, 0])
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    curve = bytes(range(256))
    return head + identity + curve * channels + values.tobytes() + curve * 3


def _lab(xyz: np.ndarray) -> np.ndarray:
    """CIE Lab as lut8 holds it: L of 100 and a, b from −128 in [0, 1]."""
    t = xyz / _WHITE
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack(
        [(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255], -1
    )


def _xyz_of_lab(lab: np.ndarray) -> np.ndarray:
    y = (lab[..., 0] * 100 + 16) / 116
    x, z = y + (lab[..., 1] * 255 - 128) / 500, y - (lab[..., 2] * 255 - 128) / 200
    f = np.stack([x, y, z], -1)
    return np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389) * _WHITE
