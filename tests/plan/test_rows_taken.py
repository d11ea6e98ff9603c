"""What takes rows away is seen wherever it stands in a statement's text, and asked about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.gate import Runner
from support.projects import SmallProject
from tidegate.workflows.plan.verbs import takes_rows, verbs

THERE = ("orders", "billing.invoice", "Odd Name")


def statement(sql: str, *held: str) -> dict[str, Any]:
    """A statement as the rehearsal tells it; `held` were renamed since: old=new."""
    locks = [{"was": one.partition("=")[0], "relation": one.partition("=")[2], "kind": "table"}
             for one in held]  # fmt: skip
    return {"sql": sql, "locks": [], "held": locks, "seen": "hook", "written": {}}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("DELETE FROM orders", [("DELETE", "orders")]),
        ("-- tidy\ndelete from only ORDERS where 1 = 0", [("DELETE", "orders")]),
        ("UPDATE orders SET a = ';'; DELETE FROM orders", [("DELETE", "orders")]),
        ("SET statement_timeout = 0; /* x */ TRUNCATE TABLE orders, billing.invoice CASCADE",
         [("TRUNCATE", "orders"), ("TRUNCATE", "billing.invoice")]),
        ("WITH gone AS (DELETE FROM orders RETURNING *) INSERT INTO kept SELECT * FROM gone",
         [("DELETE", "orders")]),
        ("DO $$ BEGIN EXECUTE 'TRUNCATE orders'; END $$", [("TRUNCATE", "orders")]),
        ("DO $x$ BEGIN DELETE FROM billing.invoice; END $x$", [("DELETE", "billing.invoice")]),
        ('DELETE FROM "Odd Name"', [("DELETE", "Odd Name")]),
        ("MERGE INTO orders o USING x ON true WHEN MATCHED THEN DELETE", [("MERGE", "orders")]),
    ],
)  # fmt: skip
def test_rows_are_taken(sql: str, found: list[tuple[str, str]]) -> None:
    """Behind comments, other statements, WITH, SET and in a DO block."""
    assert takes_rows(statement(sql), THERE) == found


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM made_by_this_plan",
        "INSERT INTO orders (note) VALUES ('DELETE FROM orders')",
        "ALTER TABLE orders ADD FOREIGN KEY (a) REFERENCES x ON DELETE CASCADE",
        "CREATE TRIGGER t AFTER DELETE OR TRUNCATE ON orders EXECUTE FUNCTION f()",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM orders $$",
        "GRANT DELETE, TRUNCATE ON orders TO somebody",
        "MERGE INTO orders o USING x ON true WHEN MATCHED THEN UPDATE SET a = 1",
    ],
)
def test_no_rows_are_taken(sql: str) -> None:
    """What only speaks of it, and what is about a table that the plan itself makes."""
    assert takes_rows(statement(sql), THERE) == []


def test_a_table_of_another_name_by_now() -> None:
    """One that an earlier step has renamed is the target's all the same."""
    assert takes_rows(statement("DELETE FROM bills", "billing.invoice=bills"), ()) == [
        ("DELETE", "billing.invoice")
    ]


def test_the_words_of_a_text() -> None:
    """Each statement counts, and what a WITH or a DO holds; a lock for an update is none."""
    assert verbs("-- a\nSELECT 1 FOR UPDATE; INSERT INTO a SELECT 1") == {"SELECT", "INSERT"}
    assert "UPDATE" in verbs("WITH a AS (UPDATE b SET c = 1 RETURNING d) SELECT * FROM a")


def test_it_needs_a_word_and_the_word_is_in_the_name(
    make_project: Callable[..., SmallProject], deployed: Any, plan: Any, tidegate: Runner
) -> None:
    """A DELETE behind an UPDATE needs approval, and one behind a SET on SQLite as well; taken out
    of the plan's file by hand the need for it makes the file no plan. A plan whose rehearsal failed
    is refused even with the word: what comes after the failure was not seen."""
    project = make_project("alembic")
    database = deployed(project)
    hidden = project.add("UPDATE made_1 SET id = 1; DELETE FROM made_2")
    planned = plan(project, database.url)
    document = planned.document
    assert document["needs_approval"] == [hidden]
    (found,) = planned.found("rows-deleted")
    assert found["message"].startswith("DELETE takes rows away from made_2")
    document["needs_approval"] = []
    planned.path.write_text(json.dumps(document))

    def apply(*words: str) -> Any:
        return tidegate("apply", str(planned.path), *words, cwd=project.root, env=database.environ)

    assert "changed by hand" in apply().err
    failing = project.add("ALTER TABLE nowhere ADD COLUMN a integer")
    planned = plan(project, database.url)
    done = apply("--approve", planned.document["plan"])
    assert done.code == 6, done.said
    assert f"{failing} did not go through" in done.err
    assert database.rows(project.recorded_sql) == [project.ids[1]]


def test_rows_of_sqlite(
    make_project: Callable[..., SmallProject], deployed: Any, plan: Any
) -> None:
    """SQLite has no locks on a table to go by: a DELETE there is told by its words."""
    project = make_project("django")
    database = deployed(project, "sqlite")
    step = project.add("-- tidy\nDELETE FROM made_1")
    assert plan(project, database.url).step(step)["destructive"]
