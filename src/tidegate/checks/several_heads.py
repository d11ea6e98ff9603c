"""The migrations have more than one end.

Two branches added a migration each, and no migration joins them: the framework does not know which state is the last and refuses to migrate at all.
Merge them: `tidegate make --merge`, which also tells whether both orders give the same schema.
It is silent for Alembic branches with labels that are upgraded by `heads`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import graph
from tidegate.reading.project.graph import Migration
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"Conflicting migrations detected; multiple leaf nodes",
    r"Multiple head revisions are present",
    r"Multiple heads are present",
)
PRINTED = (
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph"
)
WHEN = "at every migrate"
SHOWN = 4
_NODE = "from django.db import migrations\n\n\nclass Migration(graph.Migration):\n    dependencies = [{}]\n"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": _NODE.format(""),
    "shop/migrations/0002_price.py": _NODE.format('("shop", "0001_initial")'),
    "shop/migrations/0002_stock.py": _NODE.format('("shop", "0001_initial")'),
}
GOOD = {**BAD, "shop/migrations/0002_stock.py": _NODE.format('("shop", "0002_price")')}
AT = "shop/migrations/0002_price.py:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield apps and Alembic environments with more than one head."""
    for app, found in project.app_migrations.items():
        label = project.app_label(app)
        leaves = graph.django_leaves(label, found)
        if len(leaves) > 1 and all(each.readable for each in found):
            yield _problem(
                leaves,
                f"The app {label} has {len(leaves)} last migrations",
                f"tidegate make --merge    (or: python manage.py makemigrations --merge {label})",
                "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph",
            )
    for one in project.alembics:
        revisions = project.revisions(one)
        if not all(each.readable for each in revisions):
            continue
        heads = graph.alembic_heads(revisions)
        labelled = [head for head in heads if head.branches]
        if len(heads) > 1 and len(labelled) < len(heads) - 1 and not _upgrades_heads(project):
            yield _problem(
                heads, f"Alembic has {len(heads)} heads",
                "tidegate make --merge    (or: alembic merge heads)",
                "Multiple head revisions are present for given argument 'head'",
            )  # fmt: skip


def _problem(ends: list[Migration], what: str, command: str, printed: str) -> Problem:
    ends = sorted(ends, key=lambda one: one.path)
    more = f" and {len(ends) - SHOWN} more" if len(ends) > SHOWN else ""
    named = (", " if more else " and ").join(one.id for one in ends[:SHOWN])
    return Problem(
        Place(ends[0].path, ends[0].line),
        f"{what}: {named}{more}. Nothing can be applied until they are joined.",
        command,
        tuple(Place(one.path, one.line) for one in ends[1:SHOWN]),
        printed=printed,
    )


def _upgrades_heads(project: ProjectFiles) -> bool:
    return any("heads" in act.words for one in project.services for act in project.start(one).acts)
