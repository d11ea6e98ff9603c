"""The engine asked over its own socket, where that is one on this machine.

Each question to the `docker` program is a process, and an update looks many times. What can't be
asked here (another context, another machine, an engine that is away) is left to the program, which
also says what is wrong.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

USUAL = "/var/run/docker.sock"
SECONDS = 20.0
MISSING = 404
UNUSABLE = (OSError, http.client.HTTPException, ValueError)  # no answer, or none of ours


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def place(environ: Mapping[str, str]) -> str:
    """Return the path of the socket that `docker` would use; empty where it is no such thing."""
    if not hasattr(socket, "AF_UNIX"):
        return ""
    host = environ.get("DOCKER_HOST", "")
    if host:
        return host.removeprefix("unix://") if host.startswith("unix://") else ""
    context = environ.get("DOCKER_CONTEXT") or _current(environ)
    return USUAL if context in ("", "default") and os.path.exists(USUAL) else ""


def _current(environ: Mapping[str, str]) -> str:
    folder = environ.get("DOCKER_CONFIG") or os.path.join(environ.get("HOME", ""), ".docker")
    try:
        raw = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        return str(raw.get("currentContext") or "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError):
        return "unknown"


def containers(path: str, filters: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return what `inspect` says of the containers with all these labels; None: ask the program."""
    words = quote(json.dumps({"label": list(filters)}))
    try:
        with closing(_Connection(path)) as connection:
            listed = _asked(connection, f"/containers/json?all=true&filters={words}")
            if not isinstance(listed, list):
                return None
            found = [_asked(connection, f"/containers/{one['Id']}/json") for one in listed]
    except (*UNUSABLE, KeyError):
        return None
    return [one for one in found if isinstance(one, dict)]  # what has vanished is left out


def volumes(path: str, label: str) -> list[dict[str, Any]] | None:
    """Return the volumes that have a label; None: ask the program."""
    words = quote(json.dumps({"label": [label]}))
    try:
        connection = _Connection(path)
        try:
            found = _asked(connection, f"/volumes?filters={words}")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    listed = found.get("Volumes") or [] if isinstance(found, dict) else None
    return listed if isinstance(listed, list) else None


def answers(path: str) -> bool:
    """Return whether the engine answers."""
    try:
        with closing(_Connection(path)) as connection:
            return isinstance(_asked(connection, "/version"), dict)
    except UNUSABLE:
        return False


def image(path: str, reference: str) -> dict[str, Any] | None:
    """Return what `inspect` says of an image, empty where there is none; None: ask the program."""
    try:
        with closing(_Connection(path)) as connection:
            found = _asked(connection, f"/images/{quote(reference, safe='/:@')}/json")
    except UNUSABLE:
        return None
    return found if isinstance(found, dict) else {}


def _asked(connection: _Connection, path: str) -> object:
    """Return the answer's document, or None where there is no such thing."""
    connection.request("GET", path)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status == MISSING:
        return None
    if answer.status != http.client.OK:
        raise ValueError(f"the engine answers {answer.status}")
    return json.loads(data)
