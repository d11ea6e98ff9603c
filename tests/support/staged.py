"""Runs migration files in the order of what they need, both ways, on a real database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support import rule_examples
from support.postgres import PASSWORD, Server, as_ordinary_user

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


def run(folder: Folder, url: str, rows: Callable[[], None], back: bool = False) -> Any:
    """Run every file, with rows after the first; and back to the first. Return Django's state."""
    steps = folder.steps()
    if folder.framework == "alembic":
        _alembic(steps, url, rows, back)
        return None
    return _django(steps, url, rows, back)


def _django(steps: list[dict[str, Any]], url: str, rows: Callable[[], None], back: bool) -> Any:
    from django.db.migrations.state import ProjectState

    with rule_examples.django_connection(url) as connection:
        state, before = ProjectState(), []
        for number, made in enumerate(steps):
            migration = made["Migration"](made["__name__"], "shop")
            before.append((migration, state.clone()))
            with connection.schema_editor(atomic=migration.atomic) as editor:
                state = migration.apply(state, editor)
            if number == 0:
                rows()
        for migration, was in reversed(before[1:]) if back else ():
            with connection.schema_editor(atomic=migration.atomic) as editor:
                migration.unapply(was, editor)
        return state


def _alembic(steps: list[dict[str, Any]], url: str, rows: Callable[[], None], back: bool) -> None:
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def call(function: Callable[[], None]) -> None:
        with engine.connect() as connection:
            options = {"transaction_per_migration": True}
            context = MigrationContext.configure(connection, opts=options)
            with Operations.context(context), context.begin_transaction(_per_migration=True):
                function()

    try:
        for number, made in enumerate(steps):
            call(made["upgrade"])
            if number == 0:
                rows()
        for made in reversed(steps[1:]) if back else ():
            call(made["downgrade"])
    finally:
        engine.dispose()


def schema(server: Server, name: str) -> str:
    """Return the schema as pg_dump writes it, without the notes of backfill()."""
    words = ["--schema-only", "--no-owner", "--exclude-table=tidegate_backfill"]
    return _dump(server, name, words)


def content(server: Server, name: str, framework: str) -> list[str]:
    """Return the rows of the orders, sorted."""
    words = ["--data-only", "--no-owner", f"--table={TABLES[framework][1]}*"]
    return sorted(_dump(server, name, words).splitlines())


def _dump(server: Server, name: str, words: list[str]) -> str:
    done = subprocess.run(
        [str(server.bindir / "pg_dump"), *words, server.url(dbname=name)],
        capture_output=True, text=True, check=True, env={"PGPASSWORD": PASSWORD},
        **as_ordinary_user(),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return "\n".join(one for one in lines if one and not one.startswith(("--", "\\")))
