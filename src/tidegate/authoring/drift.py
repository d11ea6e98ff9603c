"""The rehearsal's process with three more jobs: compare the models, apply in order, tell all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.authoring.job import Answers, Outcome
from tidegate.contracts.framework import Applying
from tidegate.frameworks.alembic import AlembicProject
from tidegate.rehearsal.__main__ import main
from tidegate.rehearsal.rehearse import Rehearsal


def compare(rehearsal: Rehearsal, job: dict[str, Any]) -> None:
    """Tell what the models have that the scratch database, or Django's own state, has not."""
    project: Any = rehearsal.project
    answers = Answers(renames={}, dropped=())
    root = Path(job["root"])
    if isinstance(project, AlembicProject):
        from tidegate.authoring import with_alembic

        found = with_alembic.compare(project, rehearsal.connection.alias, answers, root)
    else:
        from tidegate.authoring import with_django

        project.load()
        found = Outcome(seen=with_django.seen())
        with_django.compare(answers, root, found)
    rehearsal.emit({"event": "models", **found.as_dict()})


def climb(rehearsal: Rehearsal, job: dict[str, Any]) -> None:
    """Apply these steps and what they need, and nothing else; what is applied stays."""
    wanted: Sequence[str] = job["deployed"]
    if isinstance(rehearsal.project, AlembicProject):
        quiet = Applying(on_start=lambda step: None, on_done=lambda step, seconds: None)
        rehearsal.project.apply(rehearsal.connection, job["head"], quiet)
        return
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections[rehearsal.connection.alias])
    leaves = executor.loader.graph.leaf_nodes()
    chosen = {tuple(one.split(".", 1)) for one in wanted}
    done = set(executor.loader.applied_migrations)
    plan = [one for one in executor.migration_plan(leaves, clean_start=True)
            if (one[0].app_label, one[0].name) in chosen - done]  # fmt: skip
    if plan:
        executor.migrate(leaves, plan=plan)


def lines(rehearsal: Rehearsal, job: dict[str, Any]) -> None:
    """Tell what the scratch database consists of."""
    rehearsal.schema("now")


if __name__ == "__main__":
    sys.exit(main({"compare": compare, "climb": climb, "lines": lines}))
