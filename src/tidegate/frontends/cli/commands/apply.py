"""Apply a plan: exactly the steps that were rehearsed, to exactly the database they were meant for.

usage: tidegate apply PLAN [--approve FINGERPRINT] [--timeout SECONDS] [--lock-timeout SECONDS]
                      [--backup auto|always|never] [--env NAME] [--service NAME] [--local]

PLAN is the file that `tidegate plan -o` wrote. When the steps' code, the database's level, its
schema or the database itself has moved since, nothing is applied (exit code 6). Steps that take
data away, or can't be taken back, need --approve with the plan's fingerprint; --approve - reads it
from standard input. Where the project has Compose files and Docker is there, it runs in a one-off
container as `tidegate plan` does; --local (or TIDEGATE_LOCAL=1) runs it here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tidegate.container import approval, planned
from tidegate.container.applying import raise_level
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import Gate, open_gate
from tidegate.container.oneoff import refuse_writing
from tidegate.container.outlet import answer
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.unhindered import patiently
from tidegate.contracts.database import Session
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.handover import handed_over
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict

FORMATS = ("text", "json", "jsonl")
OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("apply", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        approved, rest = approval.taken(list(argv))
        apply(glob, rest, approved, environ, report, signals, began)
        return 0

    return guarded(report, work, loads=True)


def apply(
    glob: Globals,
    argv: list[str],
    given: str,
    environ: Mapping[str, str],
    report: Report,
    signals: Signals,
    began: float,
) -> None:
    """Apply the plan that argv begins with; `given` is what was said after --approve."""
    path = next((word for word in argv[:1] if not word.startswith("-")), "")
    settings, more = settings_for(glob.root, environ, argv[1:] if path else argv, OPTIONS)
    path, more = (path, more) if path else ("".join(more[:1]), more[1:])
    if not path or more:
        raise UsageProblem(
            f"apply does not take {more[0]}" if more else "apply needs a plan",
            "It is the file that `tidegate plan -o FILE` writes.",
            "tidegate apply FILE",
        )
    plan = planned.read(path)
    planned.refuse_unproved(plan)
    approval.refuse_unapproved(plan, approval.said(given), environ)
    one = Boot(Path(glob.root), environ, {**settings, "databases": plan.database}, report,
               signals, began)  # fmt: skip
    gate = open_gate(one.root, environ, one.settings)
    report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
    refuse_writing(environ, gate.connections, "applied to")
    wait(one, gate)
    done = {"plan": plan.fingerprint, **_apply(one, gate, gate.connections[0], plan)}
    if glob.format == "json":
        answer(json.dumps(done, indent=2))
    elif glob.format == "jsonl":
        report.stage("result", plan.database, "", apply=done)


def _apply(one: Boot, gate: Gate, connection: Connection, plan: planned.Plan) -> dict[str, object]:
    """Apply what is not applied yet; return what the document says of it."""
    began = time.monotonic()
    steps = gate.steps(connection.alias)

    def check(verdict: Verdict, session: Session) -> None:
        patiently(
            session,
            one.deadline,
            connection.alias,
            lambda text: one.report.stage("apply", connection.alias, text),
            lambda: planned.refuse_stale(plan, steps, connection, verdict, session),
        )

    verdict = gate.standing(connection)
    if not verdict.pending and all(step in verdict.applied for step in plan.steps):
        one.report.stage("apply", connection.alias, f"plan {plan.fingerprint} is applied already")
        return {"alias": connection.alias, "state": verdict.state, "applied": []}
    if not verdict.pending:
        session = gate.database(connection).session(5.0)
        try:
            check(verdict, session)
        finally:
            session.close()
    raising = Raising(gate, connection, one.settings, one.deadline, one.report, one.signals,
                      plan=plan.fingerprint, forms=plan.forms, check=check)  # fmt: skip
    after = raise_level(raising)
    there = [step for step in plan.steps if step in after.applied]
    text = f"plan {plan.fingerprint}: {len(there)} of {len(plan.steps)} steps are applied"
    one.report.stage("apply", connection.alias, text, time.monotonic() - began)
    fresh = [step for step in there if step not in verdict.applied]
    return {"alias": connection.alias, "state": after.state, "applied": fresh}
