"""`palette web`: what is said before a page is served."""

from __future__ import annotations

import pytest

from palette.cli.main import main


def test_settings_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--port", "70000"]) == 2
    assert "choose 0 to 65535" in capsys.readouterr().err
    assert main(["web", "--waiting", "0"]) == 2
    assert "waiting is 0" in capsys.readouterr().err
