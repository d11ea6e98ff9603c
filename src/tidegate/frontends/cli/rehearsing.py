"""`migrate --look rehearse` and `migrate --online`: `plan` and `apply` in one go."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.container import approval
from tidegate.container.entry import Globals
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.signals import Signals
from tidegate.contracts.target import Target
from tidegate.errors import PolicyRefused, StateNotCurrent, UsageProblem
from tidegate.frontends.cli import shipping, through
from tidegate.frontends.cli.commands.apply import apply
from tidegate.model.finding import Findings
from tidegate.workflows.plan.document import document, findings
from tidegate.workflows.plan.project import Request
from tidegate.workflows.plan.story import rehearse
from tidegate.workflows.plan.text import story
from tidegate.workflows.update.state import State

TAKEN = ("--approve", "--fail-on", "--databases", "--look", "--framework", "--forms")


def run(
    glob: Globals, argv: Sequence[str], environ: Mapping[str, str], report: Report, signals: Signals
) -> int:
    """Rehearse each database's pending steps, and apply its plan where nothing speaks against it.

    Several databases are gone through one after the other, as by `migrate`.
    """
    words = [word for word in argv if word != "--online"]
    services, words = through.services(glob, words, environ, report)
    said = {}
    for flag in TAKEN:
        said[flag], words = approval.taken(words, flag)
    if words and not words[0].startswith("-"):
        raise UsageProblem(
            f"a rehearsal goes through all pending steps, and not up to {words[0]}", "",
            "leave it out, or leave --online and --look rehearse out",
        )  # fmt: skip
    wanted = [one for one in said["--databases"].split(",") if one] or [""]
    while wanted:
        request = Request(Path(glob.root), dict(environ), wanted.pop(0), python="",
                          framework=said["--framework"], online="--online" in argv)  # fmt: skip
        at = through.place(request, services, report) if services else None
        outcome = rehearse(request, lambda text: report.stage("plan", "", text), at)
        if not request.database:
            wanted = [str(one["alias"]) for one in outcome.project.connections[1:]]
        found = findings(outcome)
        if not outcome.pending:
            report.stage("migrate", outcome.connection.alias, "nothing is pending")
            continue
        if report.form == "text":
            answer(story(found))
        _refuse_found(found, said["--fail-on"] or "error")
        _ship(glob, found, said["--approve"], words, environ, (services, report, signals))
    return 0


def _refuse_found(found: Findings, fail_on: str) -> None:
    """Raise StateNotCurrent where the rehearsal found what speaks against the steps."""
    if any(not step["applied"] for step in found.extra["steps"]):
        fail_on = "error"
    bad = [one for one in found.findings if one.severity == "error" or fail_on == "warning"]
    if fail_on == "never" or not bad:
        return
    raise StateNotCurrent(
        f"the rehearsal speaks against it: {found.summary}; nothing was applied",
        "\n".join(f"{one.rule}: {one.message}" for one in bad[:5]),
        "see it in full: tidegate plan\nto apply all the same: --fail-on never",
    )


def _ship(
    glob: Globals,
    found: Findings,
    given: str,
    words: list[str],
    environ: Mapping[str, str],
    by: tuple[Target | None, Report, Signals],
) -> None:
    services, report, signals = by
    with tempfile.TemporaryDirectory(prefix="tidegate-plan-") as folder:
        path = Path(folder, "plan.json")
        path.write_text(json.dumps(document(found)), encoding="utf-8")
        try:
            if services is not None:
                state = State(services.name, Path(glob.root), environ)
                shipping.apply(services, report, [str(path)], given, words, environ, state)
            else:
                apply(glob, [str(path), *words], given, environ, report, signals, time.monotonic())
        except PolicyRefused as error:
            how = "--online" if found.extra["basis"].get("online") else "--look rehearse"
            advice = error.next.replace("apply PLAN", f"migrate {how}")
            raise PolicyRefused(error.what, error.meaning, advice) from None
