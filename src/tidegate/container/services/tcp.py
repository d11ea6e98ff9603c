"""`tcp://HOST:PORT`: an open port."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.services.stream import Stream, conversation
from tidegate.container.services.target import Target, parse
from tidegate.container.waiting import Dependency

SCHEMES = {"tcp": 0}


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that the URL names."""
    return conversation(parse(url, SCHEMES), talk)


def talk(target: Target, stream: Stream) -> str:
    """An open port is all; a proxy in front (Docker's own included) may open it too early."""
    return "port open"
