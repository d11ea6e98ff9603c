"""Where the engine's socket is, and what an engine that is not there means."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tidegate.targets import enginesocket

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")


def test_the_socket_is_the_one_that_docker_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its variables and its configuration; of anything else nothing is guessed."""
    usual = tmp_path / "usual.sock"
    usual.touch()
    monkeypatch.setattr(enginesocket, "USUAL", str(usual))
    home = {"HOME": str(tmp_path)}
    assert enginesocket.place({**home, "DOCKER_HOST": "unix:///run/x.sock"}) == "/run/x.sock"
    assert enginesocket.place({**home, "DOCKER_HOST": "tcp://10.0.0.1:2376"}) == ""
    assert enginesocket.place({**home, "DOCKER_HOST": "ssh://server"}) == ""
    assert enginesocket.place({**home, "DOCKER_CONTEXT": "server"}) == ""
    assert enginesocket.place({**home, "DOCKER_CONTEXT": "default"}) == str(usual)
    assert enginesocket.place(home) == str(usual)
    (tmp_path / ".docker").mkdir()
    for text, expected in (
        ('{"currentContext": "desktop"}', ""), ('{"auths": {}}', str(usual)), ("{", ""),
    ):  # fmt: skip
        (tmp_path / ".docker/config.json").write_text(text)
        assert enginesocket.place(home) == expected
    usual.unlink()
    (tmp_path / ".docker/config.json").unlink()
    assert enginesocket.place(home) == ""


def test_an_engine_that_is_away_is_left_to_the_program(tmp_path: Path) -> None:
    """No socket, or one that nobody listens to: there is no answer, and not an empty one."""
    path = str(tmp_path / "none.sock")
    assert enginesocket.containers(path, ["a=b"]) is None
    assert enginesocket.image(path, "shop") is None
    assert enginesocket.answers(path) is False
