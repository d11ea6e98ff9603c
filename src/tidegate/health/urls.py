"""Django urls: `path("", include("tidegate.health.urls"))`.

They stand behind the project's middleware: prefer `tidegate.health.django.Middleware`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import decorators
from django.urls import path
from django.views.decorators.http import require_safe

from tidegate.container.health import answering
from tidegate.health.django import respond


def _view(which: str) -> Any:
    def answer(request: Any) -> Any:
        return respond(request, which)

    view = require_safe(answer)
    open_to_all = getattr(decorators, "login_not_required", None)  # since Django 5.1
    return open_to_all(view) if open_to_all else view


urlpatterns = [
    path(which[1:], _view(which), name=f"tidegate-{which[1:]}")
    for which in (answering.LIVE, answering.READY, answering.STARTED)
]
