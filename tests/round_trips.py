"""Files of many kinds, made of real photographs, and what is left of each after restoring.

``python tests/round_trips.py`` prints the table of docs/reliability.md. The network is left out:
the picture goes from file to observation to file, where all that can be lost is lost.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from handmade import XMP, exif_block
from handmade_profiles import ADOBE, GAMMA, P3, PARAMETRIC, TABLE, icc_profile, table_profile
from PIL import ExifTags, Image, ImageCms, ImageOps

from palette.data.encoding import FORMATS
from palette.data.images import read
from palette.data.sources import BundledSource
from palette.data.stored import to_stored
from palette.restoring.holes import observe
from palette.restoring.pictures import save
from palette.tasks.choosing import TASKS

Make = Callable[[Path, Image.Image], None]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {
    "sRGB": SRGB,
    "Adobe RGB (gamma)": icc_profile(b"RGB ", GAMMA, ADOBE),
    "Display P3 (parametric curve)": icc_profile(b"RGB ", PARAMETRIC, P3),
    "a wide RGB (curve of 9 points)": icc_profile(b"RGB ", TABLE, ADOBE),
    "tables": table_profile(b"RGB "),
}
GREY = icc_profile(b"GRAY", GAMMA, None)
INKS = table_profile(b"CMYK")
THUMBNAIL = b"\xff\xd8 of the old picture \xff\xd9"
ALL: dict[str, Any] = {"exif": exif_block("<", THUMBNAIL), "xmp": XMP}


def by_pillow(mode: str = "RGB", **options: Any) -> Make:
    """Saved in that mode; a mode with alpha is transparent at the top and half so at the left."""

    def make(path: Path, photo: Image.Image) -> None:
        image = photo
        if mode.endswith("A") or options.get("transparency") == "alpha":
            image = photo.copy()
            image.putalpha(faded(photo))
        image = image.quantize(200) if mode == "P" else image.convert(mode)
        image.save(path, **options)

    return make


def faded(photo: Image.Image) -> Image.Image:
    alpha = np.full((photo.height, photo.width), 255, np.uint8)
    alpha[:, :20] = 90
    alpha[:15] = 0
    return Image.fromarray(alpha)


def deep(channels: int, profile: bytes = b"") -> Make:
    """16 bits a channel: PNG by OpenCV, TIFF by tifffile."""

    def make(path: Path, photo: Image.Image) -> None:
        noise = np.random.default_rng(0).integers(0, 257, (photo.height, photo.width, 4))
        pixels = (np.asarray(photo.convert("RGBA")) * 257.0 - 128 + noise).clip(0, 65535)
        pixels = pixels.astype(np.uint16)[..., :channels]
        pixels[..., 3:] = np.asarray(faded(photo))[..., None].astype(np.uint16) * 257
        if path.suffix == ".png":
            cv2.imwrite(str(path), pixels[..., [2, 1, 0, 3][:channels] if channels > 1 else [0]])
            return
        tags = [(34675, "B", len(profile), profile, True)] if profile else []
        options: dict[str, Any] = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        kind = "rgb" if channels > 1 else "minisblack"
        tifffile.imwrite(path, pixels.squeeze(), photometric=kind, extratags=tags, **options)

    return make


def turned(orientation: int) -> Make:
    def make(path: Path, photo: Image.Image) -> None:
        exif = Image.Exif()
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Palette", orientation
        photo.save(path, exif=exif, quality=95)

    return make


def several(kind: str, **options: Any) -> Make:
    def make(path: Path, photo: Image.Image) -> None:
        other = ImageOps.mirror(photo)
        photo.save(path, kind, save_all=True, append_images=[other], **options)

    return make


def by_plug_in(path: Path, photo: Image.Image) -> None:
    import pillow_heif  # pyright: ignore[reportMissingImports] -- an extra

    pillow_heif.register_heif_opener()
    photo.save(
        path, "HEIF", quality=95, icc_profile=PROFILES["Display P3 (parametric curve)"], **ALL
    )


def with_tags(path: Path, photo: Image.Image) -> None:
    exif = Image.Exif()
    exif.load(ALL["exif"])
    del (
        exif[ExifTags.Base.ImageWidth],
        exif[ExifTags.Base.ImageLength],
    )  # they would replace its own
    exif[0x02BC] = ALL["xmp"]
    photo.save(path, exif=exif, icc_profile=SRGB)


def inverted(path: Path, photo: Image.Image) -> None:
    tifffile.imwrite(path, 255 - np.asarray(photo.convert("L")), photometric="miniswhite")


@dataclass(frozen=True)
class Case:
    """A file. ``pixels``: what becomes of them; ``says``: how a warning begins that it gives."""

    name: str
    suffix: str
    make: Make
    pixels: str = "equal"
    says: str = ""


RECODED, NEAR = "recoded", "within 2 of 255"

CASES = [
    Case("baseline", ".jpg", by_pillow(), RECODED),
    Case("progressive", ".jpg", by_pillow(progressive=True), RECODED),
    Case("no chroma subsampling", ".jpg", by_pillow(subsampling=0, quality=100), RECODED),
    Case("restart markers", ".jpg", by_pillow(restart_marker_rows=1), RECODED),
    Case("stored as RGB", ".jpg", by_pillow(keep_rgb=True), RECODED),
    Case("grey", ".jpg", by_pillow("L"), RECODED),
    Case("grey with a grey profile", ".jpg", by_pillow("L", icc_profile=GREY), RECODED),
    Case("CMYK", ".jpg", by_pillow("CMYK", quality=95), RECODED, "CMYK without a profile"),
    Case("CMYK with its profile", ".jpg", by_pillow("CMYK", icc_profile=INKS, quality=95), RECODED),
    Case("of a camera: EXIF, XMP, thumbnail", ".jpg", by_pillow(**ALL), RECODED),
    Case("of a camera, all and a profile", ".jpg", by_pillow(icc_profile=SRGB, **ALL), RECODED),
    Case("MPO, a second picture", ".jpg", several("MPO", quality=95), RECODED),
    *(Case(f"orientation {number}", ".jpg", turned(number), RECODED) for number in range(1, 9)),
    *(
        Case(f"profile: {name}", ".jpg", by_pillow(icc_profile=profile, quality=95), RECODED)
        for name, profile in PROFILES.items()
    ),
    *(
        Case(
            f"profile: {name}",
            ".png",
            by_pillow(icc_profile=profile),
            "equal" if name != "tables" else NEAR,
        )
        for name, profile in PROFILES.items()
    ),
    Case("RGB", ".png", by_pillow()),
    Case("RGBA", ".png", by_pillow("RGBA")),
    Case("grey", ".png", by_pillow("L")),
    Case("grey with alpha", ".png", by_pillow("LA")),
    Case("grey with a grey profile", ".png", by_pillow("L", icc_profile=GREY)),
    Case("1 bit", ".png", by_pillow("1")),
    Case("palette", ".png", by_pillow("P")),
    Case("palette with a transparent colour", ".png", by_pillow("P", transparency=3)),
    Case("animated", ".png", several("PNG"), says="several frames"),
    Case("EXIF and a profile", ".png", by_pillow(icc_profile=SRGB, exif=ALL["exif"])),
    Case("16 bits, RGB", ".png", deep(3)),
    Case("16 bits, RGBA", ".png", deep(4)),
    Case("16 bits, grey", ".png", deep(1)),
    Case("RGB, LZW", ".tif", by_pillow(compression="tiff_lzw")),
    Case("several pages", ".tif", several("TIFF"), says="several frames"),
    Case("white is zero", ".tif", inverted),
    Case("CMYK with its profile", ".tif", by_pillow("CMYK", icc_profile=INKS), NEAR),
    Case("EXIF, XMP and a profile", ".tif", with_tags),
    Case("16 bits, RGB", ".tif", deep(3)),
    Case("16 bits, RGBA", ".tif", deep(4)),
    Case("16 bits, grey", ".tif", deep(1)),
    Case("16 bits, Adobe RGB", ".tif", deep(3, PROFILES["Adobe RGB (gamma)"])),
    Case("16 bits, grey profile", ".tif", deep(1, GREY)),
    Case("lossless, RGBA", ".webp", by_pillow("RGBA", lossless=True)),
    Case("EXIF, XMP and a profile", ".webp", by_pillow(lossless=True, icc_profile=SRGB, **ALL)),
    Case("animated", ".webp", several("WEBP", lossless=True), says="several frames"),
    Case("palette", ".gif", by_pillow("P")),
    Case("animated", ".gif", several("GIF"), says="several frames"),
    Case("RGB", ".bmp", by_pillow()),
    Case("EXIF, XMP and a profile", ".avif", by_pillow(icc_profile=SRGB, **ALL)),
    Case("EXIF, XMP and a profile", ".heic", by_plug_in),
]


@dataclass(frozen=True)
class Outcome:
    """What came out of a case."""

    written: str
    layout: str
    pixels: str
    exif: str
    xmp: str
    profile: str
    said: list[str]
    """The warnings, without the file's name."""


def outcome(case: Case, photo: Image.Image, folder: Path) -> Outcome:
    """Make the file, read it, write it in its own format or as PNG, and compare the two files."""
    path = folder / f"in{case.suffix}"
    target = folder / f"out{case.suffix if case.suffix in FORMATS else '.png'}"
    case.make(path, photo)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        taken, observation = observe(read(path), TASKS["jpeg-restoration"]())
        save(target, observation.picture, taken)
    before, after = shown(path), shown(target)
    with Image.open(path) as old, Image.open(target) as new:
        return Outcome(
            target.suffix,
            f"{new.mode.removesuffix(';16').replace('I', 'L')} {8 * after.itemsize}",
            compared(before, after, target.suffix),
            exif_of(old, new, target),
            xmp_of(old, new),
            profile_of(old, new),
            [str(warning.message).split(": ", 1)[1] for warning in caught],
        )


def shown(path: Path) -> np.ndarray:
    """The first frame upright, as other libraries read it: (H, W, 1 to 4), in its own colours."""
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if raw is not None and raw.dtype == np.uint16:
        return raw[..., None] if raw.ndim == 2 else raw[..., [2, 1, 0, 3][: raw.shape[2]]]
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
        if image.mode == "CMYK" and profile:
            inks, lights = (ImageCms.ImageCmsProfile(io.BytesIO(p)) for p in (profile, SRGB))
            upright = ImageCms.profileToProfile(
                upright, inks, lights, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )  # fmt: skip
            assert upright is not None
        mode = "L" if upright.mode in ("1", "L") else "LA" if upright.mode == "LA" else "RGB"
        mode = "RGBA" if mode == "RGB" and upright.has_transparency_data else mode
        pixels = np.asarray(upright.convert(mode))
        return pixels.reshape(*pixels.shape[:2], -1)


def compared(before: np.ndarray, after: np.ndarray, suffix: str) -> str:
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{before.dtype} {before.shape} became {after.dtype} {after.shape}"
    visible = before[..., -1] > 0 if before.shape[2] in (2, 4) else np.ones(before.shape[:2], bool)
    difference = np.abs(before.astype(int) - after)
    if difference[..., -1].max() > 0 and before.shape[2] in (2, 4):
        return "other alpha"
    seen = difference[visible]
    if seen.max() == 0:
        return "equal"
    if before.itemsize == 1 and seen.mean() <= (3 if suffix == ".jpg" else 2):
        return RECODED if suffix == ".jpg" else NEAR
    return f"other by {seen.mean():.2f} on average"


def exif_of(old: Image.Image, new: Image.Image, target: Path) -> str:
    if ExifTags.Base.Make not in old.getexif():
        return "none"
    tags = new.getexif()
    camera = tags.get_ifd(ExifTags.IFD.Exif)
    sizes = [camera.get(0xA002, new.width), camera.get(0xA003, new.height)]
    right = tags.get(ExifTags.Base.Make) == "Palette" and tags.get(0x0112, 1) == 1
    right = right and sizes == [*new.size] and THUMBNAIL not in target.read_bytes()
    return "kept" if right else "lost"


def xmp_of(old: Image.Image, new: Image.Image) -> str:
    if not old.info.get("xmp"):
        return "none"
    after = bytes(new.info.get("xmp", b""))
    return "kept" if b"<xmp:Rating>5" in after and b'Orientation="6"' not in after else "lost"


def profile_of(old: Image.Image, new: Image.Image) -> str:
    before, after = old.info.get("icc_profile"), new.info.get("icc_profile")
    if not before:
        return "none" if not after else "made up"
    if old.mode == "CMYK":
        return "of inks: left out" if not after else "wrong"
    return "kept" if before == after else "lost"


def photographs() -> list[Image.Image]:
    """Crops of those that scikit-image ships and that have colours."""
    source = BundledSource("train")
    crops = [source.read(number)[200:296, 300:428] for number in range(5)]
    return [Image.fromarray(to_stored(crop, 8)) for crop in crops]


HEAD = ["file", "written as", "then", "pixels", "EXIF", "XMP", "profile", "warning"]


def line(case: Case, done: Outcome) -> str:
    """Of the table."""
    row = [f"{case.suffix[1:]}: {case.name}", done.written[1:], done.layout, done.pixels]
    row += [done.exif, done.xmp, done.profile, "; ".join(done.said) or "none"]
    return f"| {' | '.join(row)} |"


def main() -> None:
    print(f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", sep="\n")
    found = photographs()
    for number, case in enumerate(CASES):
        with tempfile.TemporaryDirectory() as folder:
            print(line(case, outcome(case, found[number % len(found)], Path(folder))))


if __name__ == "__main__":
    main()
