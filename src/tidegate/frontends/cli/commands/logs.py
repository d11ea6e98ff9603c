"""Show the services' logs: those that are not well, or else the backend's.

usage: tidegate logs [SERVICE ...] [--tail N] [-f] [--env NAME]

  --tail N    lines of each container (50, or `all`)
  -f, --follow

Passwords that the configuration holds are masked.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.contracts.target import Target, find_service
from tidegate.frontends.cli import outside
from tidegate.frontends.cli.outside import Option
from tidegate.process import run as run_command
from tidegate.workflows.update.verify import look

FORMATS = ("text",)
OPTIONS = (*outside.TARGET, Option("--tail", True), Option("--follow", short="-f"))
FOR_EVER = 1e8


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work() -> int:
        found, words = outside.parse("logs", argv, OPTIONS, words=99)
        target = outside.target_of(glob, outside.asked_of(glob, found, {}), environ, False)
        target.reach()
        for word in words:
            find_service(target.services, word)
        services = words or _relevant(target, report)
        follow = "--follow" in found
        command = target.following(services, found.get("--tail", "50"), follow)
        done = run_command(
            command, FOR_EVER if follow else 60.0, line=_line, apart=True, keep=False
        )
        return done.code or 0

    return outside.guarded(report, work, glob, argv)


def _line(text: str) -> None:
    """Print a line without what Compose clears a terminal's line with, pipe or not."""
    if not outside.is_noise(text):
        print(text.removeprefix("\x1b[2K"), flush=True)


def _relevant(target: Target, report: Report) -> list[str]:
    """Return the services that are not well; when all are, the backend; without one, all."""
    seen = target.containers()
    active = [one for one in target.services if any(each.service == one.name for each in seen)]
    restarts = {one.id: one.restarts for one in seen}
    found = look(active, seen, restarts)
    ill = list(dict.fromkeys(one.service for one in (*found.ill, *found.waiting)))
    crashed = [one.service for one in seen if one.restarts and one.service not in ill]
    if ill or crashed:
        why = "; ".join(f"{one.service} {one.what}" for one in (*found.ill, *found.waiting))
        report.stage("logs", "", why or f"{', '.join(crashed)} restarted before")
        return ill or crashed
    return [target.backend] if target.backend else [one.name for one in active]
