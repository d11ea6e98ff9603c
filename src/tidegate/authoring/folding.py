"""Temporary steps replaced by one: written against a scratch database, and recorded in their place.

The files of the temporary steps are aside by now. The project's own database has their schema
already, so nothing of it is changed but the framework's rows, and the ledger.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate import settings as options
from tidegate.authoring.job import Answers, Outcome
from tidegate.container import ledger
from tidegate.container.adopting import climbing
from tidegate.container.gate import Gate, open_gate
from tidegate.container.holding import elected
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.signals import Signals
from tidegate.container.stepping import book_of
from tidegate.errors import PolicyRefused, TidegateError
from tidegate.frameworks.alembic import AlembicProject
from tidegate.model.connection import Connection
from tidegate.model.step import Step

MOST = 12  # lines of a difference that an error shows
KIND = "squash"


def author(project: AlembicProject, answers: Answers, root: Path) -> Outcome:
    """Write one revision from what the revisions make to what the models say.

    Alembic compares with a database, and the project's own is ahead of its files now.
    """
    from tidegate.authoring import with_alembic
    from tidegate.rehearsal.scratch import Scratch
    from tidegate.rehearsal.with_alembic import AlembicRehearsal

    gate = _gate(root)
    connection = gate.connections[0]
    with climbing.place(gate, connection, "") as where:
        runs = AlembicRehearsal(project)
        runs.redirect(connection, Scratch.from_job(where))
        runs.build(connection, [one.id for one in project.steps(connection.alias)])
        return with_alembic.make(project, answers, root)


def record(job: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Write the new steps into the framework's rows in place of those that are gone."""
    gate = _gate(root)
    gone = [Step(one["id"], digest=one["digest"]) for one in job["gone"]]
    said = [_refuse_differences(gate, one) for one in gate.connections]
    for one in gate.connections:
        settings = _settings(root)
        deadline = time.monotonic() + float(settings["timeout"])
        raising = Raising(gate, one, settings, deadline, Report("text", True), Signals())
        _swap(raising, gone, (str(job["base"]), job["made"]))
    return {"error": {}, "notes": [line for line in said if line]}


def _settings(root: Path) -> dict[str, str]:
    return options.effective(options.from_file(str(root)), options.from_environ(os.environ))


def _gate(root: Path) -> Gate:
    return open_gate(root, os.environ, _settings(root))


def _refuse_differences(gate: Gate, connection: Connection) -> str:
    """Compare the database with what the files make now; return why that can't be done."""
    try:
        with climbing.place(gate, connection, "") as where:
            made = climbing.built(gate, connection, where)
    except TidegateError as error:
        return f"the schema was not compared with what the new migration makes: {error.what}"
    have = climbing.schema_of(gate, connection)
    lines = [f"- {one}" for one in sorted(made - have)]
    lines += [f"+ {one}" for one in sorted(_of_steps(have - made, made))]
    if lines:
        raise PolicyRefused(
            f"{connection.alias} differs from what one migration in their place makes (-)",
            "\n".join([*lines[:MOST], "Nothing was replaced: the temporary ones are there."]),
            "change the models or the database until both are equal",
        )
    return ""


def _of_steps(lines: frozenset[str], made: frozenset[str]) -> list[str]:
    """Leave out tables that no step makes, and the ledger's own."""
    tables = {line.split()[1].rstrip(":") for line in made if line.startswith("table ")}
    out = []
    for line in lines:
        name = line.split()[1].rstrip(":") if " " in line else ""
        mine = name in tables or name.rpartition(".")[0] in tables
        if "tidegate_" not in line and (mine or not line.startswith(("table", "column"))):
            out.append(line)
    return out


def _swap(raising: Raising, gone: Sequence[Step], now: tuple[str, Sequence[str]]) -> None:
    """Change the framework's rows under the election, and write it down.

    `now` is the step below the temporary ones, and the revisions that were made in their place.
    """
    gate, connection = raising.gate, raising.connection
    with elected(raising) as election:
        before = gate.standing(connection)
        made = [step for step in gate.steps(connection.alias)
                if step.id in now[1] or step.id not in before.applied]  # fmt: skip
        rows = {".".join(row) for row in gate.recorded_rows(connection.alias)}
        gone = _named(gate, connection, rows, before.unknown, gone)
        book = book_of(raising, election)
        book.begin(
            " ".join(one.id for one in made)[:2000], KIND,
            level_before=gate.recorded_digest(connection.alias),
        )  # fmt: skip
        began = time.monotonic()
        for sql in _statements(gate, connection, [one.id for one in gone], made, now[0]):
            election.query(sql)
        gate.standing(connection)
        records = [ledger.Record(one, 0.0, state="undone") for one in gone]
        records += [ledger.Record(one, 0.0, state="adopted") for one in made]
        after = gate.recorded_digest(connection.alias)
        book.end("done", time.monotonic() - began, records, "", after)


def _named(
    gate: Gate, connection: Connection, rows: set[str], unknown: Sequence[str], gone: Sequence[Step]
) -> list[Step]:
    """Return the temporary steps as the database calls them: it has to have applied all of them.

    An app's label need not be the name of its folder, which is all that a file tells.
    """
    if gate.project.framework == "alembic":
        if gone[-1].id in rows:
            return list(gone)
        raise _not_applied(connection, gone)
    out = []
    for step in gone:
        name = step.id.partition(".")[2]
        fitting = [one for one in unknown if one.partition(".")[2] == name]
        fitting = [step.id] if step.id in fitting else fitting
        if len(fitting) != 1:
            raise _not_applied(connection, gone)
        out.append(replace(step, id=fitting[0]))
    return out


def _not_applied(connection: Connection, gone: Sequence[Step]) -> PolicyRefused:
    return PolicyRefused(
        f"{connection.alias} has not applied the temporary steps, or has gone on since",
        f"They are: {', '.join(one.id for one in gone)}.",
        "apply them first: tidegate migrate",
    )


def _statements(
    gate: Gate, connection: Connection, gone: Sequence[str], made: Sequence[Step], base: str
) -> list[str]:
    """Return what changes the rows: for PostgreSQL as one message, which is one transaction."""
    literal = ledger.literal
    if gate.project.framework == "alembic":
        schema = f'"{connection.version_schema}".' if connection.version_schema else ""
        table, now = f'{schema}"{connection.version_table}"', made[-1].id if made else base
        where = f"WHERE version_num = {literal(gone[-1])}"
        if not now:
            return [f"DELETE FROM {table} {where}"]
        return [f"UPDATE {table} SET version_num = {literal(now)} {where}"]
    pairs = [f"({literal(app)}, {literal(name)}, CURRENT_TIMESTAMP)"
             for app, name in (one.id.split(".", 1) for one in made)]  # fmt: skip
    which = " OR ".join(
        f"(app = {literal(app)} AND name = {literal(name)})"
        for app, name in (one.split(".", 1) for one in gone)
    )
    added = f"INSERT INTO django_migrations (app, name, applied) VALUES {', '.join(pairs)}"
    both = [*([added] if pairs else []), f"DELETE FROM django_migrations WHERE {which}"]
    return both if connection.vendor == "sqlite" else ["; ".join(both)]
