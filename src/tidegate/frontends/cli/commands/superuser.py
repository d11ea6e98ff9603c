"""Create a Django superuser in the backend's container.

usage: tidegate superuser [--env NAME] [--service NAME]

Asks at a terminal, as Django does. Without one, or where DJANGO_SUPERUSER_USERNAME and
DJANGO_SUPERUSER_PASSWORD are set, it takes those and DJANGO_SUPERUSER_EMAIL, and asks nothing;
their values never stand on a command line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import outside
from tidegate.process import attached
from tidegate.workflows.update import standing

FORMATS = ("text",)
PREFIX = "DJANGO_SUPERUSER_"
NEEDED = (PREFIX + "USERNAME", PREFIX + "PASSWORD")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        found, _ = outside.parse("superuser", argv, outside.TARGET)
        target = outside.target_of(glob, outside.asked_of(glob, found, {}), environ)
        report.secrets = target.secrets
        if target.source and not (Path(target.source) / "manage.py").is_file():
            raise UsageProblem(
                f"the project at {target.source} is not one of Django's",
                "Superusers are Django's; Alembic projects have none.",
                "create the account with the app's own command: tidegate run -- COMMAND",
            )
        given = [name for name in environ if name.startswith(PREFIX) and environ[name]]
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        missing = [name for name in NEEDED if name not in given]
        if missing and not tty:
            raise UsageProblem(
                "there is no terminal to ask at",
                f"Not set: {', '.join(missing)}.",
                "set them, or run this at a terminal",
            )
        words = [target.python(), "manage.py", "createsuperuser"]
        if not missing:
            words.append("--noinput")
        target.reach()
        tty = tty and bool(missing)
        if any(one.service == target.backend and one.up for one in target.containers()):
            command = target.within(target.backend, words, tty=tty, environ=given)
        else:
            standing.prepared(target, target.backend, report)
            command = target.once(target.backend, words, tty=tty, environ=given)
        return attached(command).code or 0

    return outside.guarded(report, work)
