"""The page's server from outside: whole orders, limits, and what nobody gets to see."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from served import served

import palette
from palette.web.limits import Limits

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from palette.errors import UserError
from palette.web.app import PAGE
from palette.web.server import serving


class Client:
    """Plain HTTP: paths go out as they are written."""

    def __init__(self, address: str) -> None:
        self.host = urlsplit(address).netloc

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        status, _, data = self.ask(method, path, body)
        assert status == 200, data
        return json.loads(data)

    def refused(self, method: str, path: str, body: Any = None, code: int = 400) -> str:
        status, _, data = self.ask(method, path, body)
        assert status == code
        return json.loads(data)["error"]

    def ended(self, key: str) -> dict[str, Any]:
        """Waits for as long as the test may take."""
        while (state := self.json("GET", f"/orders/{key}"))["state"] in ("waiting", "running"):
            time.sleep(0.02)
        return state


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server keeps its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def client(generalist: Path, temporary: Path) -> Iterator[Client]:
    with served(generalist, Limits(upload_mb=1, megapixels=1, waiting=1)) as address:
        yield Client(address)


def as_png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def order(key: str, **changed: Any) -> str:
    plain = {"task": "jpeg-restoration", "items": [{"picture": key}], "answer": "mean"}
    return json.dumps(plain | changed)


def test_a_whole_order(client: Client, picture: np.ndarray, generalist: Path) -> None:
    up = client.json("POST", "/pictures?name=dir%2Fa%20b.png", as_png(picture))
    assert (up["name"], up["width"], up["height"], up["damage"]) == ("a b.png", 56, 40, None)
    stored = np.rint(picture * 255).astype(np.uint8)
    shown = client.ask("GET", f"/files/{up['view']}")[2]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown))), stored)
    begun = client.json("POST", "/orders", order(up["key"], answer="sample", steps=2, samples=2))
    state = client.ended(begun["key"])
    assert (state["state"], state["error"]) == ("done", None)
    (result,) = state["results"]
    model = palette.load(generalist, task="jpeg-restoration", steps=2)
    for sample in result["samples"]:
        status, headers, data = client.ask("GET", f"/files/{sample['file']}?download")
        assert status == 200
        name = f"a%20b-{sample['seed']}.png"
        assert name in headers["content-disposition"]
        expected = model.restore(stored, seed=sample["seed"])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), expected)
    packed = client.ask("GET", f"/orders/{begun['key']}/zip")[2]
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.namelist()[:2] == ["a b-0.png", "a b-1.png"]


def test_an_order_is_cancelled_and_the_queue_is_bounded(
    client: Client, picture: np.ndarray
) -> None:
    up = client.json("POST", "/pictures?name=a.png", as_png(np.tile(picture, (8, 8, 1))))
    long = order(up["key"], answer="sample", steps=250, samples=8)
    first = client.json("POST", "/orders", long)["key"]
    while client.json("GET", f"/orders/{first}")["state"] == "waiting":
        time.sleep(0.01)
    second = client.json("POST", "/orders", long)["key"]
    assert "try again" in client.refused("POST", "/orders", long, code=503)
    for key in (second, first):
        client.json("DELETE", f"/orders/{key}")
        assert client.ended(key)["state"] == "cancelled"
    assert "nothing was restored" in client.refused("GET", f"/orders/{first}/zip")


def test_nothing_else_of_the_machine_is_served(client: Client, temporary: Path) -> None:
    (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "plain").write_text("root: not in the list")
    code = Path(palette.__file__).parent / "web" / "app.py"
    paths = [
        "/etc/passwd", "//etc/passwd", "/../../../../../etc/passwd", "/page/../app.py",
        "/page/..%2fapp.py", "/page/%2e%2e/app.py", "/page/%2e%2e%2fapp.py", "/page/app.py",
        "/page//etc/passwd", "/page/%2fetc%2fpasswd", f"/page/{code}", "/files//etc/passwd",
        "/files/..%2f..%2fetc%2fpasswd", "/files/%2fetc%2fpasswd", "/files/link", "/files/plain",
        f"/files/{folder}/plain", "/files/../link", "/files/%00", "/page/index.html%00", "/page/",
        "/page/..\\app.py", "/files/file:///etc/passwd", "/orders/..%2f..%2fetc%2fpasswd/zip",
        "http://127.0.0.1/etc/passwd", "/files/",
    ]  # fmt: skip
    for path in paths:
        status, _, body = client.ask("GET", path)
        assert status in (400, 404), path
        assert b"root:" not in body, path
        assert b"import" not in body, path
    name = "..%2F..%2F..%2Fetc%2Fpasswd"  # of an upload: it stands in no path
    assert "passwd" in client.refused("POST", f"/pictures?name={name}", b"root:")
    picture = f'{{"task": "jpeg-restoration", "items": [{{"picture": "{folder}/plain"}}]}}'
    assert "not here" in client.refused("POST", "/orders", picture)


def test_uploads_are_capped(client: Client, picture: np.ndarray, temporary: Path) -> None:
    assert "2.0 MB and the limit is 1" in client.refused("POST", "/masks", bytes(2 * 10**6))
    pieces = (bytes(2**16) for _ in range(20))  # without a length, as they come
    assert "the limit is 1" in client.refused("POST", "/masks", pieces)
    large = as_png(np.zeros((1001, 1000, 3)))
    assert "1000×1001 pixels" in client.refused("POST", "/pictures?name=a.png", large)
    bomb = as_png(picture).replace(
        (56).to_bytes(4, "big") + (40).to_bytes(4, "big"), b"\0\0\xff\xff" * 2
    )
    assert "a.png" in client.refused("POST", "/pictures?name=a.png", bomb)
    cut = as_png(picture)[:-500]
    for data in (b"", b"not a picture", cut):
        said = client.refused("POST", "/pictures?name=a.png", data)
        assert said.startswith("a.png")
        assert "/" not in said.replace("and/or", "")
    (folder,) = temporary.iterdir()
    assert not list(folder.iterdir())


def test_other_sites_give_no_orders(client: Client, picture: np.ndarray) -> None:
    foreign: list[dict[str, str]] = [
        {"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": ""},
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
    ]  # fmt: skip
    for headers in foreign:
        status, *_ = client.ask("POST", "/pictures?name=a.png", as_png(picture), headers)
        assert status == 403, headers
    own = {"Origin": f"http://{client.host}"}
    assert client.ask("POST", "/pictures?name=a.png", as_png(picture), own)[0] == 200


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    for path in ("/", *(f"/page/{name}" for name in PAGE)):
        status, headers, body = client.ask("GET", path)
        assert status == 200
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        text = body.decode().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert not re.search(r"https?:|(?:src|href)=\"//|@import|url\(", text), path
    files = {path.name for path in (Path(palette.__file__).parent / "web/page").iterdir()}
    assert files == set(PAGE)


def test_odd_requests_are_answered(client: Client) -> None:
    for method, path in (("PUT", "/pictures"), ("GET", "/orders"), ("POST", "/"), ("PATCH", "/x")):
        assert client.ask(method, path, b"{}")[0] in (404, 405)
    assert "no JSON" in client.refused("POST", "/orders", b"{")
    assert "not known" in client.refused("GET", "/orders/none")
    assert "not here" in client.refused("GET", "/files/none")


def test_all_is_deleted_at_the_end(generalist: Path, picture: np.ndarray, temporary: Path) -> None:
    with served(generalist) as address:
        Client(address).json("POST", "/pictures?name=a.png", as_png(picture))
        (folder,) = temporary.iterdir()
        assert list(folder.iterdir())
    assert not folder.exists()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        page = serving("tiny", {}, "127.0.0.1", port, Limits())
        with pytest.raises(UserError, match=f"port {port}: .*choose another --port"), page:
            pass
