"""One job in, as a JSON word; one JSON document out. What the project prints goes to stderr."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tidegate.authoring.job import Answers, Outcome
from tidegate.contracts.framework import Project
from tidegate.errors import TidegateError


def main() -> int:
    """Do the job that the first argument holds."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]
    found: dict[str, Any]
    try:
        found = _do(job)
    except TidegateError as error:
        found = Outcome(error={"what": error.what, "meaning": error.meaning, "next": error.next,
                               "code": str(error.exit_code)}).as_dict()  # fmt: skip
    except Exception as error:
        lines = [line.strip() for line in traceback.format_exc().splitlines()]
        places = [line for line in lines if line.startswith("File ")]
        own = [line for line in places if "site-packages" not in line and "tidegate" not in line]
        found = Outcome(error={
            "what": f"the project can't be read: {type(error).__name__}: {error}",
            "meaning": (own or places or [""])[-1],
            "next": "correct it; the framework's own command raises the same",
            "trace": "\n".join(lines[-30:]),
        }).as_dict()  # fmt: skip
    print(json.dumps(found), file=out, flush=True)
    return 0


def _do(job: dict[str, Any]) -> dict[str, Any]:
    from tidegate import discovery

    root = Path(job.get("root") or os.getcwd()).resolve()
    project = discovery.find_project(root, os.environ, job.get("framework", ""))
    if job.get("do") == "where":
        from tidegate.authoring import whereabouts

        return {"error": {}, **whereabouts.look(project)}
    if job.get("do") == "record":
        from tidegate.authoring import folding

        return folding.record(job, root)
    return _author(project, job, root).as_dict()


def _author(project: Project, job: dict[str, Any], root: Path) -> Outcome:
    from tidegate.frameworks.alembic import AlembicProject

    answers = Answers.from_dict(job)
    if isinstance(project, AlembicProject):
        if job.get("scratch"):
            from tidegate.authoring import folding

            return folding.author(project, answers, root)
        from tidegate.authoring import with_alembic

        return with_alembic.make(project, answers, root)
    from tidegate.authoring import with_django

    return with_django.make(project, answers, root)


if __name__ == "__main__":
    sys.exit(main())
