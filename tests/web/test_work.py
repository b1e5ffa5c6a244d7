"""What the page gives is what the Python API and `palette restore` give, to the bit."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palette
from palette.api import load_tasks
from palette.data.images import write
from palette.errors import UserError
from palette.restoring.folder import restore_file
from palette.restoring.output import Output
from palette.restoring.restorer import Restorer
from palette.tasks.super_resolution import SuperResolution
from palette.tasks.uncropping import Uncropping
from palette.types import Member, Observation
from palette.web.about import about, described
from palette.web.archive import RECORD, archive
from palette.web.effort import evaluations
from palette.web.limits import Limits
from palette.web.order import Item, Order
from palette.web.store import Held, Store
from palette.web.tickets import Cancelled, Ticket
from palette.web.work import Workshop


@pytest.fixture(scope="module")
def restorers(generalist: Path) -> dict[str, Restorer]:
    return load_tasks(generalist)


@pytest.fixture
def shop(restorers: dict[str, Restorer], tmp_path: Path) -> Workshop:
    (tmp_path / "store").mkdir()
    return Workshop(restorers, Store(tmp_path / "store", 10**8), Limits(megapixels=1))


@pytest.fixture
def source(picture: np.ndarray, tmp_path: Path) -> Path:
    """A photograph with an EXIF block."""
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[271] = "a camera"
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(path, exif=exif, quality=95)
    return path


def held(shop: Workshop, path: Path) -> Held:
    return shop.store.add(path.name, "image/jpeg", path.read_bytes())


def done(shop: Workshop, order: Order) -> list[dict[str, Any]]:
    ticket = Ticket(order)
    shop.check(order)
    shop.work(ticket)
    return ticket.results


def pixels(shop: Workshop, key: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shop.store.get(key).path.read_bytes())))


def test_files_are_those_of_the_command(shop: Workshop, source: Path, tmp_path: Path) -> None:
    name, key = "super-resolution-x2", held(shop, source).key
    (result,) = done(shop, Order(name, (Item(key),), steps=2, samples=2, seed=5, format="jpg"))
    assert (result["width"], result["height"]) == (112, 80)
    sampling = palette.Sampling(steps=2)
    for sample, seed in zip(result["samples"], (5, 6), strict=True):
        assert sample["seed"] == seed
        expected = tmp_path / "expected.jpg"
        model = shop.restorers[name].using(sampling)
        restore_file(model, source, expected, seed, output=Output(overwrite=True))
        file = shop.store.get(sample["file"])
        assert file.name == f"photo-{seed}.jpg"
        assert file.path.read_bytes() == expected.read_bytes()
        assert Image.open(file.path).getexif()[271] == "a camera"
        shown = model.restore(source, seed=seed)
        assert np.array_equal(pixels(shop, sample["view"]), np.asarray(shown))
    drawn = pixels(shop, result["spread"]["view"])
    assert drawn.shape == (80, 112, 3)
    assert drawn.max() > 0
    assert result["spread"]["average"] > 0


def test_a_mask_and_a_frame(shop: Workshop, source: Path, generalist: Path) -> None:
    hole = np.zeros((40, 56), bool)
    hole[10:30, 8:25] = True
    drawn = io.BytesIO()
    Image.fromarray(hole.astype(np.uint8) * 255).save(drawn, "PNG")
    mask = shop.store.add("mask.png", "image/png", drawn.getvalue())
    item = Item(held(shop, source).key, mask.key, (4, 2, 44, 34))
    (result,) = done(shop, Order("inpainting", (item,), steps=2, seed=1))
    model = palette.load(generalist, task="inpainting", steps=2)
    whole = np.asarray(Image.open(source))
    expected = model.restore(whole[2:34, 4:44].copy(), mask=hole[2:34, 4:44], seed=1)
    assert np.array_equal(pixels(shop, result["samples"][0]["file"]), expected)
    assert np.array_equal(pixels(shop, result["before"]), whole[2:34, 4:44])


def test_a_frame_beyond_the_picture(shop: Workshop, source: Path, generalist: Path) -> None:
    item = Item(held(shop, source).key, frame=(-8, 4, 56, 48))
    (result,) = done(shop, Order("inpainting", (item,), answer="mean"))
    model = palette.load(generalist, task="inpainting", answer="mean")
    part = np.asarray(Image.open(source))[4:].copy()
    expected = model.restore(part, extend=(8, 0, 0, 8))
    assert np.array_equal(pixels(shop, result["samples"][0]["file"]), expected)


def test_a_picture_that_fails_does_not_end_the_order(
    shop: Workshop, source: Path, tmp_path: Path
) -> None:
    broken = shop.store.add("broken.png", "image/png", b"\x89PNG\r\n\x1a\n and no more")
    good, gone = held(shop, source), held(shop, source)
    order = Order("jpeg-restoration", tuple(map(Item, (broken.key, good.key, gone.key))), "mean")
    ticket = Ticket(order)
    shop.store.remove(gone.key)
    shop.work(ticket)
    bad, fine, missing = ticket.results
    assert bad["error"].startswith("broken.png")
    assert str(tmp_path) not in bad["error"]
    assert "error" not in fine
    assert "not here any more" in missing["error"]


@pytest.mark.parametrize(("task", "item", "reason"), [
    ("inpainting", {}, "fills holes"),
    ("super-resolution-x4", {"frame": (-8, 0, 56, 40)}, "fills no holes"),
    ("jpeg-restoration", {"frame": (60, 0, 70, 9)}, "nothing of the picture"),
    ("inpainting", {"frame": (-900, -900, 956, 940)}, "3.42 million"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    task: str, item: dict[str, Any], reason: str, shop: Workshop, source: Path
) -> None:
    order = Order(task, (Item(held(shop, source).key, **item),))
    (result,) = done(shop, order)
    assert reason in result["error"]


def test_unpainted_masks_and_transparent_jpegs_are_refused(
    shop: Workshop, source: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    write(tmp_path / "black.png", np.zeros((40, 56, 3), np.float32))
    mask = held(shop, tmp_path / "black.png")
    with pytest.warns(UserWarning, match="marks nothing"):
        (result,) = done(shop, Order("inpainting", (Item(held(shop, source).key, mask.key),)))
    assert "nothing of photo.jpg is marked" in result["error"]
    write(tmp_path / "clear.png", picture, np.full((40, 56), 0.7, np.float32))
    clear = held(shop, tmp_path / "clear.png")
    (result,) = done(shop, Order("jpeg-restoration", (Item(clear.key),), "mean", format="jpg"))
    assert "transparency" in result["error"]


def test_unknown_tasks_and_pictures_do_not_wait_in_the_queue(shop: Workshop, source: Path) -> None:
    with pytest.raises(UserError, match="choose one of super-resolution-x2"):
        shop.check(Order("colorization", (Item(held(shop, source).key),)))
    with pytest.raises(UserError, match="not here any more"):
        shop.check(Order("inpainting", (Item("none"),)))
    for steps, said in ((0, "0 is too few"), (251, "251 is too many, choose 1 to 250")):
        with pytest.raises(UserError, match=said):
            shop.check(Order("inpainting", (Item("none"),), steps=steps))


@pytest.mark.parametrize("sampling", [{"answer": "mean"}, {"steps": 3}, {"steps": 2, "tile": 32}])
@pytest.mark.parametrize("task", ["super-resolution-x2", "inpainting"])
def test_evaluations_are_counted(
    task: str, sampling: dict[str, Any], restorers: dict[str, Restorer], picture: np.ndarray
) -> None:
    restorer = restorers[task].using(palette.Sampling(**sampling))
    mask = np.zeros((40, 56), bool)
    mask[2:38, 2:54] = True  # deep enough for a reduced picture
    observation = Observation(picture, mask if restorer.task.masked else None)
    counted: list[object] = []
    hook = restorer.solver.denoiser.register_forward_pre_hook(lambda *_: counted.append(0))
    try:
        restorer.restore_observations([observation])
    finally:
        hook.remove()
    assert len(counted) == evaluations(restorer, observation)


def test_cancelling_stops_before_the_next_evaluation(shop: Workshop, source: Path) -> None:
    ticket = Ticket(Order("jpeg-restoration", (Item(held(shop, source).key),), steps=50))
    count = ticket.count

    def counted() -> None:
        count()
        if ticket.evaluations == 3:
            ticket.cancel()

    ticket.count = counted  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        shop.work(ticket)
    assert ticket.evaluations == 3
    assert not ticket.results
    # and the network counts for nobody any more
    assert not shop.restorers["jpeg-restoration"].solver.denoiser._forward_pre_hooks


def test_the_zip_has_all_and_says_how(shop: Workshop, source: Path) -> None:
    items = tuple(Item(held(shop, source).key) for _ in range(2))
    broken = shop.store.add("broken.png", "image/png", b"nothing")
    order = Order("jpeg-restoration", (*items, Item(broken.key)), samples=2, steps=1, seed=3)
    results = done(shop, order)
    packed = archive(order, results, shop.store, {"model": "tiny", "sha256": "0" * 64})
    with zipfile.ZipFile(packed.path) as file:
        assert file.testzip() is None
        names = ["photo-3.png", "photo-4.png", "photo-3-2.png", "photo-4-2.png"]
        assert file.namelist() == [*names, RECORD]
        record = json.loads(file.read(RECORD))
        first = shop.store.get(results[0]["samples"][0]["file"])
        assert file.read("photo-3.png") == first.path.read_bytes()
    assert record["model"] == "tiny"
    assert record["order"]["steps"] == 1
    assert record["pictures"][0]["files"][1] == {"seed": 4, "file": "photo-4.png"}
    assert "broken.png" in record["pictures"][2]["error"]
    with pytest.raises(UserError, match="nothing was restored"):
        archive(order, [], shop.store, {})


def test_what_is_said_of_the_model(restorers: dict[str, Restorer]) -> None:
    said = about("runs/all", restorers, Limits())
    assert [task["title"] for task in said["tasks"]] == [
        "Enlarge ×2", "Enlarge ×4", "Repair JPEG", "Fill holes",
    ]  # fmt: skip
    assert [task["hole"] for task in said["tasks"]] == [None, None, None, "painted"]
    json.dumps(said, allow_nan=False)
    assert {task["answer"] for task in said["tasks"]} == {"sample"}
    assert said["defaults"] == {"steps": 8}
    assert said["limits"]["steps"] == 250
    assert said["sampler"] is None


def test_a_published_model_begins_with_its_own_sampling(
    generalist: Path, source: Path, tmp_path: Path
) -> None:
    """Which `palette restore` takes without flags: the page has its steps, and may order them."""
    folder = tmp_path / "published"
    shutil.copytree(generalist / "model", folder)
    info = json.loads((folder / "model.json").read_text())
    info["sampling"] = {"sampler": "ancestral", "grid": "palette", "steps": 1000}
    info["answers"] = {"inpainting": "mean"}
    (folder / "model.json").write_text(json.dumps(info))
    restorers = load_tasks(folder)
    said = about("published", restorers, Limits())
    assert said["defaults"] == {"steps": 1000}
    assert [task["answer"] for task in said["tasks"]] == ["sample", "sample", "sample", "mean"]
    assert said["limits"]["steps"] == 1000
    assert said["sampler"] == "ancestral, levels palette"
    (tmp_path / "store").mkdir()
    shop = Workshop(restorers, Store(tmp_path / "store", 10**8), Limits())
    items = (Item(held(shop, source).key),)
    shop.check(Order("jpeg-restoration", items, steps=1000))
    with pytest.raises(UserError, match="steps: 1001 is too many, choose 1 to 1000"):
        shop.check(Order("jpeg-restoration", items, steps=1001))
    (result,) = done(shop, Order("jpeg-restoration", items, steps=3))
    expected = palette.load(folder, task="jpeg-restoration", steps=3).restore(source)
    assert np.array_equal(pixels(shop, result["samples"][0]["file"]), np.asarray(expected))


def test_a_task_under_a_name_of_its_own_says_what_it_learnt() -> None:
    task = SuperResolution(scale=2, degradation="bsr_light")
    said = described(Member("real-x2", task))
    assert said["title"] == "Enlarge ×2 · real"
    assert said["hint"].endswith("damaged by bsr_light.")
    assert described(Member("uncropping", Uncropping()))["hole"] == "border"
