"""The story of `check --drift`: build what the migrations make, and compare both sides with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.databases import pgschema, sqliteschema
from tidegate.errors import StateNotCurrent
from tidegate.model.connection import Connection
from tidegate.model.finding import SEVERITIES, Finding, Findings
from tidegate.model.level import judge
from tidegate.workflows.drift import saying
from tidegate.workflows.plan import project as plan
from tidegate.workflows.plan import target as targets
from tidegate.workflows.plan.here import made_by, scratch_of, target_of
from tidegate.workflows.plan.runner import Event, Runner, project_python, runner
from tidegate.workflows.plan.target import Target

MODULE = "tidegate.authoring.drift"


def drift(wanted: plan.Request, say: Callable[[str], None]) -> Findings:
    """Return what has drifted; `wanted.against` is the database that may have, or empty.

    Raises as a rehearsal does where it can't be told.
    """
    python = project_python(wanted.root, wanted.python, wanted.environ)
    findings: list[Finding] = []
    seen: list[str] = []
    with runner(wanted.root, python, wanted.environ, None, MODULE) as inside:
        project = plan.Project()
        inside.ask("look", project.hear, root=str(wanted.root), database=wanted.database,
                   framework=wanted.framework)  # fmt: skip
        connection, recorded_sql = project.connection(wanted.database)
        plan.refuse_vendor(connection)
        if project.framework == "django":
            findings += _models(inside, wanted.root, seen)
        if wanted.against or project.framework != "django":
            findings += _built(wanted, project, (connection, recorded_sql), inside, seen, say)
    said = saying.summary(findings, seen, bool(wanted.against))
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


def _models(inside: Runner, root: Path, seen: list[str]) -> list[Finding]:
    """Ask the project's own Python what the models have that the migrations have not."""
    heard: list[Event] = []
    inside.ask("compare", heard.append, root=str(root))
    seen += heard[0]["seen"]
    return saying.models(heard[0], _place(root))


def _built(
    request: plan.Request,
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
    if request.against:
        one = targets.asked_for(request, connection)
        environ = request.environ
        found = target_of(request, lambda: targets.look(one, recorded_sql, environ), one.shown)
    every = [one.id for one in steps]
    applied = every if found is None else _level(project, connection, found)
    findings: list[Finding] = []
    say(f"building {len(applied)} steps of {project.framework} on a scratch database")
    source = found if connection.vendor == "postgresql" else None  # a file is not to be copied
    with scratch_of(request, connection, source, made_by(steps)) as (server, place):
        inside.ask("point", lambda event: None, alias=connection.alias, scratch=place)
        inside.ask("build", lambda event: None, deployed=sorted(applied))
        if found is not None:
            made = _lines(server, place)
            findings += saying.database(
                _place(request.root), found.connection.shown, made, found.schema
            )
        if project.framework != "django":
            if len(applied) < len(every):
                inside.ask("build", lambda event: None, deployed=sorted(every))
            findings = _models(inside, request.root, seen) + findings
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


def _lines(server: Any, place: Mapping[str, str]) -> Sequence[str]:
    """Return what the scratch database consists of."""
    if server is not None:
        session = server.connect(place["name"])
        try:
            return pgschema.lines(session.query)
        finally:
            session.close()
    import sqlite3

    file = sqlite3.connect(place["name"])
    try:
        return sqliteschema.lines(lambda sql: file.execute(sql).fetchall())
    finally:
        file.close()
