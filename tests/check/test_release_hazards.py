"""Hazards that show only in what the release does as a whole, and in what the framework adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said

pytest.importorskip("pgparse")
SQL = "migrations.RunSQL({!r}, migrations.RunSQL.noop),"
ADD = 'migrations.AddField("order", "p", models.IntegerField({})),'
ALTER = 'migrations.AlterField("order", "p", models.IntegerField({})),'
REQUIRED = "required-column-without-database-default"


@pytest.fixture
def project(tmp_path: Path) -> Django:
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    return made


@pytest.mark.parametrize(
    "operation",
    [
        'migrations.AddField("order", "p", models.PositiveIntegerField(null=True)),',
        'migrations.AlterField("order", "total", models.PositiveSmallIntegerField(null=True)),',
        SQL.format("ALTER TABLE shop_order ADD COLUMN p int CHECK (p > 0)"),
    ],
)
def test_a_check_that_comes_along_reads_the_table(project: Django, operation: str) -> None:
    """The one of a field, and one inside of ADD COLUMN; the fix does not fit it."""
    project.add("0002_a", operation)
    found = one(project.check(), "check-validates")
    assert not found.fixable
    assert "reads the whole of shop_order" in found.message


@pytest.mark.parametrize(
    "operation",
    [
        'migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True)), '
        '("p", models.PositiveIntegerField())]),',
        'migrations.SeparateDatabaseAndState(state_operations=[migrations.AlterField("order", '
        '"total", models.PositiveIntegerField(null=True))]),',
        'migrations.RenameField("order", "total", "total"),',
    ],
)
def test_a_check_of_a_new_table_or_of_the_state_alone_is_silent(
    project: Django, operation: str
) -> None:
    """Nothing is read."""
    project.add("0002_a", operation)
    assert said(project.check(), "info") == []


def test_a_positive_field_keeps_its_check(project: Django) -> None:
    """From one positive field to a larger one the check stays as it is."""
    field = 'migrations.{}Field("order", "p", models.{}(null=True)),'
    project.add("0002_a", field.format("Add", "PositiveIntegerField"))
    project.add("0003_b", field.format("Alter", "PositiveBigIntegerField"))
    found = project.check("shop/migrations/0003_b.py")
    assert said(found) == ["type-change-rewrites"]


def test_a_type_of_sqlalchemy_that_brings_a_check(tmp_path: Path) -> None:
    """An Enum that is not native adds one where it is asked to."""
    revisions = Alembic(tmp_path)
    revisions.add("a1", 'op.create_table("orders", sa.Column("id", sa.Integer()))')
    column = "sa.Enum('a', 'b', native_enum=False, name='kind', create_constraint={})"
    add = f'op.add_column("orders", sa.Column("kind", {column}))'
    revisions.add("a2", add.format(False), "a1")
    assert said(revisions.check()) == []
    revisions.add("a2", add.format(True), "a1")
    assert said(revisions.check()) == ["check-validates"]


def test_a_column_made_not_null_later_in_the_release(project: Django) -> None:
    """In the same file or the next of what is named; not in the next release."""
    project.add("0002_a", ADD.format("null=True"))
    last = str(project.add("0003_b", ALTER.format("")))
    both = project.check("shop/migrations/0002_a.py", last)
    assert sorted(said(both)) == ["not-null-scans", REQUIRED]
    assert one(both, REQUIRED).place.path == "shop/migrations/0003_b.py"
    assert sorted(said(project.check(last))) == ["not-null-scans", "null-forbidden"]


@pytest.mark.parametrize(
    "operations",
    [
        ADD.format("null=True, db_default=1") + ALTER.format("db_default=1"),
        ADD.format("null=True") + ALTER.format("db_default=1"),
        ADD.format("null=True") + SQL.format(
            "CREATE TRIGGER f BEFORE INSERT ON shop_order FOR EACH ROW EXECUTE FUNCTION f()"
        ) + ALTER.format(""),
        ADD.format("null=True") + ALTER.format("") + 'migrations.RemoveField("order", "p"),',
    ],
)  # fmt: skip
def test_a_column_that_the_database_fills_is_silent(project: Django, operations: str) -> None:
    """By a default that stays, or a trigger; or it goes again."""
    project.add("0002_a", operations)
    assert REQUIRED not in said(project.check(), "info")


def test_a_default_that_goes_in_the_next_file_of_the_release(project: Django) -> None:
    """What is named is one release: the previous one never knew the column."""
    project.add("0002_a", ADD.format("db_default=1"))
    project.add("0003_b", ALTER.format("default=1"))
    paths = [f"shop/migrations/{name}.py" for name in ("0002_a", "0003_b")]
    assert said(project.check(*paths)) == [REQUIRED]
    assert said(project.check(paths[1])) == ["default-dropped"]


def test_null_is_forbidden_by_a_check_as_well(project: Django) -> None:
    """NOT VALID or not; SET NOT NULL over it forbids nothing more."""
    check = "ALTER TABLE shop_order ADD CONSTRAINT c CHECK (total IS NOT NULL) NOT VALID"
    project.add("0002_a", SQL.format(check))
    project.add("0003_b", SQL.format("ALTER TABLE shop_order VALIDATE CONSTRAINT c"))
    project.add("0004_c", 'migrations.AlterField("order", "total", models.IntegerField()),')
    found = one(project.check(), "null-forbidden")
    assert found.place.path == "shop/migrations/0002_a.py"


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("UPDATE shop_order SET code = '' WHERE true", "every row of shop_order at once"),
        ("UPDATE shop_order SET code = '' WHERE 1 = 1 AND id = id", "every row of shop_order at"),
        ("DELETE FROM shop_order WHERE 1=1", "every row of shop_order at once"),
        ("UPDATE shop_order o SET code = c.code FROM codes c WHERE c.id = o.id", "match in codes"),
        ("DELETE FROM shop_order o USING codes c WHERE c.id = o.id", "match in codes"),
        ("MERGE INTO shop_order o USING codes c ON o.id = c.id WHEN MATCHED THEN "
         "UPDATE SET code = c.code", "match in codes"),
    ],
)  # fmt: skip
def test_a_condition_that_holds_back_no_row_is_none(project: Django, sql: str, rows: str) -> None:
    """It is true for each, or says only which row belongs to which."""
    project.add("0002_a", SQL.format(sql))
    assert rows in one(project.check(), "whole-table-written").message


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE shop_order SET code = '' WHERE id < 1000 AND true",
        "UPDATE shop_order o SET code = c.code FROM codes c WHERE c.id = o.id AND o.code = ''",
        "UPDATE shop_order o SET code = v.c FROM (VALUES (1, 'a')) AS v (i, c) WHERE v.i = o.id",
        "UPDATE shop_order o SET code = c.code FROM (SELECT * FROM codes LIMIT 9) c "
        "WHERE c.id = o.id",
        "CREATE TEMP TABLE codes (id int, code text); "
        "UPDATE shop_order o SET code = c.code FROM codes c WHERE c.id = o.id",
        "MERGE INTO shop_order o USING (VALUES (1)) AS c (id) ON o.id = c.id WHEN MATCHED THEN "
        "UPDATE SET code = ''",
        "SELECT setval('shop_order_id_seq', max(id)) FROM shop_order",
        "ANALYZE shop_order",
    ],
)
def test_a_condition_that_holds_rows_back_is_silent(project: Django, sql: str) -> None:
    """A constant, a few rows beside it, a table of this migration."""
    project.add("0002_a", SQL.format(sql))
    assert said(project.check(), "info") == []


@pytest.mark.parametrize("condition", ["", " WHERE true", " WHERE 1 = 1", " WHERE id < 9"])
def test_a_condition_in_the_sql_of_mysql(tmp_path: Path, condition: str) -> None:
    """It is read by another grammar, and means the same."""
    project = Django(tmp_path, "mysql")
    project.add("0001_initial", ORDERS)
    project.add("0002_a", SQL.format("UPDATE shop_order SET code = ''" + condition))
    whole = [] if "9" in condition else ["whole-table-written"]
    assert said(project.check()) == whole


@pytest.mark.parametrize("sql", ["SELECT move_rows()", "CALL move_rows()",
                                 "DO $$ BEGIN PERFORM move_rows(); END $$"])  # fmt: skip
def test_functions_of_the_database_are_unread(project: Django, sql: str) -> None:
    """What they change is not told here."""
    project.add("0002_a", SQL.format(sql))
    assert said(project.check(), "info") == ["unread"]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("VACUUM shop_order", "refused-in-transaction"),
        ("CREATE DATABASE other", "refused-in-transaction"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "refused-in-transaction"),
        ("CREATE INDEX CONCURRENTLY i ON shop_order (total)", "concurrently-in-transaction"),
    ],
)
def test_what_a_transaction_refuses(project: Django, sql: str, rule: str) -> None:
    """In an atomic migration, and in a text of several statements; alone it may run."""
    needs, free = [("shop", "0001_initial")], "    atomic = False\n"
    project.add("0002_a", SQL.format(sql))
    assert said(project.check()) == [rule]
    project.add("0002_a", SQL.format(f"SET lock_timeout = 0; {sql}"), needs=needs, body=free)
    assert "a text of its own" in one(project.check(), rule).remedy
    project.add("0002_a", SQL.format(sql), needs=needs, body=free)
    assert said(project.check(), "info") == []


def test_a_view_that_goes(project: Django) -> None:
    """The previous release may use it; not one of this release, nor one that is made anew."""
    project.add("0002_a", SQL.format("CREATE VIEW v AS SELECT 1"))
    project.add("0003_b", SQL.format("DROP VIEW v"))
    path = "shop/migrations/0003_b.py"
    assert said(project.check(path)) == ["view-or-function-dropped"]
    assert said(project.check("shop/migrations/0002_a.py", path)) == []
    project.add("0003_b", SQL.format("DROP VIEW v") + SQL.format("CREATE VIEW v AS SELECT 2"),
                needs=[("shop", "0002_a")])  # fmt: skip
    assert said(project.check(path)) == []


def test_a_function_of_a_trigger_goes_with_it(project: Django) -> None:
    """No release calls it by its name."""
    make = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    project.add("0002_a", SQL.format(make))
    project.add("0003_b", SQL.format("DROP FUNCTION f()"))
    assert said(project.check("shop/migrations/0003_b.py")) == []


RENAME = 'migrations.RenameField("order", "code", "label"),'
BACK = 'migrations.AlterField("order", "label", models.CharField(max_length=20, db_column="code")),'


def test_a_name_that_comes_back_was_never_away(project: Django) -> None:
    """In one transaction nobody sees the other one; in two, or without one, everybody does."""
    project.add("0002_a", RENAME + BACK)
    assert said(project.check()) == []
    needs = [("shop", "0001_initial")]
    project.add("0002_a", RENAME + BACK, needs=needs, body="    atomic = False\n")
    assert said(project.check()).count("column-renamed") == 2
    project.add("0002_a", 'migrations.RenameModel("Order", "Sale"),'
                'migrations.AlterModelTable("sale", "shop_order"),', needs=needs)  # fmt: skip
    assert said(project.check()) == []
