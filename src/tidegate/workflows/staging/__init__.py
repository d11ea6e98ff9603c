"""Changes that are made in several files: rewritten by `check --fix --unsafe`, made by `make`."""

from __future__ import annotations

from tidegate.model.finding import Finding
from tidegate.workflows.check.edits import Fixed, Source


def staged(source: Source, one: Finding, framework: str, database: str) -> Fixed | None:
    """Return the files that do without the hazard; None where none are known. Raises Declined."""
    from tidegate.workflows.staging import alembic_fixes, django_fixes, unique, volatile
    from tidegate.workflows.staging.moments import before
    from tidegate.workflows.staging.plainly import written_out
    from tidegate.workflows.staging.stage import Declined

    django = framework == "django"
    more = {
        "unique-builds-index": volatile.or_unique if django else unique.alembic,
        "volatile-default-rewrites": volatile.django if django else volatile.alembic,
        "unique-with-one-default": volatile.django,
    }
    fixers = django_fixes.FIXERS if django else alembic_fixes.FIXERS
    fixer = fixers.get(one.rule) or more.get(one.rule)
    if fixer is None:
        return None
    memo = source.project.memo
    if one.step not in memo:
        memo[one.step] = before(source.project, one.step, database)
    try:
        return fixer(source, one, memo[one.step])
    except Declined:
        plain = written_out(source, one, database, framework)
        if plain is None:
            raise
    return fixer(*plain)
