"""`palette web`: what is said before a page is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from palette.cli.main import main


def test_settings_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--port", "70000"]) == 2
    assert "choose 0 to 65535" in capsys.readouterr().err
    assert main(["web", "--waiting", "0"]) == 2
    assert "waiting is 0" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "runs/x4"), ("0.0.0.0", "x4")])
def test_only_this_machine_is_shown_where_its_model_lies(
    host: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's command for a terminal needs the path as it was given."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    seen: list[str] = []

    @contextmanager
    def serving(model: str, *_: object) -> Iterator[tuple[str, Callable[[], None], None]]:
        seen.append(model)
        yield "http://127.0.0.1:1", lambda: None, None

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("palette.api.load_tasks", lambda *_, **__: {})
    monkeypatch.setattr("palette.web.server.serving", serving)
    assert main(["web", "runs/x4", "--host", host]) == 0
    assert seen == [shown]
