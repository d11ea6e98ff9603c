"""The endpoints before an ASGI app; the event loop never waits for the database."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tidegate.container.health import answering
from tidegate.container.health.checking import Health, Standing, Watch

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ASGI:
    """Answers the three paths and passes all else on; without an app, all else is not found."""

    def __init__(
        self, app: App | None = None, *, prefix: str = "", health: Health | None = None
    ) -> None:
        self.app = app
        self.prefix = prefix
        self.health = health or Health()
        self.token = os.environ.get("TIDEGATE_HEALTH_TOKEN", "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        which = answering.kind(_path(scope), self.prefix) if scope["type"] == "http" else ""
        if which and scope["method"] in answering.METHODS:
            await self._answer(which, scope, send)
        elif self.app is not None:
            await self.app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await _send(send, 404, (), b"")

    async def _answer(self, which: str, scope: Scope, send: Send) -> None:
        answer = answering.simple(which)
        if answer is None:
            names = {
                key.decode("latin-1").lower(): value.decode("latin-1")
                for key, value in scope["headers"]
            }
            address = (scope.get("client") or ("",))[0]
            details = answering.trusted(address, names, self.token)
            answer = answering.ready(await standings(self.health), details)
        body = b"" if scope["method"] == "HEAD" else answer.body
        fields = (*answering.HEADERS, ("Content-Length", str(len(answer.body))))
        await _send(send, answer.status, fields, body)


async def standings(health: Health) -> list[Standing]:
    """Return where everything stands; waits without blocking, and no longer than the timeout."""
    watches = health.watches()
    found = [await _standing(one) for one in watches]
    now = health.watches()
    if found[0].ready and now[0] is not watches[0]:  # the project has just said what it has
        return [await _standing(one) for one in now]
    return found


async def _standing(watch: Watch) -> Standing:
    seen = watch.peek()
    if seen is not None:
        return seen
    flight = asyncio.wrap_future(watch.flight())
    try:
        return await asyncio.wait_for(asyncio.shield(flight), watch.left())
    except TimeoutError:
        return watch.late()


def _path(scope: Scope) -> str:
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


async def _send(send: Send, status: int, fields: tuple[tuple[str, str], ...], body: bytes) -> None:
    raw = [(key.lower().encode(), value.encode()) for key, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
