"""The rehearsal's process: jobs come in on standard input, events go out on standard output.

What a migration prints itself goes to standard error, so that it can't be taken for an event.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tidegate import discovery
from tidegate.contracts.framework import Project
from tidegate.errors import TidegateError
from tidegate.model.tenancy import refuse_tenants
from tidegate.rehearsal import onlylooking
from tidegate.rehearsal.rehearse import Rehearsal

Job = Callable[[Rehearsal, dict[str, Any]], None]


def main(more: Mapping[str, Job] | None = None) -> int:
    """Answer jobs until there are no more; `more` are kinds of jobs beside the rehearsal's own."""
    gc.set_threshold(100_000, 50, 50)  # thousands of models live as long as this process
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        out.write(json.dumps(event, default=str) + "\n")
        out.flush()

    rehearsal: Rehearsal | None = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if job["do"] == "look":
                rehearsal = _look(job, emit)
            elif rehearsal is not None and more and job["do"] in more:
                more[job["do"]](rehearsal, job)
            elif rehearsal is not None:
                jobs = (rehearsal.target, rehearsal.copy, rehearsal.point, rehearsal.warm,
                        rehearsal.models, rehearsal.build,
                        rehearsal.fill, rehearsal.perform, rehearsal.online,
                        rehearsal.climb, rehearsal.loaded)  # fmt: skip
                {one.__name__: one for one in jobs}[job["do"]](job)
            emit({"event": "done", "do": job["do"]})
        except TidegateError as error:
            emit({"event": "refused", "what": error.what, "meaning": error.meaning,
                  "next": error.next, "exit_code": error.exit_code})  # fmt: skip
        except Exception as error:
            emit({"event": "broken", "what": f"{type(error).__name__}: {error}",
                  "traceback": traceback.format_exc()})  # fmt: skip
    return 0


def _look(job: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> Rehearsal:
    """Find the project; tell its databases and its steps."""
    root = Path(job["root"])
    onlylooking.keep_read_only()
    project: Project = discovery.find_project(root, os.environ, job.get("framework", ""))
    try:
        rehearsal = Rehearsal(project, emit)
    except Exception as error:
        if onlylooking.was_refused(error):
            raise onlylooking.problem(error, project.root) from None
        raise
    for one in rehearsal.connections:
        if job.get("database") in ("", one.alias):
            refuse_tenants(
                one, "a rehearsal applies them in one",
                "tidegate check    (it reads the steps), and try them on a copy of the database",
            )  # fmt: skip
        emit({"event": "connection", "alias": one.alias, "vendor": one.vendor, "host": one.host,
              "port": one.port, "user": one.user, "password": one.password.reveal(),
              "name": one.name, "options": one.options, "version_table": one.version_table,
              "version_schema": one.version_schema, "driver": one.driver,
              "recorded_sql": project.recorded_sql(one)})  # fmt: skip
        if job.get("database") in ("", one.alias):
            for step in project.steps(one.alias):
                emit({"event": "step", "alias": one.alias, **step.as_dict()})
    emit({"event": "project", "framework": project.framework, "root": str(project.root)})
    return rehearsal


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # thousands of models are not taken down one by one
