"""The endpoints before a WSGI app, so that nothing in the app can stand in their way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from tidegate.container.health import answering
from tidegate.container.health.checking import Health

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]


class WSGI:
    """Answers the three paths and passes all else on; without an app, all else is not found."""

    def __init__(
        self, app: App | None = None, *, prefix: str = "", health: Health | None = None
    ) -> None:
        self.app = app
        self.prefix = prefix
        self.health = health or Health()
        self.token = os.environ.get("TIDEGATE_HEALTH_TOKEN", "")

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer one request."""
        which = answering.kind(environ.get("PATH_INFO", ""), self.prefix)
        if not which or environ.get("REQUEST_METHOD") not in answering.METHODS:
            if self.app is not None:
                return self.app(environ, start_response)
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        answer = answering.simple(which)
        if answer is None:
            details = answering.trusted(
                str(environ.get("REMOTE_ADDR", "")), headers(environ), self.token
            )
            answer = answering.ready(self.health.answers(), details)
        length = ("Content-Length", str(len(answer.body)))
        start_response(answer.reason, [*answering.HEADERS, length])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]


def headers(environ: Environ) -> dict[str, str]:
    """Return the request's headers, names in lower case."""
    return {
        key[5:].lower().replace("_", "-"): str(value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
