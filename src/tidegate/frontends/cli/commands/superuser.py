"""Create a Django superuser in the backend's container.

usage: tidegate superuser [--env NAME] [--service NAME]

Asks at a terminal, as Django does. Without one, or where DJANGO_SUPERUSER_USERNAME and
DJANGO_SUPERUSER_PASSWORD are set, it takes those and DJANGO_SUPERUSER_EMAIL, and asks nothing;
their values never stand on a command line. Where people log in with another field of the project's
own user, that one stands in the place of USERNAME: DJANGO_SUPERUSER_EMAIL, DJANGO_SUPERUSER_PHONE.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.errors import NotReady, UsageProblem
from tidegate.frontends.cli import outside
from tidegate.process import Command, attached
from tidegate.process import run as run_command
from tidegate.workflows.update import standing, strangers

FORMATS = ("text",)
PREFIX = "DJANGO_SUPERUSER_"
NEEDED = (PREFIX + "USERNAME", PREFIX + "PASSWORD")
UNATTENDED = "--noinput"
SECONDS = 120.0


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
        if not tty and any(name not in NEEDED for name in given):
            missing = [name for name in missing if name == NEEDED[1]]
        if missing and not tty:
            raise UsageProblem(
                "there is no terminal to ask at",
                f"Not set: {', '.join(missing)}.",
                "set them, or run this at a terminal",
            )
        words = [target.python(), "manage.py", "createsuperuser"]
        if not missing:
            words.append(UNATTENDED)
        target.reach()
        tty = tty and bool(missing)
        if any(one.service == target.backend and one.up for one in target.containers()):
            strangers.refuse(target, report)
            command = target.within(target.backend, words, tty=tty, environ=given)
        else:
            standing.prepared(target, target.backend, report)
            command = target.once(target.backend, words, tty=tty, environ=given)
        return _unattended(command) if not missing else attached(command).code or 0

    return outside.guarded(report, work, glob, argv)


def _unattended(command: Command) -> int:
    """Run what asks nothing. A project's own command may know no other way than asking."""
    done = run_command(command, SECONDS, apart=True)
    if done.code == 2 and UNATTENDED in done.err and "unrecognized" in done.err:
        raise UsageProblem(
            f"the project's own createsuperuser does not take {UNATTENDED}",
            "It stands in the place of Django's, and can't go by variables. No account was made.",
            "let it ask, at a terminal: tidegate run -- manage.py createsuperuser\n"
            "or see what it takes: tidegate run -- manage.py createsuperuser --help",
        )
    if done.code is None:
        raise NotReady("createsuperuser did not end", done.why, "tidegate logs; then run it again")
    print(done.out, end="", flush=True)
    print(done.err, end="", file=sys.stderr, flush=True)
    return done.code
