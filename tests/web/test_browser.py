"""The page in headless Chromium: a user's way through it, and pixels against the Python API."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from served import served

import palette
from palette.web.archive import RECORD

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
driver = pytest.importorskip("playwright.sync_api")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 120_000
"""Milliseconds. A machine may be busy; nothing here waits for a time, all for what is to come."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def address(generalist: Path) -> Iterator[str]:
    with served(generalist) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driver.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]  # containers allow neither
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1400, 900), (400, 800)], ids=["wide", "narrow"])
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened. At the end: no errors, and not one request to another host."""
    width, height = request.param
    opened = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
    opened.set_default_timeout(PATIENCE)
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.goto(address)
    opened.wait_for_selector("#tasks label")
    yield opened
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.close()
    assert not [line for line in said if "status of 400" not in line]  # what is refused is shown
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}


@pytest.fixture
def source(picture: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(path)
    return path


def add(page: Page, *files: Path) -> None:
    before = page.locator("#strip .thumb").count()
    page.set_input_files("#files", [str(file) for file in files])
    page.locator("#strip .thumb").nth(before + len(files) - 1).wait_for()


def choose(page: Page, task: str, **numbers: int) -> None:
    page.locator("#tasks label", has_text=task).click()
    for name, value in numbers.items():
        page.fill(f"[name={name}]", str(value))


def restore(page: Page) -> None:
    page.click("#restore")
    page.wait_for_selector("#downloads", state="visible")
    page.wait_for_selector("#restore", state="visible")


def downloaded(page: Page, link: str) -> bytes:
    with page.expect_download() as coming:
        page.click(link)
    return Path(coming.value.path()).read_bytes()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Over the picture, in shares of its sides."""
    page.locator("#picture img").scroll_into_view_if_needed()
    box = page.locator("#picture img").bounding_box()
    assert box is not None
    (x, y), (u, v) = (
        (box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + u) / 2, (y + v) / 2)
    page.mouse.move(u, v)
    page.mouse.up()


def test_paint_and_restore(page: Page, source: Path, generalist: Path, tmp_path: Path) -> None:
    add(page, source)
    choose(page, "Fill holes", steps=2, seed=3)
    page.click("#restore")
    assert "Paint over" in page.inner_text("#alert")
    drag(page, (0.3, 0.5), (0.7, 0.5))
    page.click("[data-tool=rectangle]")
    drag(page, (0.1, 0.1), (0.25, 0.25))
    page.click("[data-tool=eraser]")
    drag(page, (0.5, 0.3), (0.5, 0.7))
    restore(page)
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "#all"))) as packed:
        mask = tmp_path / "mask.png"
        mask.write_bytes(packed.read("masks/1.png"))
        record = json.loads(packed.read(RECORD))
    hole = np.asarray(Image.open(mask).convert("L"))
    assert set(np.unique(hole)) == {0, 255}
    assert hole[20, 20] == hole[20, 36] == hole[7, 10] == 255  # brushed and drawn
    assert hole[20, 28] == hole[35, 50] == 0  # rubbed out, and never touched
    expected = palette.load(generalist, task="inpainting", steps=2)
    expected = np.asarray(expected.restore(source, mask=mask, seed=3))
    assert np.array_equal(pixels(downloaded(page, "#one")), expected)
    assert record["pictures"][0]["picture"] == "photo.png"
    shown = page.locator("#compare .after").evaluate("""async image => {
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const pen = canvas.getContext("2d");
        pen.drawImage(image, 0, 0);
        return [...pen.getImageData(0, 0, canvas.width, canvas.height).data];
    }""")
    assert np.array_equal(np.reshape(shown, (40, 56, 4))[..., :3], expected)


def test_several_samples_of_a_part(page: Page, source: Path, generalist: Path) -> None:
    add(page, source)
    choose(page, "Enlarge ×2", samples=2, steps=2, seed=7)
    page.click("[data-tool=frame]")
    drag(page, (0.25, 0.25), (0.75, 0.8))
    assert page.inner_text("#dimensions") == "28 × 22 → 56 × 44"
    restore(page)
    page.click("[data-tab=samples]")
    assert page.locator("#samples figure").count() == 3
    page.get_by_role("button", name="Seed 8").click()
    part = np.asarray(Image.open(source))[10:32, 14:42].copy()
    model = palette.load(generalist, task="super-resolution-x2", steps=2)
    assert np.array_equal(pixels(downloaded(page, "#one")), model.restore(part, seed=8))
    page.click("[data-tab=spread]")
    assert "that detail is invented" in page.inner_text("#legend")
    page.click("[data-tab=compare]")
    page.locator("#compare input").fill("25")
    assert "25%" in str(page.locator("#compare .after").get_attribute("style"))
    page.click("#downloads summary")
    assert "--task super-resolution-x2 --answer sample --steps 2 --seed 7" in page.inner_text("pre")


def test_several_pictures_and_one_that_fails(page: Page, source: Path, tmp_path: Path) -> None:
    clear = tmp_path / "clear.png"
    Image.open(source).convert("RGB").convert("RGBA").save(clear)
    layers = np.array(Image.open(clear))
    layers[..., 3] = 100
    Image.fromarray(layers).save(clear)
    add(page, source, clear)
    choose(page, "Repair JPEG")
    page.locator("label", has_text="Mean").click()
    page.select_option("[name=format]", "jpg")
    assert page.inner_text("#restore") == "Restore 2 pictures"
    restore(page)
    assert "1 of 2 pictures failed" in page.inner_text("#alert")
    assert page.locator("#strip .mark-of.bad").count() == 1
    page.get_by_label("Show clear.png").click()
    assert "transparency" in page.inner_text("#failed")
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "#all"))) as packed:
        assert packed.namelist() == ["photo.jpg", RECORD]


def test_what_is_too_large_can_be_cut_smaller(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (4000, 1000), "#567").save(large)
    add(page, large)
    choose(page, "Enlarge ×4", steps=1)
    page.click("#restore")
    page.wait_for_selector("#alert:not([hidden])")
    assert "64.00 million, and the limit is 40" in page.inner_text("#alert")
    page.click("[data-tool=frame]")
    drag(page, (0.1, 0.1), (0.11, 0.13))
    restore(page)
    assert page.is_hidden("#alert")
    assert page.is_visible("#compare")


def test_cancel_and_again(page: Page, source: Path) -> None:
    add(page, source)
    choose(page, "Repair JPEG", steps=250, samples=8)
    page.click("#restore")
    page.click("#cancel")
    page.wait_for_selector("#restore", state="visible")
    assert not page.is_visible("#downloads")
    choose(page, "Repair JPEG", steps=1, samples=1)
    restore(page)
    assert page.is_visible("#compare")


def test_what_is_no_picture_is_named(page: Page, source: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    page.set_input_files("#files", [str(text), str(source)])
    page.wait_for_selector("#alert:not([hidden])")
    assert "notes.png" in page.inner_text("#alert")
    assert page.locator("#strip .thumb").count() == 1
    page.get_by_label("Remove photo.png").click(force=True)
    page.wait_for_selector("#empty", state="visible")
    assert page.is_disabled("#restore")


def test_the_keyboard_alone(page: Page, source: Path) -> None:
    add(page, source)
    choose(page, "Enlarge ×2", steps=1)
    page.click("[data-tool=frame]")
    handle = page.get_by_label("Move the right", exact=True)
    handle.focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#dimensions") == "39 × 40 → 78 × 80"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#compare", state="visible")
