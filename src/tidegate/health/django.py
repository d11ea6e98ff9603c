"""The endpoints inside Django: a middleware for the top of MIDDLEWARE, and views for urls.

The middleware answers before any other: ALLOWED_HOSTS, the redirect to HTTPS and the login never
see the probe. The views pass through all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tidegate.container.health import answering
from tidegate.container.health.checking import Health
from tidegate.health.asgi import standings
from tidegate.health.wsgi import headers

_kept: list[Health] = []


def shared() -> Health:
    """Return the one Health of this process."""
    if not _kept:
        _kept.append(Health())
    return _kept[0]


class Middleware:
    """Put it first; works in synchronous and asynchronous stacks."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction

        self.get_response = get_response
        self.prefix = os.environ.get("TIDEGATE_HEALTH_PREFIX", "")
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Answer one request, or pass it on."""
        which = answering.kind(request.path_info, self.prefix)
        if request.method not in answering.METHODS:
            which = ""
        if self._is_async:
            return self._later(request, which)
        return respond(request, which) if which else self.get_response(request)

    async def _later(self, request: Any, which: str) -> Any:
        if not which:
            return await self.get_response(request)
        answer = answering.simple(which)
        return _response(answer or answering.ready(await standings(shared()), _details(request)))


def respond(request: Any, which: str) -> Any:
    """Return Django's response for one of the three paths."""
    answer = answering.simple(which)
    return _response(answer or answering.ready(shared().answers(), _details(request)))


def _details(request: Any) -> bool:
    address = str(request.META.get("REMOTE_ADDR", ""))
    token = os.environ.get("TIDEGATE_HEALTH_TOKEN", "")
    return answering.trusted(address, headers(request.META), token)


def _response(answer: answering.Answer) -> Any:
    from django.http import HttpResponse

    fields = dict(answering.HEADERS)
    kind = fields.pop("Content-Type")
    return HttpResponse(answer.body, status=answer.status, content_type=kind, headers=fields)
