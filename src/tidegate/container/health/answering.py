"""From a path to an answer: what WSGI, ASGI and Django all say, and to whom."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.container.health.checking import Standing

LIVE, READY, STARTED = "/livez", "/readyz", "/startupz"
LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON text of one answer."""

    status: int
    body: bytes

    @property
    def reason(self) -> str:
        """The status line's words."""
        return "200 OK" if self.status == 200 else f"{self.status} Service Unavailable"


def kind(path: str, prefix: str = "") -> str:
    """Return which of the three is asked for, or an empty string."""
    if prefix:
        if not path.startswith(prefix):
            return ""
        path = path[len(prefix) :]
    path = path[:-1] if path.endswith("/") else path
    return path if path in (LIVE, READY, STARTED) else ""


def trusted(address: str, headers: Mapping[str, str], token: str) -> bool:
    """Return whether the one who asks may see details.

    From loopback, unless a proxy passed the request on: a proxy beside the app makes every
    stranger look local. Or with the token. `headers` have lower-case names.
    """
    given = headers.get("authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    return address in LOOPBACK and not any(name in headers for name in FORWARDED)


def simple(which: str) -> Answer | None:
    """Answer what needs no database; None for readiness.

    The app answers at all, so it is alive, and boot before it has ended: it has started.
    """
    if which == READY:
        return None
    return Answer(200, _json({"status": "alive" if which == LIVE else "started"}))


def ready(standings: Sequence[Standing], details: bool) -> Answer:
    """Answer whether requests may come."""
    good = all(one.ready for one in standings)
    found: dict[str, object] = {"status": "ready" if good else "not ready"}
    if details:
        found["databases"] = [
            {
                "alias": one.alias,
                "state": one.state,
                "missing": list(one.missing),
                "unknown": list(one.unknown),
                "why": one.why,
            }
            for one in standings
        ]
    return Answer(200 if good else 503, _json(found))


def _json(found: object) -> bytes:
    return json.dumps(found).encode() + b"\n"
