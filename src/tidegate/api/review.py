"""Review and rehearsal from Python. They belong to the outside: the one-file inside has neither."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tidegate.api.work import Log
from tidegate.errors import UsageProblem
from tidegate.model.finding import Findings


def check(
    root: str | Path = ".",
    paths: Sequence[str] = (),
    *,
    since: str = "",
    database: str = "",
    baseline: bool = True,
) -> Findings:
    """Review migration files by the rules, without a database; see `tidegate check`.

    `paths` name files or folders, `since` a git revision; with neither, all are reviewed.

    ```python
    found = tidegate.check()
    print([(one.rule, one.place.path) for one in found.at_least("error")])
    ```
    """
    reviewing = _outside("tidegate.workflows.check.review")
    found: Findings = reviewing.review(
        str(root), paths, since=since, database=database, use_baseline=baseline
    )
    return found


def plan(
    root: str | Path = ".",
    *,
    database: str = "",
    against: str = "",
    start: str = "",
    since: str = "",
    scratch: str = "",
    framework: str = "",
) -> Findings:
    """Run the pending steps on a scratch database, and say what they would do to the real one.

    `against` is the URL of the target, `start` or `since` name the deployed steps instead;
    `scratch` is a server to rehearse on. `extra` of what comes back is the plan as the command's
    JSON has it: `plan`, `steps`, `rehearsal`.

    ```python
    rehearsed = tidegate.plan(start="zero")
    print(len(rehearsed.extra["steps"]), rehearsed.summary)
    ```
    """
    story = _outside("tidegate.workflows.plan.story")
    document = _outside("tidegate.workflows.plan.document")
    request = story.Request(
        Path(root), dict(os.environ), database=database, against=against, start=start, since=since,
        server=scratch, framework=framework,
    )  # fmt: skip
    log = Log()
    found: Findings = document.findings(
        story.rehearse(request, lambda text: log.stage("plan", "", text))
    )
    return found


def _outside(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("tidegate"):
            raise
        raise UsageProblem(
            "this is the one-file tidegate, which reviews and rehearses nothing", "",
            "install the package: pip install tidegate",
        ) from None  # fmt: skip
