"""Pictures of every type and dtype in, the same out; masks of every kind; nothing dropped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from handmade import exif_block
from handmade_profiles import ADOBE as MATRIX
from handmade_profiles import GAMMA, icc_profile
from PIL import Image

import palette
from palette.data.images import Photo, read, write
from palette.errors import PictureError, UserError
from palette.restoring.holes import observe, to_mask
from palette.restoring.pictures import from_photo, save, to_photo
from palette.restoring.restorer import Restorer
from palette.tasks.choosing import TASKS

NUMPY = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
NUMPY += ["float16", "float32", "float64", "longdouble", "complex64", "object", ">u2", ">f4"]
TORCH = [name for name in vars(torch) if isinstance(getattr(torch, name), torch.dtype)]


def ramp(highest: float) -> np.ndarray:
    """(16, 16, 3), all 8-bit values in [0, highest]."""
    values = np.arange(256).reshape(16, 16, 1) / 255
    return np.concatenate([values, values[::-1], values.swapaxes(0, 1)], axis=-1) * highest


@pytest.mark.parametrize("name", NUMPY)
def test_every_dtype_of_numpy_works_or_is_named(name: str) -> None:
    kind = np.dtype(name)
    works = kind.kind == "f" or (kind.kind == "u" and kind.itemsize <= 2)
    array = np.rint(ramp(np.iinfo(kind).max)) if works and kind.kind == "u" else ramp(1.0)
    array = array.astype(kind)
    if not works:
        with pytest.raises(UserError, match=kind.name):
            to_photo(array)
        return
    photo = to_photo(array)
    back = from_photo(photo.picture, photo, array)
    assert back.dtype.newbyteorder("=") == kind.newbyteorder("=")
    assert back.shape == array.shape
    np.testing.assert_allclose(back.astype(float), array.astype(float), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*(experimental|deprecated)")
@pytest.mark.parametrize("name", TORCH)
def test_every_dtype_of_torch_works_or_is_named(name: str) -> None:
    kind = getattr(torch, name)
    floats = kind.is_floating_point and not name.startswith("float4")  # two in a byte
    works = floats or kind in (torch.uint8, torch.uint16)
    if not works:
        tensor = torch.empty((3, 16, 16), dtype=kind)
        with pytest.raises(UserError, match="pictures are uint8"):
            to_photo(tensor)
        return
    highest = 1 if kind.is_floating_point else torch.iinfo(kind).max
    array = np.rint(ramp(highest)) if highest > 1 else ramp(1)
    tensor = torch.from_numpy(array).permute(2, 0, 1).to(kind)
    photo = to_photo(tensor)
    back = from_photo(photo.picture, photo, tensor)
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    np.testing.assert_allclose(back.double(), tensor.double(), atol=1e-7)


def as_image(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray((ramp(65535)[..., 0]).astype(np.uint16))
    if mode == "F":
        return Image.fromarray(ramp(1)[..., 0].astype(np.float32))
    if mode == "LAB":
        return Image.new("LAB", (16, 16))
    return Image.fromarray(ramp(255).astype(np.uint8)).convert(mode)


MODES = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA", "RGBX": "RGB"}
MODES |= {"CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "I;16": "I;16", "F": "L"}


@pytest.mark.parametrize("mode", [*MODES, "I", "LAB"])
@pytest.mark.filterwarnings("ignore:.*CMYK")
def test_every_mode_of_pillow_works_or_is_named(mode: str) -> None:
    image = as_image(mode)
    if mode not in MODES:
        with pytest.raises(UserError, match="int32" if mode == "I" else mode):
            to_photo(image)
        return
    back = MODES[mode]
    photo = to_photo(image)
    restored = from_photo(photo.picture, photo, image)
    assert restored.mode == back
    expected = image.convert(back) if mode not in ("F", "I;16") else image
    difference = np.abs(
        np.asarray(restored, float) - np.asarray(expected) * (255 if mode == "F" else 1)
    )
    assert difference.max() <= 0.5


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 1)])
def test_grey_arrays_stay_grey_unless_the_task_colours(shape: tuple[int, ...]) -> None:
    grey = ramp(1)[..., :1].reshape(shape).astype(np.float32)
    for name, back in (("jpeg-restoration", shape), ("colorization", (16, 16, 3))):
        photo, observation = observe(to_photo(grey), TASKS[name]())
        assert from_photo(observation.picture, photo, grey).shape == back
    tensor = torch.from_numpy(grey.reshape(1, 16, 16))
    photo = to_photo(tensor)
    assert from_photo(photo.picture, photo, tensor).shape == (1, 16, 16)


MASK = np.zeros((16, 16), bool)
MASK[3:9, 4:7] = True


def kinds_of_mask() -> dict[str, Any]:
    kinds: dict[str, Any] = {
        "bool": MASK,
        "bool (H, W, 1)": MASK[..., None],
        "bool (H, W, 3)": MASK[..., None].repeat(3, -1),
        "torch bool": torch.from_numpy(MASK),
        "torch bool (1, H, W)": torch.from_numpy(MASK)[None],
        "soft": np.where(MASK, 0.5, 0.499),
        "uint16": MASK.astype(np.uint16) * 65535,
        "mode 1": Image.fromarray(MASK),
        "mode I": Image.fromarray(MASK.astype(np.int32)),
        "mode L": Image.fromarray(MASK.astype(np.uint8) * 255),
        "mode L, 0 and 1": Image.fromarray(MASK.astype(np.uint8)),
        "half white": Image.fromarray(np.where(MASK, 128, 127).astype(np.uint8)),
        "white on a transparent layer of white": Image.fromarray(
            np.dstack([np.full((16, 16, 3), 255), MASK * 255]).astype(np.uint8)
        ),
    }
    for name in NUMPY[1:9]:
        kinds[f"{name} of 0 and 1"] = MASK.astype(name)
    for name in ("uint8", "int16", "int64", "uint16"):
        kinds[f"torch {name} of 0 and 1"] = torch.from_numpy(MASK).to(getattr(torch, name))
    return kinds


@pytest.mark.parametrize("kind", kinds_of_mask())
def test_masks_of_every_kind(kind: str, tmp_path: Path) -> None:
    mask = kinds_of_mask()[kind]
    np.testing.assert_array_equal(to_mask(mask, (16, 16)), MASK)
    if isinstance(mask, Image.Image) and mask.mode != "I":
        mask.save(tmp_path / "mask.png")
        np.testing.assert_array_equal(to_mask(tmp_path / "mask.png", (16, 16)), MASK)


def test_masks_that_mark_nothing_are_named(tmp_path: Path) -> None:
    brush = np.zeros((16, 16, 4), np.uint8)
    brush[MASK] = (180, 0, 0, 255)  # a red brush on a transparent layer
    palette_label = Image.fromarray(MASK.astype(np.uint8), "P")
    palette_label.putpalette([0, 0, 0, 128, 0, 0])
    for dark in (brush, palette_label, np.where(MASK, 0.49, 0)):
        with pytest.raises(PictureError, match=r"the mask marks nothing: it is 0\.\d+ at"):
            to_mask(dark, (16, 16))
    for black in (np.zeros((16, 16), bool), Image.new("L", (16, 16))):
        with pytest.warns(UserWarning, match="the mask marks nothing, it is black"):
            assert not to_mask(black, (16, 16)).any()
    for wrong in (np.zeros((16, 16), np.int32) + 7, np.full((16, 16), np.nan), "mask.txt", 3):
        with pytest.raises(UserError):
            to_mask(wrong, (16, 16))


def test_alpha_stays_where_a_mask_or_a_border_says_what_is_missing() -> None:
    task = TASKS["inpainting"]()
    alpha = np.linspace(0.3, 0.4, 256, dtype=np.float32).reshape(16, 16)
    photo = Photo(ramp(1).astype(np.float32), alpha, 8, False)
    kept, observation = observe(photo, task, MASK)
    np.testing.assert_array_equal(kept.alpha, alpha)
    np.testing.assert_array_equal(observation.mask, MASK)
    wider, observation = observe(photo, task, extend=(2, 0, 0, 3))
    assert wider.alpha is not None
    np.testing.assert_array_equal(wider.alpha, np.pad(alpha, ((0, 3), (2, 0)), mode="edge"))
    assert observation.picture.shape[:2] == wider.alpha.shape
    filled, observation = observe(photo, task)  # the hole is what is transparent
    assert filled.alpha is None
    assert observation.mask is not None
    assert observation.mask.all()


ADOBE = icc_profile(b"RGB ", GAMMA, MATRIX)
"""Of colours wider than sRGB."""


@pytest.fixture(scope="module")
def jpeg(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["jpeg-restoration"], precision="fp32", answer="mean")


def test_an_opened_picture_is_read_as_its_path_is(jpeg: Restorer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "adobe.png"
    Image.fromarray(ramp(255).astype(np.uint8)[:9]).save(path, icc_profile=ADOBE, exif=exif)
    of_path, of_image = read(path), to_photo(Image.open(path))
    np.testing.assert_array_equal(of_path.picture, of_image.picture)
    assert of_path.metadata == of_image.metadata
    assert of_path.picture.shape == (16, 9, 3)
    by_path, by_image = jpeg.restore(path), jpeg.restore(Image.open(path))
    np.testing.assert_array_equal(np.asarray(by_path), np.asarray(by_image))
    assert "icc_profile" not in by_path.info


def test_a_damaged_picture_is_named_when_it_is_decoded(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(
        whole, "PNG"
    )
    image = Image.open(io.BytesIO(whole.getvalue()[:5000]))
    with pytest.raises(PictureError, match=r"the picture cannot be decoded: .*truncated"):
        to_photo(image)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_of_colour_stay_on_every_way(jpeg: Restorer, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    picture = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    write(tmp_path / "in" / "deep.png", picture, bit_depth=16)
    write(tmp_path / "in" / "grey.png", picture, bit_depth=16, grey=True)
    deep = jpeg.restore(tmp_path / "in" / "deep.png")
    assert deep.dtype == np.uint16
    assert (deep % 257).any()
    grey = jpeg.restore(str(tmp_path / "in" / "grey.png"))
    assert grey.mode == "I;16"
    for name, array in (("deep", deep), ("grey", np.asarray(grey))):
        photo = read(tmp_path / "in" / f"{name}.png")
        restored = jpeg.restore(photo.picture)
        save(tmp_path / f"{name}{suffix}", restored, photo)
        written = cv2.imread(str(tmp_path / f"{name}{suffix}"), cv2.IMREAD_UNCHANGED)
        assert written is not None
        np.testing.assert_array_equal(written[..., ::-1] if written.ndim == 3 else written, array)


def test_what_has_no_colour_gets_none(jpeg: Restorer, trained: dict[str, Path]) -> None:
    grey = ramp(255)[..., :1].repeat(3, -1).astype(np.uint8)
    for picture in (grey, grey[..., 0], Image.fromarray(grey[..., 0]), Image.fromarray(grey)):
        restored = np.asarray(jpeg.restore(picture))
        assert restored.shape == np.asarray(picture).shape
        if restored.ndim == 3:
            assert np.ptp(restored, axis=-1).max() == 0
    hole = palette.load(trained["inpainting"], precision="fp32", steps=2)
    filled = hole.restore(grey, mask=MASK)
    assert np.ptp(filled, axis=-1).max() == 0
    np.testing.assert_array_equal(filled[~MASK], grey[~MASK])
    colour = palette.load(trained["colorization"], precision="fp32", steps=2)
    assert np.ptp(np.asarray(colour.restore(Image.fromarray(grey[..., 0]))), axis=-1).max() > 0


def test_the_edge_of_a_red_disc_stays_red(trained: dict[str, Path]) -> None:
    """Green stands where nothing is visible, and reaches no edge when the picture is enlarged."""
    y, x = np.mgrid[:24, :24]
    inside = np.clip(8.5 - np.hypot(y - 11.5, x - 11.5), 0, 1)
    colours = np.where(inside[..., None] > 0, [1, 0, 0], [0, 1, 0])
    disc = np.dstack([colours, inside]).astype(np.float32)
    enlarge = palette.load(trained["super-resolution"], precision="fp32", answer="mean")
    plain = enlarge.restore(np.broadcast_to(np.array([1, 0, 0], np.float32), (24, 24, 3)).copy())
    np.testing.assert_array_equal(enlarge.restore(disc)[..., :3], plain)


@pytest.mark.parametrize("strip", [False, True])
def test_saving_keeps_all_that_the_format_holds(tmp_path: Path, strip: bool) -> None:
    block = exif_block()
    layers = np.dstack([ramp(255), np.full((16, 16), 90)]).astype(np.uint8)
    Image.fromarray(layers).save(tmp_path / "a.png", icc_profile=ADOBE, exif=block)
    photo, _ = observe(read(tmp_path / "a.png"), TASKS["jpeg-restoration"]())
    larger = cv2.resize(photo.picture, (48, 48), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    save(tmp_path / "b.png", larger, photo, strip_metadata=strip)
    image = Image.open(tmp_path / "b.png")
    assert (image.mode, image.size) == ("RGBA", (48, 48))
    np.testing.assert_array_equal(np.asarray(image)[..., 3], 90)
    assert (image.info.get("icc_profile") == ADOBE) is not strip
    assert (image.getexif().get(0x0112) == 1) is not strip
    assert (image.getexif().get_ifd(0x8769).get(0xA002) == 48) is not strip
    with pytest.raises(UserError, match="JPEG holds no transparency"):
        save(tmp_path / "b.jpg", larger, photo)


def test_colours_beyond_srgb_survive_an_enlargement(tmp_path: Path) -> None:
    """Pure green of a wide space is nowhere in sRGB: it is cut off for the network, and added."""
    Image.new("RGB", (16, 16), (0, 255, 0)).save(tmp_path / "a.png", icc_profile=ADOBE)
    photo = read(tmp_path / "a.png")
    assert photo.beyond is not None
    save(tmp_path / "b.png", np.repeat(photo.picture, 2, axis=0).repeat(2, axis=1), photo)
    assert Image.open(tmp_path / "b.png").getcolors() == [(32 * 32, (0, 255, 0))]
