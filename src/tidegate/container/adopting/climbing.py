"""What the steps make, seen on a scratch database: in a process of its own, step by step.

That process is the rehearsal's: it sends the framework to the scratch database, refuses every
other one, and is gone afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.container.adopting.matching import Climb
from tidegate.container.backup import scratch
from tidegate.container.gate import Gate
from tidegate.databases import sqliteschema
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import RefusedForGood, StepFailed, TidegateError, UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.model.readiness import Permanent, Transient

MAY_CREATE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
Job = Mapping[str, Any]


@contextmanager
def place(gate: Gate, connection: Connection, url: str) -> Iterator[dict[str, str]]:
    """Give an empty database for the steps: a file, or a database beside the project's own.

    Beside it is best: the same server prints the same definitions. Where the role may not make
    one, a server is started here, if its programs are installed; `url` names another one.
    """
    if connection.vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="tidegate-adopt-") as folder:
            yield {"vendor": "sqlite", "name": str(Path(folder, "scratch.sqlite3"))}
        return
    server = PostgreSQL(connection, gate.environ).direct()
    session = server.session(10.0)
    try:
        version = str(session.query("SHOW server_version")[0][0])
        may = session.query(MAY_CREATE) == [("t",)]
        schemas = [str(row[0]) for row in session.query("SELECT unnest(current_schemas(false))")]
        extensions = [str(row[0]) for row in session.query("SELECT extname FROM pg_extension")]
    finally:
        session.close()
    made = (
        scratch.beside(server, gate.environ)
        if may and not url
        else scratch.database({"server": version}, url, connection.alias, gate.environ)
    )
    with _understood(made, connection, may) as one:
        _prepare(one, schemas, extensions)
        yield _login(one)


@contextmanager
def _understood(
    made: AbstractContextManager[PostgreSQL], connection: Connection, may: bool
) -> Iterator[PostgreSQL]:
    with ExitStack() as stack:
        try:
            one = stack.enter_context(made)
        except (Permanent, TidegateError) as error:
            why = "" if may else f"{connection.user} may not make one beside it. "
            raise RefusedForGood(
                f"there is no scratch database to compare {connection.alias} with",
                f"{why}{getattr(error, 'what', error)}.",
                "name a server on which databases may be made: "
                "--scratch postgresql://user:password@host/postgres\n"
                f"or let the role make one for this: ALTER ROLE {connection.user} CREATEDB",
            ) from None
        yield one


def _prepare(one: PostgreSQL, schemas: Sequence[str], extensions: Sequence[str]) -> None:
    """Make what the project's database was given before its first step."""
    session = one.session(10.0)
    try:
        for word, names in (("SCHEMA", schemas), ("EXTENSION", extensions)):
            for name in names:
                quoted = '"' + name.replace('"', '""') + '"'
                with suppress(Permanent, Transient):  # its absence shows as a difference
                    session.query(f"CREATE {word} IF NOT EXISTS {quoted}")
    finally:
        session.close()


def _login(one: PostgreSQL) -> dict[str, str]:
    params = one.params()
    host, port = params.hosts[0]
    return {"vendor": "postgresql", "name": params.dbname, "host": host, "port": str(port),
            "user": params.user, "password": params.password or ""}  # fmt: skip


def climb(
    gate: Gate, connection: Connection, where: Mapping[str, str], applied: Sequence[str]
) -> tuple[Climb, str]:
    """Apply all steps on the scratch; return what each made, and why the last one failed."""
    steps = gate.steps(connection.alias)
    standing_for = {old: step.id for step in steps for old in step.replaces}
    with _Process(gate) as inside:
        inside.ask("look", root=str(gate.root), database=connection.alias,
                   framework=gate.project.framework)  # fmt: skip
        inside.ask("point", alias=connection.alias, scratch=dict(where))
        inside.ask("build", deployed=sorted(applied))
        events = inside.ask("climb")
    schema: set[str] = set()
    levels: list[tuple[str, frozenset[str]]] = []
    failed = ""
    for event in events:
        if event["event"] == "failed":
            failed = f"{event['step']}: {str(event['error']).splitlines()[0]}"
        elif event["event"] == "level":
            schema = (schema - set(event["gone"])) | set(event["came"])
            levels.append((event["step"], _kept(schema, connection)))
    reached = {step for step, _ in levels}
    needs = {
        step.id: [need if need in reached else standing_for.get(need, need) for need in step.needs]
        for step in steps
    }
    base = levels[0][1] if levels else frozenset()
    return Climb(base, tuple(levels[1:]), needs, connection.vendor == "sqlite"), failed


def built(gate: Gate, connection: Connection, where: Mapping[str, str]) -> frozenset[str]:
    """Apply all steps on the scratch; return the lines of what is there then."""
    with _Process(gate) as inside:
        inside.ask("look", root=str(gate.root), database=connection.alias,
                   framework=gate.project.framework)  # fmt: skip
        inside.ask("point", alias=connection.alias, scratch=dict(where))
        inside.ask("build", deployed=sorted(one.id for one in gate.steps(connection.alias)))
    if connection.vendor == "sqlite":
        return schema_of(gate, replace(connection, name=where["name"]))
    login = {key: where[key] for key in ("name", "host", "port", "user")}
    password = Secret(where["password"])
    return schema_of(gate, replace(connection, password=password, options={}, **login))


def schema_of(gate: Gate, connection: Connection) -> frozenset[str]:
    """Return the lines of the project's own database."""
    from tidegate.databases import pgschema

    database = gate.database(connection)
    if connection.vendor == "sqlite" and not Path(getattr(database, "path", "")).is_file():
        return frozenset()  # it is made by the first step
    session = database.session(10.0)
    try:
        if connection.vendor == "sqlite":
            return _kept(sqliteschema.all_lines(session.query), connection)
        return _kept(pgschema.lines(session.query), connection)
    finally:
        session.close()


def _kept(lines: Sequence[str] | set[str], connection: Connection) -> frozenset[str]:
    """Leave the framework's own book out, whatever it is called."""
    book = connection.version_table
    if not book or book == "alembic_version":
        return frozenset(lines)
    marks = (f".{book}:", f".{book}.", f" {book}:", f" {book}.", f".{book} ", f" {book}_pkc")
    return frozenset(line for line in lines if not any(mark in line for mark in marks))


class _Process:
    """The rehearsal's process: one job at a time, and none after one that was refused."""

    def __init__(self, gate: Gate) -> None:
        import tidegate

        here = str(Path(tidegate.__file__).parents[1])
        before = gate.environ.get("PYTHONPATH", "")
        path = here + (os.pathsep + before if before else "")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tidegate.rehearsal"],
            cwd=gate.root, env={**gate.environ, "PYTHONPATH": path}, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
        )  # fmt: skip

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *about: object) -> None:
        if self._child.stdin:
            with suppress(OSError):
                self._child.stdin.close()
        self._child.terminate()
        self._child.wait()
        self._said.close()

    def ask(self, do: str, **job: Any) -> list[dict[str, Any]]:
        """Send a job; return its events. Raises what the other side raised."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with suppress(BrokenPipeError):  # it has ended: there will be no event
            self._child.stdin.write(json.dumps({"do": do, **job}) + "\n")
            self._child.stdin.flush()
        out: list[dict[str, Any]] = []
        for line in self._child.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "done":
                return out
            if event["event"] == "refused":
                raise UsageProblem(event["what"], event["meaning"], event["next"])
            if event["event"] == "broken":
                raise StepFailed(
                    f"the steps can't be applied on an empty database: {event['what']}",
                    "What they make is compared with what is there. Nothing was changed.",
                    "correct the step; the framework's own commands raise the same",
                )
            out.append(event)
        self._said.seek(0)
        last = self._said.read().decode("utf-8", "replace").strip().splitlines()[-3:]
        raise StepFailed("the process that applies the steps on a scratch database ended",
                         "\n".join(last))  # fmt: skip
