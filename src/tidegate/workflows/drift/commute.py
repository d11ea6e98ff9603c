"""Whether branches commute: the schema must be the same whichever of them is applied first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.databases import pgschema
from tidegate.errors import PolicyRefused, TidegateError, UsageProblem
from tidegate.model.level import ancestors
from tidegate.model.step import Step
from tidegate.workflows.drift.story import MODULE, _lines
from tidegate.workflows.plan import programs, scratch
from tidegate.workflows.plan import project as plan
from tidegate.workflows.plan.runner import project_python, runner


def refuse_different(
    root: Path, given: str, environ: Mapping[str, str], say: Callable[[str], None], renumber: str
) -> None:
    """Build the branches in both orders. Raises PolicyRefused where that is not the same."""
    python = project_python(root, given, environ)
    with runner(root, python, environ, None, MODULE) as inside:
        project = plan.Project()
        inside.ask("look", project.hear, root=str(root), database="", framework="")
    connection, _ = project.connection("")
    steps = project.steps.get(connection.alias, [])
    heads = conflicting(steps, project.framework)
    if len(heads) < 2:
        return
    say(f"applying {' and '.join(heads)} in both orders on a scratch database")
    orders = [list(heads), list(reversed(heads))]
    built: list[Sequence[str]] = []
    with _server(connection.vendor) as server:
        for order in orders:
            try:
                built.append(_built(root, python, environ, project, order, server))
            except TidegateError as error:
                raise PolicyRefused(
                    f"{order[-1]} can't be applied after {order[0]}; no file was made",
                    f"{error.what}\n{error.meaning}".strip(), _advice(project, order, renumber),
                ) from None  # fmt: skip
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


@contextmanager
def _server(vendor: str) -> Iterator[scratch.Server | None]:
    if vendor != "postgresql":
        yield None
        return
    with scratch.embedded(programs.nearest(0)) as server:
        yield server


def _built(
    root: Path,
    python: str,
    environ: Mapping[str, str],
    project: plan.Project,
    order: Sequence[str],
    server: scratch.Server | None,
) -> Sequence[str]:
    """Apply the heads one after the other on a database of their own; return its schema."""
    connection, _ = project.connection("")
    steps = project.steps.get(connection.alias, [])
    with _database(server) as place, runner(root, python, environ, None, MODULE) as inside:
        quiet: Callable[[Any], None] = lambda event: None  # noqa: E731
        inside.ask("look", quiet, root=str(root), database=connection.alias, framework="")
        inside.ask("point", quiet, alias=connection.alias, scratch=place)
        for head in order:
            inside.ask("climb", quiet, head=head, deployed=sorted(ancestors(steps, [head])))
        return _lines(server, place)


@contextmanager
def _database(server: scratch.Server | None) -> Iterator[dict[str, str]]:
    if server is None:
        with tempfile.TemporaryDirectory(prefix="tidegate-merge-") as folder:
            yield {"vendor": "sqlite", "name": str(Path(folder, "scratch.sqlite3"))}
        return
    with scratch.database(server, "") as name:
        yield {"vendor": "postgresql", "name": name, "host": server.host, "port": server.port,
               "user": server.user, "password": server.password}  # fmt: skip


def tried(
    root: Path, given: str, environ: Mapping[str, str], say: Callable[[str], None], renumber: str
) -> str:
    """Try it; return why it could not be tried, or "". Raises PolicyRefused as above."""
    try:
        refuse_different(root, given, environ, say, renumber)
    except UsageProblem as error:
        return f"whether the branches commute was not tried: {error.what}"
    return ""
