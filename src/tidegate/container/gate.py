"""What stands before the app: its project, its databases, its steps, and where they stand.

A valid seal answers all three without importing the framework; where it doesn't, the project
itself is asked, and `why` says the reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tidegate import discovery
from tidegate.container import ledger, sealfile
from tidegate.container.blaming import no_driver
from tidegate.contracts.database import Database, Rows, Session, TableMissing
from tidegate.contracts.framework import Project
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.model.level import Verdict, heads, judge
from tidegate.model.step import Step
from tidegate.model.tenancy import PARTLY


@dataclass(slots=True)
class Gate:
    """One project as it stands before its databases."""

    project: Project
    connections: list[Connection]
    environ: Mapping[str, str]
    head: sealfile.Head | None = None
    why: str = ""
    root: Path = Path()
    """Where tidegate was asked to look: its settings and backups are there."""
    loading: float = 0.0
    """Seconds in which the project's own code and its framework were imported."""
    _seen: dict[str, tuple[list[tuple[str, ...]], Verdict]] = field(default_factory=dict)
    _steps: dict[str, list[Step]] = field(default_factory=dict)

    def steps(self, alias: str) -> list[Step]:
        """Return the code's steps: from the seal where it is good, else from the framework."""
        if alias not in self._steps and self.head:
            self._steps[alias] = _sealed_steps(self.head, alias)
        elif alias not in self._steps:
            with self.loads():
                self._steps[alias] = self.project.steps(alias)
        return self._steps[alias]

    @contextmanager
    def loads(self) -> Iterator[None]:
        """Count what passes inside as loading."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.loading += time.monotonic() - began

    @property
    def sealed_static(self) -> tuple[str, str] | None:
        """The seal's word on static files, where the seal is good: their root and digest."""
        if self.head is None or self.why:
            return None
        root, digest = self.head.all("static")[0]
        return root, digest

    def database(self, connection: Connection) -> Database:
        """Return the database behind one connection."""
        return discovery.database(connection, self.environ)

    def standing(self, connection: Connection) -> Verdict:
        """Read one database's level over a session of its own."""
        session = self.database(connection).session(5.0)
        try:
            return self.level(connection, session)
        finally:
            session.close()

    def refuse_conflicts(self, alias: str) -> None:
        """Refuse several ends before anything is waited for or elected."""
        for part, ends in self.project.conflicts(self.steps(alias)).items():
            raise UsageProblem(
                f"{part} has {len(ends)} last steps: {', '.join(ends)}",
                "Two branches each added one, and nothing says which comes first. Django applies "
                "no step until they are joined, and nothing was changed.",
                f"tidegate make --merge    (or: python manage.py makemigrations --merge {part})",
            )

    def fingerprint(self, alias: str, pending: Sequence[str]) -> str:
        """Return a short name for these steps, by their code, on the level that was last read."""
        digests = {step.id: step.digest for step in self.steps(alias)}
        text = "\n".join([self.recorded_digest(alias), *(f"{i} {digests.get(i)}" for i in pending)])
        return sha256(text.encode()).hexdigest()[:16]

    def recorded_rows(self, alias: str) -> list[tuple[str, ...]]:
        """Return the framework's own rows, as they were last read, sorted."""
        return sorted(self._seen[alias][0]) if alias in self._seen else []

    def partly(self, alias: str) -> list[str]:
        """Return the steps that only some schemas of a database have, where each tenant has one."""
        return [".".join(row) for row in self.recorded_rows(alias) if PARTLY in row[-1]]

    def recorded_digest(self, alias: str) -> str:
        """Return a short name for the framework's own rows, as they were last read."""
        rows = self.recorded_rows(alias)
        text = ",".join(".".join(row) for row in rows)
        return f"{len(rows)}:{sha256(text.encode()).hexdigest()[:16]}"

    def level(
        self, connection: Connection, session: Session, timeout: float | None = None
    ) -> Verdict:
        """Read the level in one query, of at most `timeout` seconds, and compare."""
        steps = self.steps(connection.alias)
        rows: Rows
        try:
            sql = self.project.recorded_sql(connection)
            rows = session.query(sql) if timeout is None else session.query(sql, timeout)
        except TableMissing:
            rows = []
        texts = [tuple(column or "" for column in row) for row in rows]
        seen = self._seen.get(connection.alias)
        if seen and seen[0] == texts:  # a waiter looks often, and mostly nothing has changed
            return seen[1]
        recorded = self.project.recorded_ids(steps, texts)
        if self.project.framework == "alembic":
            recorded = _below_unknown(steps, recorded, texts, session)
        verdict = judge(steps, recorded)
        self._seen[connection.alias] = (texts, verdict)
        return verdict


def _below_unknown(
    steps: Sequence[Step],
    recorded: frozenset[str],
    rows: Sequence[Sequence[str]],
    session: Session,
) -> frozenset[str]:
    """Alembic keeps heads only: below a head that this code doesn't know, ask the ledger.

    Without a ledger, heads that are all unknown are taken to come after all that we have, which
    is what an older image before a newer schema sees.
    """
    known = {step.id for step in steps}
    if all(row[0] in known for row in rows):
        return recorded
    applied = {step for step in ledger.recorded(session.query) if step in known}
    if applied:
        return recorded | applied
    return recorded if any(row[0] in known for row in rows) else recorded | known


def open_gate(root: Path, environ: Mapping[str, str], settings: Mapping[str, str]) -> Gate:
    """Return the gate of the project at `root`; the seal is used where it is good."""
    project = discovery.find_project(root, environ, settings["framework"])
    head, connections, why = _from_seal(root, environ)
    gate = Gate(project, connections, environ, head, why, root)
    if why:
        gate.head = head if head and connections else None
        with gate.loads():
            gate.connections = project.connections()
    gate.connections = _chosen(gate.connections, settings)
    if why:
        _refuse_driverless(project, gate.connections)
    return gate


def _refuse_driverless(project: Project, connections: Sequence[Connection]) -> None:
    """Refuse before anything is waited for: Django looks for its driver when it connects.

    SQLAlchemy has imported its own by now, to make the engine.
    """
    from importlib.util import find_spec

    if project.framework != "django" or not any(c.vendor == "postgresql" for c in connections):
        return
    if find_spec("psycopg") is None and find_spec("psycopg2") is None:
        raise no_driver("psycopg")


def sealed_gate(
    root: Path, environ: Mapping[str, str], settings: Mapping[str, str]
) -> tuple[Gate | None, str]:
    """Return the gate that the seal alone makes, or None and why it doesn't: loads no framework."""
    head, connections, why = _from_seal(root, environ)
    if why:
        return None, why
    project = discovery.find_project(root, environ, settings["framework"])
    return Gate(project, _chosen(connections, settings), environ, head, root=root), ""


def _from_seal(
    root: Path, environ: Mapping[str, str]
) -> tuple[sealfile.Head | None, list[Connection], str]:
    head = sealfile.read(sealfile.seal_path(str(root), environ))
    why = "the image has no seal" if head is None else sealfile.why_stale(head, environ)
    connections: list[Connection] = []
    if head and not why:
        connections, why = _sealed_connections(head, environ)
    return head, connections, why


def _chosen(connections: list[Connection], settings: Mapping[str, str]) -> list[Connection]:
    wanted = [alias.strip() for alias in settings["databases"].split(",") if alias.strip()]
    if not wanted:
        return connections
    by_alias = {one.alias: one for one in connections}
    unknown = [alias for alias in wanted if alias not in by_alias]
    if unknown:
        raise UsageProblem(
            f"the setting databases names {', '.join(unknown)}",
            f"The project's databases are: {', '.join(by_alias) or 'none'}.",
            "correct the setting",
        )
    return [by_alias[alias] for alias in wanted]


def _sealed_steps(head: sealfile.Head | None, alias: str) -> list[Step]:
    assert head is not None
    return [Step.from_dict(raw) for raw in head.parsed()["steps"][alias]]


def _sealed_connections(
    head: sealfile.Head, environ: Mapping[str, str]
) -> tuple[list[Connection], str]:
    out = []
    for (alias,) in head.all("alias"):
        fields = sealfile.login(head, alias, environ)
        if isinstance(fields, str):
            return [], fields
        if "url" in fields:
            from tidegate.container.recipe import split_url

            fields = {**fields, **split_url(fields["url"])}
        table, schema, *tenants = head.parsed()["tables"][alias]
        out.append(
            Connection(
                alias=alias,
                vendor=fields["vendor"],
                host=fields.get("host", ""),
                port=fields.get("port", ""),
                user=fields.get("user", ""),
                password=Secret(fields.get("password", "")),
                name=fields.get("name", ""),
                options={k[7:]: v for k, v in fields.items() if k[:7] == "option:"},
                version_table=table,
                version_schema=schema,
                tenants="".join(tenants),
            )
        )
    return out, ""


def refuse_misled(gate: Gate, connection: Connection) -> None:
    """Refuse to apply by a seal that leads to another database than the project does."""
    if gate.head is None or gate.why:
        return
    with gate.loads():
        found = gate.project.connections()
    asked = next((c for c in found if c.alias == connection.alias), None)
    there = asked.shown if asked else "no such database"
    if asked is None or (asked.vendor, there) != (connection.vendor, connection.shown):
        raise RefusedForGood(
            f"the seal leads to {connection.shown}, and the project to {there}",
            "Both are made from the same environment, so the seal has not understood the project. "
            "Nothing was applied.",
            "without the seal: TIDEGATE_SEAL=/none tidegate boot …; please report how the project "
            "reads its login",
        )


def code_heads(gate: Gate, alias: str) -> tuple[str, ...]:
    """Return the heads of the code's steps."""
    return heads(gate.steps(alias))
