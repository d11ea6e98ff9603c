"""`check --drift`: models without a migration, and a database that has gone its own way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Project = Callable[..., Any]

TABLES = """
Table("orders", Base.metadata, Column("id", Integer, primary_key=True),
      Column("size", Integer, nullable=False), CheckConstraint("size > 0", name="positive"))
Table("line", Base.metadata, Column("id", Integer, primary_key=True),
      Column("state", Enum("new", "paid", name="state")))
"""
MODELS = "class Order(models.Model):\n    note = models.CharField(max_length=9)\n"


def drift(one: Any, servers: Callable[[str], Any], *words: str, code: int = 1) -> list[str]:
    scratch = ["--scratch", servers("newest").url()] if one.database.server else []
    done = one.tidegate("check", "--drift", *scratch, *words, "--format", "json", code=code)
    return [f"{f['rule']}: {f['message']}" for f in json.loads(done.out)["findings"]]


def test_models_of_alembic(project: Project, servers: Callable[[str], Any]) -> None:
    """Each change that no migration makes is named; the project's own database is not asked."""
    one = project("alembic", "newest", TABLES)
    assert drift(one, servers, code=0) == []
    one.models(
        TABLES.replace("size > 0", "size > 1").replace('"paid"', '"paid", "sent"')
        + 'Table("extra", Base.metadata, Column("id", Integer, primary_key=True))\n'
    )
    one.database.server.sql(f"ALTER DATABASE {one.database.name} ALLOW_CONNECTIONS false")
    try:
        found = drift(one, servers)
    finally:
        one.database.server.sql(f"ALTER DATABASE {one.database.name} ALLOW_CONNECTIONS true")
    rule = "models-without-migration: no migration does this yet: "
    assert sorted(found) == [
        rule + "ALTER TYPE state ADD VALUE IF NOT EXISTS 'sent'",
        rule + "create check positive on orders",
        rule + "create table extra",
        rule + "drop check positive on orders",
    ]
    assert one.database.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'extra'") == ["0"]


@pytest.mark.parametrize("framework", ["alembic", "django"])
def test_a_database_that_was_changed_by_hand(
    project: Project, servers: Callable[[str], Any], framework: str
) -> None:
    """What only one side has, and what differs, each by its name."""
    one = project(framework, "newest", TABLES if framework == "alembic" else MODELS)
    table, column = ("orders", "size") if framework == "alembic" else ("shop_order", "note")
    assert drift(one, servers, "--against", one.database.url, code=0) == []
    one.sql(f"ALTER TABLE {table} ADD COLUMN by_hand text")
    one.sql(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
    one.sql("CREATE TABLE stray (id serial PRIMARY KEY)")
    found = drift(one, servers, "--against", one.database.url)
    said = [line.removeprefix("database-drift: ") for line in found]
    name = f"postgres@127.0.0.1:{one.database.server.port}/{one.database.name}"
    kind = "integer" if framework == "alembic" else "character varying(9)"
    assert said == [
        f"column {table}.by_hand is in {name}, and no migration makes it (text)",
        f"table stray is in {name}, and no migration makes it",
        f"column {table}.{column} differs: {kind} in {name}, {kind} NOT NULL by the migrations",
    ]


def test_how_grave_drift_is(project: Project, servers: Callable[[str], Any]) -> None:
    """`--fail-on` and the settings' severities decide, as for every finding."""
    one = project("django", "sqlite", MODELS)
    one.models(MODELS + "    paid = models.BooleanField(default=False)\n")
    one.write("pyproject.toml", '[tool.tidegate.check.rules]\nmodels-without-migration = "info"\n')
    assert len(drift(one, servers, code=0)) == 1
    assert len(drift(one, servers, "--fail-on", "info", code=1)) == 1
    assert "use one of" in one.tidegate("check", "--drift", "--fail-on", "grave", code=2).err


def test_sqlite_and_django(project: Project, servers: Callable[[str], Any]) -> None:
    """Both kinds of drift at once, without a server."""
    one = project("django", "sqlite", MODELS)
    one.models(MODELS + "    paid = models.BooleanField(default=False)\n")
    one.sql("CREATE INDEX by_hand ON shop_order (note)")
    found = drift(one, servers, "--against", one.database.url)
    assert found[0] == (
        "models-without-migration: no migration does this yet: shop: Add field paid to order"
    )
    assert found[1].startswith("database-drift: index by_hand is in ")
    assert len(found) == 2


def test_steps_that_this_code_does_not_know(
    project: Project, servers: Callable[[str], Any]
) -> None:
    """What cannot be built cannot be compared: that is said, instead of a guess."""
    one = project("django", "sqlite", MODELS)
    one.sql("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0009_x', '2020')")
    done = one.tidegate("check", "--drift", "--against", one.database.url, code=1)
    assert "has steps that this code does not know: shop.0009_x" in done.err
    assert "--against belongs to --drift" in one.tidegate("check", "--against", "x", code=2).err
