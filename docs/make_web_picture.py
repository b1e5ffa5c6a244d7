"""docs/web.jpg: the page of `palette web`, on a wide and on a narrow window.

    python docs/make_web_picture.py

Needs `pip install 'palette-diffusion[web-test]'` and Chromium. The photograph is one that no model
of the package has seen, with Gaussian noise of σ 25.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from palette.api import load_tasks
from palette.data.images import write
from palette.data.opening import open_source
from palette.seeding import rng
from palette.web.limits import Limits
from palette.web.server import serving

HEIGHT = 780


def shown(page: Page, address: str, picture: Path, tab: str) -> Image.Image:
    """The page with the picture restored, three samples of it."""
    page.goto(address)
    page.locator("#tasks label", has_text="Remove noise").click()
    page.set_input_files("#files", str(picture))
    page.wait_for_selector("#picture:not([hidden])")
    page.fill("[name=samples]", "3")
    page.click("#restore")
    page.wait_for_selector("#downloads:not([hidden])", timeout=600_000)
    page.click(f"[data-tab={tab}]")
    page.evaluate("Promise.all([...document.images].map(image => image.decode().catch(() => 0)))")
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)
    return Image.open(io.BytesIO(page.screenshot()))


def main() -> None:
    clean = open_source("bundled", "held_out").read(1)
    noise = rng(0, "docs", "web").normal(0, 25 / 255, clean.shape)
    noisy = np.clip(clean + noise, 0, 1).astype(np.float32)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("photos", load_tasks("photos"), "127.0.0.1", 0, Limits()) as (address, run, stop),
        sync_playwright() as playwright,
    ):
        write(Path(folder, "noisy.png"), noisy)
        thread = threading.Thread(target=run)
        thread.start()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        views = []
        for width, scheme, tab in ((1200, "light", "compare"), (390, "dark", "spread")):
            page = browser.new_page(
                viewport={"width": width, "height": HEIGHT},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            views.append(shown(page, address, Path(folder, "noisy.png"), tab))
        browser.close()
        stop()
        thread.join()
    gap = 20
    width = sum(view.width for view in views) + 3 * gap
    sheet = Image.new("RGB", (width, HEIGHT + 2 * gap), "#888")
    left = gap
    for view in views:
        sheet.paste(view.convert("RGB"), (left, gap))
        left += view.width + gap
    sheet.thumbnail((1320, HEIGHT), Image.Resampling.LANCZOS)
    sheet.save(Path(__file__).with_name("web.jpg"), quality=78, optimize=True)


if __name__ == "__main__":
    main()
