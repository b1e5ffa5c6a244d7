"""Make the pictures of the tutorials, in a folder where `docs/follow.py` has followed them.

    python docs/follow.py FOLDER
    python docs/make_pictures.py FOLDER

The report is photographed by Chromium, which must be installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parent / "tutorials" / "pictures"
WINDOW = (1200, 900)


def main(folder: Path) -> None:
    OUT.mkdir(exist_ok=True)
    with Image.open(folder / "dust-sheet.png") as sheet:
        rows = sheet.convert("RGB").crop((0, 0, sheet.width, sheet.height // 2 + 40))
        rows.save(OUT / "dust.jpg", quality=85)
    shot = folder / "report.png"
    page = (folder / "tools" / "report.html").resolve().as_uri()
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars"]
    size = f"--window-size={WINDOW[0]},{WINDOW[1]}"
    subprocess.run(["chromium", *flags, size, f"--screenshot={shot.resolve()}", page], check=True)
    with Image.open(shot) as picture:
        picture.convert("RGB").save(OUT / "report.jpg", quality=80)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/make_pictures.py FOLDER")
    main(Path(sys.argv[1]))
