"""Run a command in the container of a service, on this terminal.

usage: tidegate run [SERVICE] [--one-off] [--env NAME] -- COMMAND [ARG ...]

SERVICE is the backend unless another is named. The running container is taken where there is one,
else a one-off container, which --one-off always takes. `manage.py` alone means `python manage.py`.
The exit code is the command's own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.contracts.target import find_service
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import outside
from tidegate.frontends.cli.outside import Option
from tidegate.process import attached
from tidegate.workflows.update import standing, strangers

FORMATS = ("text",)
OPTIONS = (*outside.TARGET, Option("--one-off"))


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        at = argv.index("--") if "--" in argv else len(argv)
        words = argv[at + 1 :]
        found, named = outside.parse("run", argv[:at], OPTIONS, words=1)
        if not words:
            raise UsageProblem(
                "run has no command",
                "",
                "write it after two dashes: tidegate run -- manage.py shell",
            )
        target = outside.target_of(glob, outside.asked_of(glob, found, {}), environ, not named)
        report.secrets = target.secrets
        service = named[0] if named else target.backend
        find_service(target.services, service)
        if words[0] == "manage.py":
            words = [target.python(), *words]
        target.reach()
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        running = any(one.service == service and one.up for one in target.containers())
        if running and "--one-off" not in found:
            strangers.refuse(target, report)
            report.stage("run", service, "in the running container")
            return attached(target.within(service, words, tty=tty)).code or 0
        standing.prepared(target, service, report)
        report.stage("run", service, "in a one-off container")
        return attached(target.once(service, words, tty=tty)).code or 0

    return outside.guarded(report, work, glob, argv)
