"""Apply the pending steps, by the same election as boot, and stop there.

usage: tidegate migrate [TARGET] [--timeout SECONDS] [--lock-timeout SECONDS] [--databases A,B]
                        [--backup auto|always|never] [--env NAME] [--service NAME] [--local]
                        [--format text|json|jsonl]

TARGET is app_label, app_label.0002_name or app_label 0002 for Django, a revision or label@head for
Alembic. Going backwards is refused: see rollback. Steps that were rolled back are applied again, as
a start never does. Where the project has Compose files and Docker is there, it runs in a one-off
container of the service made for it (`migrations`), or else of the backend; --local (or
TIDEGATE_LOCAL=1) runs it here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.migrating import knowing, raise_to
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "json", "jsonl")
OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    if len(argv) > 1 and not any(word.startswith("-") for word in argv[:2]):
        argv = [".".join(argv[:2]), *argv[2:]]  # as Django's own command takes it: app 0002
    code, argv = handed_over("migrate", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        target = argv[0] if argv and not argv[0].startswith("-") else ""
        settings, rest = settings_for(glob.root, environ, argv[1:] if target else argv, OPTIONS)
        if rest and not target and not rest[0].startswith("-"):
            target, rest = rest[0], rest[1:]
        if rest:
            raise UsageProblem(f"migrate does not take {rest[0]}", "", "tidegate migrate --help")
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        chosen = knowing(gate, target) if target else gate.connections
        wait(one, gate)
        done = [raise_to(one, gate, connection, target).document() for connection in chosen]
        if glob.format == "json":
            answer(json.dumps({"migrations": done}, indent=2))
        elif glob.format == "jsonl":
            for each in done:
                report.stage("result", str(each["alias"]), "", migration=each)
        return 0

    return guarded(report, work, "migrate", loads=True)
