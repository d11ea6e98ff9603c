"""The story of `plan`: look at the target, make a scratch copy, run everything on it, judge it.

`rehearse` reads aloud. The target is only ever read; the scratch database is gone afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from tidegate.databases import pgschema
from tidegate.errors import UsageProblem
from tidegate.model.level import judge
from tidegate.model.words import counted
from tidegate.workflows.plan import online, rewrites, scratch, target
from tidegate.workflows.plan.here import Dumped, Here, Place, made_by, target_of
from tidegate.workflows.plan.levels import fill, level
from tidegate.workflows.plan.outcome import Outcome
from tidegate.workflows.plan.project import Clock, Project, Request, refuse_vendor
from tidegate.workflows.plan.runner import Runner, aside
from tidegate.workflows.plan.traced import Rehearsed, traces

Say = Callable[[str], None]
Anew = Callable[[], AbstractContextManager[Runner]]  # one more scratch database, filled alike
__all__ = ["Outcome", "Request", "rehearse"]


def rehearse(request: Request, say: Say, place: Place | None = None) -> Outcome:
    """Run the pending steps of one database on a scratch copy; return what was seen."""
    clock = Clock()
    at = place or Here(request)
    with at.preparing(), at.process() as inside:
        project = Project()
        inside.ask("look", project.hear, root=at.root, database=request.database,
                   framework=request.framework)  # fmt: skip
        clock.note("project")
        connection, recorded_sql = project.connection(request.database)
        refuse_vendor(connection)
        shown = connection.shown
        found = target_of(request, lambda: at.look(inside, connection, recorded_sql), shown)
        clock.note("target")
        steps = project.steps.get(connection.alias, [])
        verdict = judge(steps, level(request, project, connection, found))
        by_id = {one.id: one for one in steps}
        pending = [by_id[one] for one in verdict.pending]
        above = rewrites.limit(request.root)
        outcome = Outcome(project, connection, steps, verdict.applied, verdict.unknown, pending,
                          found, "dump" if found else "migrations", "", Rehearsed(traces(pending)),
                          [], clock.seconds, above)  # fmt: skip
        if not pending:
            return outcome
        steps_of = f"{counted(len(pending), 'step')} of {project.framework}"
        say(f"rehearsing {steps_of} on a scratch database")
        dumped = at.dump(found)
        extensions = found.extensions if found else []
        extensions = [*extensions, *made_by(steps)]
        with at.scratch(inside, connection, found, extensions) as (server, login):
            clock.note("scratch")
            if server is not None:
                target.settle(server, login["name"], found)
            outcome.engine = f"PostgreSQL {server.version}" if server else "SQLite"
            inside.ask("point", _unheard, alias=connection.alias, scratch=login)
            asked = (
                aside(lambda: at.running(connection, login)) if _keeps_no_models(project) else None
            )
            fill(outcome, server, login, recorded_sql, inside, clock, dumped)
            if request.rows and server is not None:
                inside.ask("fill", outcome.rehearsed.hear, rows=_number(request.rows))
                clock.note("fill")
            journal = found.journal if found else {}
            outcome.rehearsed.half = [one.id for one in pending if one.id in journal]
            if asked is not None:
                outcome.rehearsed.running = asked.result()
            inside.ask("perform", outcome.rehearsed.hear, deployed=sorted(verdict.applied),
                       pending=[one.id for one in pending],
                       models=outcome.rehearsed.running.shapes,
                       journal={id: journal[id] for id in outcome.rehearsed.half})  # fmt: skip
            clock.note("rehearsal")
            if server is not None:
                anew = partial(_anew, request, at, outcome, server, login, recorded_sql, dumped)
                if request.online:
                    _prove_online(outcome, server, login["name"], anew)
                    clock.note("online")
                if request.rows:
                    _under_load(outcome, request.rows, anew)
                    clock.note("load")
    return outcome


@contextmanager
def _anew(
    request: Request,
    at: Place,
    outcome: Outcome,
    server: scratch.Server,
    login: dict[str, str],
    recorded_sql: str,
    dumped: Dumped,
) -> Iterator[Runner]:
    """Give a process on one more scratch database, filled as the first one was."""
    with scratch.database(server, outcome.connection.name) as name, at.process() as inside:
        target.settle(server, name, outcome.target)
        _point(inside, at, request, outcome, {**login, "name": name})
        fill(outcome, server, {**login, "name": name}, recorded_sql, inside, Clock(), dumped)
        yield inside


def _under_load(outcome: Outcome, rows: str, anew: Anew) -> None:
    """Run the steps once more, untraced, as apply would, with a reader and a writer at work."""
    rehearsed = outcome.rehearsed
    tables = {lock["was"] for step in rehearsed.steps for one in step.statements
              for lock in one["locks"] if lock["kind"] == "table"}  # fmt: skip
    if "up" in rehearsed.failures or rehearsed.half or not tables:
        return
    with anew() as inside:
        inside.ask("fill", _unheard, rows=_number(rows))
        inside.ask("loaded", rehearsed.hear, tables=sorted(tables), forms=online.forms(rehearsed))


def _prove_online(outcome: Outcome, server: scratch.Server, base: str, anew: Anew) -> None:
    """Choose the online forms, and run them on a scratch database of their own."""
    rehearsed = outcome.rehearsed
    if "up" in rehearsed.failures:
        return
    tables = server.query(online.PARTITIONED, base)
    online.choose(rehearsed, [pgschema.shown(str(row[0]), str(row[1])) for row in tables])
    forms = online.forms(rehearsed)
    if not forms:
        return
    with anew() as inside:
        inside.ask("online", rehearsed.hear, forms=forms)
    if why := online.compare(rehearsed):
        online.withdraw(rehearsed, why)


def _point(
    inside: Runner, at: Place, request: Request, outcome: Outcome, login: dict[str, str]
) -> None:
    inside.ask("look", _unheard, root=at.root, database=request.database,
               framework=request.framework)  # fmt: skip
    inside.ask("point", _unheard, alias=outcome.connection.alias, scratch=login)


def _keeps_no_models(project: Project) -> bool:
    """Whether the steps don't say what the deployed code's models were."""
    return project.framework == "alembic"


def _unheard(event: object) -> None:
    """What is known already."""


def _number(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 10_000_000:
        raise UsageProblem(f"--with-data is {text!r}", "", "give a number of rows, such as 1000")
    return int(text)
