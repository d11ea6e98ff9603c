"""Whether a verb of the inside runs here, or through the project's target.

The inside ships without the outside: that is looked for by name, and missed without a word.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem

LOCAL = "--local"
EXPLICIT = ("--env", "--service")
BECOMES = ("apply", "history", "migrate", "rollback", "status")


def handed_over(
    verb: str, glob: Globals, argv: list[str], environ: Mapping[str, str],
    stays: tuple[str, ...] = (),
) -> tuple[int | None, list[str]]:  # fmt: skip
    """Return the exit code of the verb that ran through the target, and the words left for here.

    The code is None when the verb has to run here: because --local says so, or because nothing
    says that a target runs the project. A container of the app has no engine, so it decides alone.
    With an option of `stays` the verb is about something else than the project's database.
    """
    if any(word.partition("=")[0] in stays for word in argv):
        return None, argv
    code, left = _through_a_target(verb, glob, argv, environ)
    if code is None and verb in BECOMES:
        _become_the_projects_python(glob.root, environ)
    return code, left


def _through_a_target(
    verb: str, glob: Globals, argv: list[str], environ: Mapping[str, str]
) -> tuple[int | None, list[str]]:
    if LOCAL in argv or environ.get("TIDEGATE_LOCAL") in ("1", "true", "yes"):
        return None, [word for word in argv if word != LOCAL]
    said = bool(glob.files) or any(word.partition("=")[0] in EXPLICIT for word in argv)
    if not said and not (shutil.which("docker") or shutil.which("docker-compose")):
        return None, argv
    try:
        if not said and not discovery.target_signs(Path(glob.root)):
            return None, argv
        remote: Any = importlib.import_module("tidegate.frontends.cli.remote")
    except ModuleNotFoundError:
        return None, argv
    return remote.run(verb, glob, argv, environ, said), argv


def _become_the_projects_python(root: str, environ: Mapping[str, str]) -> None:
    """Where this Python has no framework (uvx, pipx), go on in the project's own, as `plan` does.

    There the one file of the inside runs the same words.
    """
    if os.name != "posix" or any(importlib.util.find_spec(one) for one in ("django", "alembic")):
        return
    try:
        own: Any = importlib.import_module("tidegate.workflows.ownpython")
        archive: Any = importlib.import_module("tidegate.targets.archive")
        python = own.own_python(Path(root), environ)
    except (ModuleNotFoundError, UsageProblem):
        return  # what comes next says what is missing
    if python != sys.executable:
        os.execve(python, [python, str(archive.cached(environ)), *sys.argv[1:]], dict(environ))


def rehearsed(
    glob: Globals, argv: list[str], environ: Mapping[str, str], report: Report, signals: Signals
) -> int:
    """Rehearse the pending steps, then apply that plan; the outside does it."""
    try:
        rehearsing: Any = importlib.import_module("tidegate.frontends.cli.rehearsing")
    except ModuleNotFoundError:
        raise UsageProblem(
            "a rehearsal is not for the inside of an image",
            "It needs a scratch database beside the real one.",
            "run it on a developer's machine or in CI; in an image, a plan's forms are used with "
            "--forms PLAN",
        ) from None
    code: int = rehearsing.run(glob, argv, environ, report, signals)
    return code
