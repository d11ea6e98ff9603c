"""`http://` and `https://`: a status below 400."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.services.stream import Stream, conversation, wrong_protocol
from tidegate.container.services.target import Target, parse
from tidegate.container.waiting import Dependency, Transient

SCHEMES = {"http": 80, "https": 443}


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that the URL names."""
    target = parse(url, SCHEMES)
    return conversation(target, talk, tls=target.scheme == "https")


def talk(target: Target, stream: Stream) -> str:
    """Ready is any final status below 400; a redirect is an answer and is not followed.

    All else is Transient: 5xx comes from a proxy whose application starts, 401, 403 and 404 from
    an application whose routes are not mounted yet. The last reason names the status, so that a
    wrong path shows at the deadline.
    """
    stream.send(_request(target))
    status = _status(target, stream.line())
    while 100 <= status < 200:  # RFC 9110, 15.2: interim answers precede the final one
        while stream.line():
            pass
        status = _status(target, stream.line())
    if status < 400:
        return f"HTTP {status}"
    raise Transient(f"HTTP {status} for {target.path or '/'}")


def _request(target: Target) -> bytes:
    path = target.path or "/"
    default = SCHEMES[target.scheme]
    host = target.address.removesuffix(f":{default}")
    lines = [
        f"GET {path}{'?' + target.query if target.query else ''} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: tidegate",
        "Accept: */*",
        "Connection: close",
    ]
    if target.user or target.password:
        from base64 import b64encode

        login = b64encode(f"{target.user}:{target.password}".encode()).decode()
        lines.append(f"Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


def _status(target: Target, line: str) -> int:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdecimal():
        raise wrong_protocol(target, "HTTP", target.quote(line))
    return int(rest[:3])
