"""Registers the system check; nothing of the review is imported before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Info, Warning, register


class TidegateConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """The app: `INSTALLED_APPS += ["tidegate.django"]`."""

    name = "tidegate.django"
    label = "tidegate"
    verbose_name = "tidegate"

    def ready(self) -> None:
        """Register the check, under a tag of its own."""
        register(review_migrations, "tidegate")


def review_migrations(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what `tidegate check` says, as messages.

    Django refuses to start, and to migrate, on an Error: what is an error in a review is a
    Warning here, and the rest an Info. `check --tag tidegate --fail-level WARNING` fails on it.
    """
    from tidegate.errors import TidegateError
    from tidegate.workflows.check.review import review

    try:
        found = review(_root())
    except TidegateError as error:
        return [Warning(error.what, hint=error.next or None, id="tidegate.settings")]
    kinds = {"error": Warning, "warning": Info, "info": None}
    return [
        kind(
            f"{one.place.path}:{one.place.line}: {one.message}",
            hint=one.remedy or None,
            id=f"tidegate.{one.rule}",
        )
        for one in found.findings
        if (kind := kinds[one.severity]) is not None
    ]


def _root() -> str:
    """Return the project's folder: the setting TIDEGATE_PROJECT, BASE_DIR, or where we are."""
    import os

    from django.conf import settings

    named = getattr(settings, "TIDEGATE_PROJECT", None) or getattr(settings, "BASE_DIR", None)
    return str(named or os.getcwd())
