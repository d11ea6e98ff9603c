"""nginx configuration: upstreams and where requests are passed to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PASS = re.compile(r"^\s*(proxy_pass|uwsgi_pass|grpc_pass|fastcgi_pass)\s+([^;]+);")
_SERVER = re.compile(r"^\s*server\s+([\w.-]+)(?::(\d+))?[^;{]*;")
_UPSTREAM = re.compile(r"^\s*upstream\s+([\w.-]+)\s*\{")


@dataclass(frozen=True)
class Pass:
    """A request goes on to `host` and `port`; `port` is empty where none is said."""

    host: str
    port: str
    line: int


def upstreams_of(text: str) -> set[str]:
    """Return the names of the upstreams that the file declares."""
    return {found[1] for _, one in _statements(text) if (found := _UPSTREAM.match(one))}


def passes(text: str, declared: set[str] | None = None) -> list[Pass]:
    """Return the hosts that the file passes requests to, those of upstreams instead of their names.

    `declared` are upstreams of other files that go with it.
    """
    upstreams = set(declared or ())
    out: list[Pass] = []
    inside = False
    for number, line in _statements(text):
        if found := _UPSTREAM.match(line):
            upstreams.add(found[1])
            inside = True
        if inside and (found := _SERVER.match(line)):
            out.append(Pass(found[1], found[2] or "80", number))
        if "}" in line:
            inside = False
        if found := _PASS.match(line):
            target = re.sub(r"^\w+://", "", found[2].strip()).split("/")[0]
            host, _, port = target.partition(":")
            if "$" not in target and not target.startswith("unix"):
                out.append(Pass(host, port or "80", number))
    return [one for one in out if one.host not in upstreams]


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each directive with its line; several may stand on one."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"\$\{(\w+)\}", r"$\1", line.split("#")[0])
        for one in re.split(r"(?<=[;{}])", plain):
            yield number, one
