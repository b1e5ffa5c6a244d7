"""Which of Pillow's parsers a file may reach: an allow-list, by content."""

from __future__ import annotations

from pathlib import Path

from PIL import features

from palette.extras import cure, is_there

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Those that are always there."""

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_AVIF_BRANDS = (b"avif", b"avis")
_SHARED_BRANDS = (b"mif1", b"msf1")
"""ISO/IEC 23008-12 and the AVIF specification 1.1: what a file of either may call itself."""


def formats_of(path: Path) -> tuple[str, ...]:
    """The formats to try. ValueError where one needs a plug-in that is not installed."""
    with path.open("rb") as file:
        head = file.read(12)
    brand = head[8:]
    if head[4:8] != b"ftyp" or brand not in (*_HEIF_BRANDS, *_AVIF_BRANDS, *_SHARED_BRANDS):
        return FORMATS
    found: tuple[str, ...] = ()
    if brand not in _HEIF_BRANDS and features.check("avif"):
        found = ("AVIF",)
    if brand not in _AVIF_BRANDS and is_there("pillow_heif"):
        import pillow_heif  # pyright: ignore[reportMissingImports] -- an extra

        pillow_heif.register_heif_opener()
        found += ("HEIF",)
    if not found:
        what = cure("heic")
        if brand in _AVIF_BRANDS:
            what = "install a Pillow that reads AVIF, from 11.3 on"
        raise ValueError(f"no plug-in here reads {brand.decode().upper()} files: {what}")
    return found
