"""What a rule knows of the schema before the operation: the chain is replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said

pytest.importorskip("pgparse")
INDEX = 'migrations.AddIndex("order", models.Index(fields=["total"], name="i")),'


def test_a_table_of_the_same_file_is_new(tmp_path: Path) -> None:
    """An index on a table that the same migration creates holds nobody up."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS + INDEX)
    assert said(project.check(), "info") == []


def test_a_table_of_the_same_release_is_new(tmp_path: Path) -> None:
    """What is named counts as one release: a table that it makes is new to all of its files."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_index", INDEX)
    assert said(project.check()) == ["index-without-concurrently"]
    assert said(project.check("shop/migrations/0002_index.py")) == ["index-without-concurrently"]
    both = project.check("shop/migrations/0001_initial.py", "shop/migrations/0002_index.py")
    assert said(both) == []


def test_a_longer_varchar_is_free_and_a_shorter_one_is_not(tmp_path: Path) -> None:
    """The length before is known from the chain, over a rename."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_rename", 'migrations.RenameField("order", "code", "label"),')
    alter = 'migrations.AlterField("order", "label", models.CharField(max_length={})),'
    project.add("0003_wide", alter.format(30))
    path = "shop/migrations/0003_wide.py"
    assert said(project.check(path), "info") == []
    project.add("0004_narrow", alter.format(25))
    found = project.check("shop/migrations/0004_narrow.py")
    assert sorted(said(found)) == ["type-change-rewrites", "type-narrowed"]
    assert "from varchar(30) to varchar(25)" in one(found, "type-narrowed").message


def test_a_change_that_no_database_hears_of_is_silent(tmp_path: Path) -> None:
    """choices, help_text, validators, related_name, on_delete and verbose_name send nothing."""
    project = Django(tmp_path)
    project.add(
        "0001_initial",
        ORDERS
        + """
migrations.AddField("order", "parent",
    models.ForeignKey("shop.Order", models.CASCADE, null=True)),""",
    )
    project.add(
        "0002_words",
        """
migrations.AlterField("order", "code", models.CharField(
    max_length=20, choices=[("a", "A")], help_text="h", verbose_name="v", blank=True)),
migrations.AlterField("order", "parent", models.ForeignKey(
    "shop.order", models.SET_NULL, null=True, related_name="children")),
migrations.AlterModelOptions("order", {"ordering": ["code"]}),""",
    )
    assert said(project.check("shop/migrations/0002_words.py"), "info") == []


def test_state_only_operations_are_not_judged(tmp_path: Path) -> None:
    """What only Django's state hears of locks nothing; the database's side is judged."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add(
        "0002_index",
        f"""
migrations.SeparateDatabaseAndState(
    database_operations=[migrations.RunSQL("CREATE INDEX i ON shop_order (total)", "DROP INDEX i")],
    state_operations=[{INDEX.rstrip(",")}],
),""",
    )
    found = project.check("shop/migrations/0002_index.py")
    assert said(found) == ["index-without-concurrently"]
    assert one(found, "index-without-concurrently").place.line == 9


def test_a_squashed_migration_is_for_new_databases_only(tmp_path: Path) -> None:
    """Nothing that it alters is old: databases that have the tables never run it."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    replaces = '    replaces = [("shop", "0002_a"), ("shop", "0003_b")]\n'
    project.add("0002_squashed_0003", INDEX, body=replaces)
    assert said(project.check(), "info") == []


def test_the_originals_of_a_squash_are_what_runs(tmp_path: Path) -> None:
    """While the replaced files are there, they are replayed, and the squash is left out."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_index", INDEX)
    replaces = '    replaces = [("shop", "0001_initial"), ("shop", "0002_index")]\n'
    project.add(
        "0001_squashed_0002", ORDERS + INDEX, body=replaces, needs=[("auth", "0001_initial")]
    )
    project.add(
        "0003_more", 'migrations.RemoveIndex("order", "i"),', needs=[("shop", "0002_index")]
    )
    assert said(project.check()) == [
        "index-without-concurrently",
        "index-dropped-without-concurrently",
    ]


def test_tables_go_by_db_table_and_columns_by_db_column(tmp_path: Path) -> None:
    """Messages have the database's names, so a rename of the model alone is nothing."""
    project = Django(tmp_path)
    named = ORDERS.replace("]),", '], options={"db_table": "sales"}),')
    project.add("0001_initial", named)
    project.add("0002_name", 'migrations.RenameModel("Order", "Sale"),')
    assert said(project.check("shop/migrations/0002_name.py"), "info") == []
    project.add("0003_index", INDEX.replace('"order"', '"sale"'))
    found = project.check("shop/migrations/0003_index.py")
    assert "every write to sales" in one(found, "index-without-concurrently").message


def test_existing_type_stands_in_for_a_chain_that_is_not_there(tmp_path: Path) -> None:
    """Alembic's `existing_type` tells the type before where no revision made the table."""
    project = Alembic(tmp_path)
    project.add(
        "a1",
        """op.alter_column("orders", "code", type_=sa.String(80),
                existing_type=sa.String(40))
op.alter_column("orders", "total", type_=sa.BigInteger(), existing_type=sa.Integer())""",
    )
    found = project.check()
    assert said(found) == ["type-change-rewrites"]
    assert one(found, "type-change-rewrites").message.startswith("changing orders.total")


def test_a_raw_sql_table_is_known_to_later_steps(tmp_path: Path) -> None:
    """What SQL creates is replayed as what the framework creates."""
    project = Alembic(tmp_path)
    project.add("a1", 'op.execute("CREATE TABLE t (a varchar(10), b int)")')
    project.add("a2", 'op.execute("ALTER TABLE t ALTER a TYPE varchar(20)")', "a1")
    project.add("a3", 'op.execute("ALTER TABLE t ALTER b TYPE bigint")', "a2")
    assert said(project.check()) == ["type-change-rewrites"]
