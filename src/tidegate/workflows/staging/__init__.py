"""Changes that are made in several files: rewritten by `check --fix --unsafe`, made by `make`."""

from __future__ import annotations

from tidegate.model.finding import Finding
from tidegate.workflows.check.edits import Fixed, Source


def staged(source: Source, one: Finding, framework: str, database: str) -> Fixed | None:
    """Return the files that do without the hazard; None where none are known. Raises Declined."""
    from tidegate.workflows.staging import alembic_fixes, django_fixes
    from tidegate.workflows.staging.moments import before

    fixers = django_fixes.FIXERS if framework == "django" else alembic_fixes.FIXERS
    fixer = fixers.get(one.rule)
    if fixer is None:
        return None
    return fixer(source, one, before(source.project, one.step, database))
