"""Whether branches commute: the schema must be the same whichever of them is applied first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tidegate.databases import pgschema
from tidegate.errors import PolicyRefused, TidegateError, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.level import ancestors
from tidegate.model.step import Step
from tidegate.workflows.drift import story
from tidegate.workflows.drift.story import MODULE
from tidegate.workflows.plan import project as plan
from tidegate.workflows.plan import scratch
from tidegate.workflows.plan.here import Place, made_by
from tidegate.workflows.plan.runner import Runner


def refuse_different(at: Place, say: Callable[[str], None], renumber: str) -> None:
    """Build the branches in both orders. Raises PolicyRefused where that is not the same."""
    with at.preparing(), at.process(MODULE) as inside:
        project = plan.Project()
        inside.ask("look", project.hear, root=at.root, database="", framework="")
        connection, _ = project.connection("")
        steps = project.steps.get(connection.alias, [])
        heads = conflicting(steps, project.framework)
        if len(heads) < 2:
            return
        plan.refuse_vendor(connection)
        say(f"applying {' and '.join(heads)} in both orders on a scratch database")
        orders = [list(heads), list(reversed(heads))]
        with at.scratch(inside, connection, None, made_by(steps)) as (server, place):
            built = [_tried(inside, place, project, orders[0], renumber)]
            with at.process(MODULE) as again, _other(at, again, connection, server) as name:
                again.ask("look", _quiet, root=at.root, database=connection.alias, framework="")
                there = {**place, "name": name}
                built.append(_tried(again, there, project, orders[1], renumber))
    lines = pgschema.difference(built[0], built[1])
    if lines:
        raise PolicyRefused(
            f"{' and '.join(heads)} do not commute; no file was made",
            "Applied in this order (-) and in the other (+) the schema is not the same:\n"
            + "\n".join(lines[:8]),
            _advice(project, orders[0], renumber),
        )
    say("the schema is the same in both orders")


def _advice(project: plan.Project, order: Sequence[str], renumber: str) -> str:
    if project.framework == "django":
        return f"put one on top of the other: {renumber}"
    return f'put one on top of the other: down_revision = "{order[0]}" in {order[-1]}'


def conflicting(steps: Sequence[Step], framework: str) -> list[str]:
    """Return the heads that a merge would join: all of Alembic's, or of a Django app with two."""
    replaced = {old for one in steps for old in one.replaces}
    known = [one for one in steps if one.id not in replaced]
    needed = {need for one in known for need in one.needs if _app(need) == _app(one.id)}
    heads = sorted(one.id for one in known if one.id not in needed)
    if framework != "django":
        needed = {need for one in known for need in one.needs}
        return sorted(one.id for one in known if one.id not in needed)
    apps = [_app(one) for one in heads]
    return [one for one in heads if apps.count(_app(one)) > 1]


def _app(step: str) -> str:
    return step.partition(".")[0] if "." in step else ""


def _tried(
    inside: Runner,
    place: dict[str, str],
    project: plan.Project,
    order: Sequence[str],
    renumber: str,
) -> Sequence[str]:
    """Apply the heads one after the other on a database of their own; return its schema."""
    connection, _ = project.connection("")
    steps = project.steps.get(connection.alias, [])
    inside.ask("point", _quiet, alias=connection.alias, scratch=place)
    try:
        for head in order:
            inside.ask("climb", _quiet, head=head, deployed=sorted(ancestors(steps, [head])))
    except TidegateError as error:
        raise PolicyRefused(
            f"{order[-1]} can't be applied after {order[0]}; no file was made",
            f"{error.what}\n{error.meaning}".strip(), _advice(project, order, renumber),
        ) from None  # fmt: skip
    return story.lines(inside)


@contextmanager
def _other(
    at: Place, inside: Runner, connection: Connection, server: scratch.Server | None
) -> Iterator[str]:
    """Make the second scratch database, on the same server where there is one."""
    if server is not None:
        with scratch.database(server, "") as name:
            yield name
        return
    with at.scratch(inside, connection, None, ()) as (_, place):
        yield place["name"]


def _quiet(event: object) -> None:
    """Nothing is told by it."""


def tried(place: Callable[[], Place], say: Callable[[str], None], renumber: str) -> str:
    """Try it; return why it could not be tried, or "". Raises PolicyRefused as above."""
    try:
        refuse_different(place(), say, renumber)
    except UsageProblem as error:
        return f"whether the branches commute was not tried: {error.what}"
    return ""
