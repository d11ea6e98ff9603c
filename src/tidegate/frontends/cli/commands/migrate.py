"""Apply the pending steps, by the same election as boot, and stop there.

usage: tidegate migrate [TARGET] [--timeout SECONDS] [--lock-timeout SECONDS] [--databases A,B]
                        [--backup auto|always|never] [--env NAME] [--service NAME] [--local]

TARGET is app_label or app_label.0002_name for Django, a revision or label@head for Alembic. Going
backwards is refused: see rollback. Steps that were rolled back are applied again, as a start never
does. Where the project has Compose files and Docker is there, it runs in a one-off container of
the service made for it (`migrations`), or else of the backend; --local (or TIDEGATE_LOCAL=1) runs
it here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.applying import raise_level
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.gate import Gate, open_gate
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.frontends.cli.handover import handed_over
from tidegate.model.connection import Connection
from tidegate.model.words import counted

OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("migrate", glob, argv, environ)
    if code is not None:
        return code
    report = Report("jsonl" if glob.format in ("json", "jsonl") else "text", glob.quiet)

    def work(signals: Signals) -> int:
        target = argv[0] if argv and not argv[0].startswith("-") else ""
        settings, rest = settings_for(glob.root, environ, argv[1:] if target else argv, OPTIONS)
        if rest and not target and not rest[0].startswith("-"):
            target, rest = rest[0], rest[1:]
        if rest:
            raise UsageProblem(f"migrate does not take {rest[0]}", "", "tidegate migrate --help")
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        chosen = _knowing(gate, target) if target else gate.connections
        wait(one, gate)
        for connection in chosen:
            _migrate(one, gate, connection, target)
        return 0

    return guarded(report, work, "migrate")


def _knowing(gate: Gate, target: str) -> list[Connection]:
    """Return the databases that have the target among their steps; with a label, all of them."""
    refused: UsageProblem | None = None
    chosen = []
    for connection in gate.connections:
        try:
            _goal(gate, connection, target)
            chosen.append(connection)
        except UsageProblem as problem:
            refused = refused or problem
    if refused and not chosen:
        raise refused
    return chosen


def _migrate(one: Boot, gate: Gate, connection: Connection, target: str) -> None:
    began = time.monotonic()
    verdict = gate.standing(connection)
    if target:
        _refuse_backwards(gate, connection, target, verdict.applied)
    raising = Raising(
        gate, connection, one.settings, one.deadline, one.report, one.signals, target, again=True
    )
    after = raise_level(raising) if verdict.to_do else verdict
    fresh = len(after.applied) - len(verdict.applied)
    text = f"{after.state}; {counted(fresh, 'step')} applied by this command or meanwhile"
    one.report.stage("migrate", connection.alias, text, time.monotonic() - began, state=after.state)


def _refuse_backwards(
    gate: Gate, connection: Connection, target: str, applied: frozenset[str]
) -> None:
    """A target at or below what is applied would take steps back."""
    goal = _goal(gate, connection, target)
    steps = gate.steps(connection.alias)
    if goal in applied and any(goal in step.needs for step in steps if step.id in applied):
        raise _backwards(target)


def _goal(gate: Gate, connection: Connection, target: str) -> str:
    """Return the step that `target` names; nothing for an app or a head, which are ahead of all."""
    steps = gate.steps(connection.alias)
    known = {step.id for step in steps}
    apps = {step.id.split(".", 1)[0] for step in steps if "." in step.id}
    matching = [one for one in known if one == target or one.startswith(target)]
    if target == "zero" or target.endswith((".zero", " zero")) or target.startswith("-"):
        raise _backwards(target)
    if target in apps or target in ("head", "heads") or target[0] == "+" or "@" in target:
        return ""
    if target not in known and len(matching) != 1:
        raise UsageProblem(
            f"there is no step {target}" if not matching else f"{target} means several steps",
            f"Did you mean: {', '.join(sorted(matching)[:5])}?" if matching else "",
            "name it in full; see `tidegate status`",
        )
    return target if target in known else matching[0]


def _backwards(target: str) -> PolicyRefused:
    return PolicyRefused(
        f"{target} lies behind where the database stands",
        "migrate only goes forward: steps that are taken back can lose data. Nothing was changed.",
        "see the ways back and what they lose: tidegate rollback --plan",
    )
