"""Runs migration files in the order of what they need, both ways, on a real database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from support import rule_examples
from support.postgres import PASSWORD, Server, as_ordinary_user
from tidegate.contracts.rule import Example

ROWS = """
INSERT INTO {customer} (id, email, name) SELECT n, 'c' || n, 'C' || n FROM generate_series(1, 5) n;
INSERT INTO {order} (id, customer_id, reference, note, total, placed)
  SELECT n, 1 + n % 5, 'R' || n, 'note ' || n, n * 10, '2026-01-01' FROM generate_series(1, 40) n;
"""
TABLES = {"django": ("shop_customer", "shop_order"), "alembic": ("customer", "orders")}


class Folder:
    """The migration files of a project, in the order in which they have to run."""

    def __init__(self, root: Path, framework: str) -> None:
        self.framework = framework
        inner = "shop/migrations" if framework == "django" else "migrations/versions"
        self.path = root / inner

    def write(self, files: Sequence[rule_examples.File]) -> None:
        """Write a project of these files."""
        self.path.mkdir(parents=True)
        if self.framework == "alembic":
            (self.path.parent / "env.py").write_text("", "utf-8")
            (self.path.parent / "script.py.mako").write_text("", "utf-8")
        for one in files:
            (self.path / f"{one.name}.py").write_text(one.text, "utf-8")

    def steps(self) -> list[dict[str, Any]]:
        """Return what each file defines, each after what it needs; there is one last one."""
        found: dict[str, dict[str, Any]] = {}
        for file in sorted(self.path.glob("*.py")):
            made: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
            exec(compile(file.read_text("utf-8"), str(file), "exec"), made)
            found[made.get("revision", file.stem)] = made
        out: list[str] = []
        while len(out) < len(found):
            ready = [
                one for one in found if one not in out and set(self._needs(found[one])) <= {*out}
            ]
            assert len(ready) == 1, f"after {out} come {ready}"
            out += ready
        return [found[one] for one in out]

    def _needs(self, made: dict[str, Any]) -> list[str]:
        if self.framework == "django":
            return [name for app, name in made["Migration"].dependencies if app == "shop"]
        return [made["down_revision"]] if made["down_revision"] else []


COUNTS = "SELECT relid, seq_scan FROM pg_stat_xact_user_tables"
SHUT = """SELECT s.relid, s.seq_scan FROM pg_locks l
JOIN pg_stat_xact_user_tables s ON s.relid = l.relation
WHERE l.pid = pg_backend_pid() AND l.granted AND l.mode = 'AccessExclusiveLock'"""
Back = Callable[[Any], None] | None
Scanned = list[tuple[str, int]]  # (step, table's oid) that it read while it was shut


class Shop(NamedTuple):
    """A database with the shop's tables and rows, to be copied, and its schema."""

    database: str
    schema: str


_shops: dict[tuple[int, str], Shop] = {}


def shop(server: Server, framework: str, folder: Path) -> Shop:
    """Return the shop's database on a server; it is made once, with files in `folder`."""
    key = (server.port, framework)
    if key not in _shops:
        made = Folder(folder, framework)
        made.write(rule_examples.files(Example(framework, "", ""), "")[:1])
        name = f"shop_{framework}"
        server.sql(f"CREATE DATABASE {name} STRATEGY file_copy")
        run(made, server.url(dbname=name), begun=False)
        customer, order = TABLES[framework]
        server.sql(ROWS.format(customer=customer, order=order), dbname=name)
        _shops[key] = Shop(name, schema(server, name))
    return _shops[key]


def copied(server: Server, framework: str, name: str, folder: Path) -> str:
    """Make a database with the shop's tables and rows; return its name."""
    made = shop(server, framework, folder)
    server.sql(f"CREATE DATABASE {name} TEMPLATE {made.database} STRATEGY file_copy")
    return name


def run(
    folder: Folder, url: str, back: Back = None, scanned: Scanned | None = None, begun: bool = True
) -> Any:
    """Run every file, but the first where the database has the shop; return Django's state.

    With `back`, that is called with the state at the end, and then all is taken back to the first.
    """
    steps = folder.steps()
    seen: Scanned = [] if scanned is None else scanned
    if folder.framework == "alembic":
        _alembic(steps, url, back, seen, begun)
        return None
    return _django(steps, url, back, seen, begun)


def _noted(step: str, seen: Scanned, before: dict[int, int], after: dict[int, int]) -> None:
    seen += [(step, table) for table, count in after.items() if count > before.get(table, 0)]


def _django(steps: list[dict[str, Any]], url: str, back: Back, seen: Scanned, begun: bool) -> Any:
    from django.db.migrations.state import ProjectState

    with rule_examples.django_connection(url) as connection:
        state, before = ProjectState(), []
        for number, made in enumerate(steps):
            migration = made["Migration"](made["__name__"], "shop")
            before.append((migration, state.clone()))
            if begun and number == 0:
                state = migration.mutate_state(state)
                continue
            with connection.schema_editor(atomic=migration.atomic) as editor:
                counts = _counts(connection)
                state = migration.apply(state, editor)
                _noted(migration.name, seen, counts, _shut(connection))
        if back is not None:
            back(state)
        for migration, was in reversed(before[1:]) if back else ():
            with connection.schema_editor(atomic=migration.atomic) as editor:
                migration.unapply(was, editor)
        return state


def _counts(connection: Any) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return dict(cursor.fetchall())


def _shut(connection: Any) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(SHUT)
        return dict(cursor.fetchall())


def _of(connection: Any, query: str) -> dict[int, int]:
    return {row[0]: row[1] for row in connection.exec_driver_sql(query).all()}


def _alembic(steps: list[dict[str, Any]], url: str, back: Back, seen: Scanned, begun: bool) -> None:
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def call(function: Callable[[], None], step: str = "") -> None:
        with engine.connect() as connection:
            options = {"transaction_per_migration": True}
            context = MigrationContext.configure(connection, opts=options)
            with Operations.context(context), context.begin_transaction(_per_migration=True):
                counts = _of(connection, COUNTS)
                function()
                after = _of(connection, SHUT)
                _noted(step, seen, counts, after)

    try:
        for made in steps[1:] if begun else steps:
            call(made["upgrade"], made["__name__"])
        if back is not None:
            back(None)
        for made in reversed(steps[1:]) if back else ():
            call(made["downgrade"])
    finally:
        engine.dispose()


def schema(server: Server, name: str) -> str:
    """Return the schema as pg_dump writes it, without the notes of backfill()."""
    words = ["--schema-only", "--no-owner", "--exclude-table=tidegate_backfill"]
    return _dump(server, name, words)


def content(server: Server, name: str, table: str) -> list[str]:
    """Return a table's rows, each as an object that knows no order of columns."""
    return asked(server, name, f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY id")


def asked(server: Server, name: str, query: str) -> list[Any]:
    """Return the first column of a query's rows."""
    import psycopg

    with psycopg.connect(server.url(dbname=name)) as connection:
        return [row[0] for row in connection.execute(query)]


def _dump(server: Server, name: str, words: list[str]) -> str:
    done = subprocess.run(
        [str(server.bindir / "pg_dump"), *words, server.url(dbname=name)],
        capture_output=True, text=True, check=True, env={"PGPASSWORD": PASSWORD},
        **as_ordinary_user(),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return "\n".join(one for one in lines if one and not one.startswith(("--", "\\")))
