"""The story of `check --drift`: build what the migrations make, and compare both sides with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from tidegate.errors import StateNotCurrent
from tidegate.model.connection import Connection
from tidegate.model.finding import SEVERITIES, Finding, Findings
from tidegate.model.level import judge
from tidegate.workflows.drift import saying
from tidegate.workflows.plan import project as plan
from tidegate.workflows.plan import target as targets
from tidegate.workflows.plan.here import Here, Place, made_by, target_of
from tidegate.workflows.plan.runner import Event, Runner
from tidegate.workflows.plan.target import Target

MODULE = "tidegate.authoring.drift"


def drift(wanted: plan.Request, say: Callable[[str], None], place: Place | None = None) -> Findings:
    """Return what has drifted; `wanted.against` or `.place` is the database that may have.

    Raises as a rehearsal does where it can't be told.
    """
    at = place or Here(wanted)
    findings: list[Finding] = []
    seen: list[str] = []
    by_files = not _has_target(wanted) and (wanted.root / "manage.py").is_file()
    with nullcontext() if by_files else at.preparing(), at.process(MODULE) as inside:
        project = plan.Project()
        inside.ask("look", project.hear, root=at.root, database=wanted.database,
                   framework=wanted.framework)  # fmt: skip
        login = project.connection(wanted.database)
        plan.refuse_vendor(login[0])
        if project.framework == "django":
            findings += _models(inside, at, wanted.root, seen)
        if _has_target(wanted) or project.framework != "django":
            findings += _built(wanted, at, project, login, inside, seen, say)
    said = saying.summary(findings, seen, _has_target(wanted))
    return Findings("check", str(wanted.root), tuple(findings), {"counts": _counts(findings)}, said)


def graded(found: Findings, level: Callable[[str, bool, str, str], str]) -> Findings:
    """Return the findings as grave as the settings of the review say; what is off is left out."""
    kept = []
    for one in found.findings:
        severity = level(one.rule, False, one.place.path, one.severity)
        if severity != "off":
            kept.append(replace(one, severity=severity))
    return replace(found, findings=tuple(kept), extra={"counts": _counts(kept)})


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {each: sum(one.severity == each for one in findings) for each in SEVERITIES}


def _has_target(wanted: plan.Request) -> bool:
    return bool(wanted.against or wanted.place[0])


def _models(inside: Runner, at: Place, root: Path, seen: list[str]) -> list[Finding]:
    """Ask the project's own Python what the models have that the migrations have not."""
    heard: list[Event] = []
    inside.ask("compare", heard.append, root=at.root)
    seen += heard[0]["seen"]
    return saying.models(heard[0], _place(root))


def _built(
    request: plan.Request,
    at: Place,
    project: plan.Project,
    login: tuple[Connection, str],
    inside: Runner,
    seen: list[str],
    say: Callable[[str], None],
) -> list[Finding]:
    """Build the migrations on a scratch database; compare the target with it, then the models."""
    connection, recorded_sql = login
    steps = project.steps.get(connection.alias, [])
    found = None
    if _has_target(request):
        shown = targets.asked_for(request, connection).shown
        found = target_of(request, lambda: at.look(inside, connection, recorded_sql), shown)
    every = [one.id for one in steps]
    applied = every if found is None else _level(project, connection, found)
    findings: list[Finding] = []
    say(f"building {len(applied)} steps of {project.framework} on a scratch database")
    source = found if connection.vendor == "postgresql" else None  # a file is not to be copied
    with at.scratch(inside, connection, source, made_by(steps)) as (_, place):
        inside.ask("point", lambda event: None, alias=connection.alias, scratch=place)
        inside.ask("build", lambda event: None, deployed=sorted(applied))
        if found is not None:
            made = lines(inside)
            findings += saying.database(
                _place(request.root), found.connection.shown, made, found.schema
            )
        if project.framework != "django":
            if len(applied) < len(every):
                inside.ask("build", lambda event: None, deployed=sorted(every))
            findings = _models(inside, at, request.root, seen) + findings
    return findings


def _place(root: Path) -> str:
    """Return the file that drift is shown at: the one that makes this a project."""
    names = ("manage.py", "alembic.ini", "migrations/alembic.ini", "pyproject.toml")
    return next((name for name in names if (root / name).is_file()), "")


def _level(project: plan.Project, connection: Connection, found: Target) -> list[str]:
    """Return what the database has applied; it can only be built where every step is known."""
    verdict = judge(project.steps.get(connection.alias, []),
                    project.applied(connection.alias, found.recorded))  # fmt: skip
    if verdict.unknown:
        raise StateNotCurrent(
            f"{found.connection.shown} has steps that this code does not know: "
            f"{', '.join(verdict.unknown[:5])}",
            "What they make can't be built here, so it can't be told what has drifted.",
            "check out the code that is deployed, and compare with that",
        )
    return sorted(verdict.applied)


def lines(inside: Runner) -> Sequence[str]:
    """Return what the scratch database consists of."""
    heard: list[Event] = []
    inside.ask("lines", heard.append)
    found: Sequence[str] = heard[-1]["lines"]
    return found
