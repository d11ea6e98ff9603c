"""Shapes that public projects write, and that were once judged wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, said
from tidegate.workflows.check.settings import load

pytest.importorskip("pgparse")


def test_a_projects_own_many_to_many_field(tmp_path: Path) -> None:
    """It points to a model and has no word on deletion: a table of its own, and no column."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    field = 'fields.TagField(related_name="tags", to="shop.Order")'
    project.add("0002_tags", f'migrations.AddField("order", "tags", {field}),',
                head="from shop import fields\n")  # fmt: skip
    assert said(project.check()) == []
    field = 'fields.Parent(on_delete=models.CASCADE, to="shop.Order")'
    project.add("0003_parent", f'migrations.AddField("order", "parent", {field}),',
                head="from shop import fields\n")  # fmt: skip
    assert "required-column-without-default" in said(project.check())


def test_six_columns_that_go_for_one_that_comes(tmp_path: Path) -> None:
    """One of them at most was renamed: the one whose name is most like the new one."""
    project = Alembic(tmp_path)
    old = [f"{level}_{who}_salary" for level in ("senior", "junior") for who in ("artist", "lead")]
    columns = ", ".join(f'sa.Column("{name}", sa.Integer())' for name in old)
    made = f'op.create_table("scale", sa.Column("id", sa.Integer(), primary_key=True), {columns})'
    project.add("a1", made)
    drops = "\n".join(f'op.drop_column("scale", "{name}")' for name in old)
    project.add("a2", 'op.add_column("scale", sa.Column("salary", sa.Integer()))\n' + drops, "a1")
    found = [one.message for one in project.check().findings
             if one.rule == "rename-seen-as-drop-and-add"]  # fmt: skip
    assert len(found) == 1
    assert found[0].endswith(
        "_lead_salary goes and salary of the same type comes: if that is a rename, its "
        "values are lost"
    )


@pytest.mark.parametrize(
    ("target", "count"), [("customer", 1), ("bill", 0)]
)  # fmt: skip
def test_a_key_of_another_table_is_no_rename(tmp_path: Path, target: str, count: int) -> None:
    """The values of one would mean nothing in the other."""
    project = Alembic(tmp_path)
    key = "sa.Column({!r}, sa.Integer(), sa.ForeignKey({!r}))"
    columns = key.format("added_by", "customer.id")
    plain = 'sa.Column("id", sa.Integer(), primary_key=True)'
    tables = [f'op.create_table("{name}", {plain})' for name in ("customer", "bill")]
    project.add("a1", "\n".join([*tables, f'op.create_table("orders", {plain}, {columns})']))
    new = key.format("made_by", f"{target}.id")
    project.add("a2", f'op.add_column("orders", {new})\nop.drop_column("orders", "added_by")', "a1")
    assert said(project.check()).count("rename-seen-as-drop-and-add") == count


def test_the_settings_of_tests_do_not_tell_the_database(tmp_path: Path) -> None:
    """SQLite in one file, and PostgreSQL's driver among what is installed."""
    (tmp_path / "app" / "settings").mkdir(parents=True)
    engine = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}\n'
    (tmp_path / "app" / "settings" / "unittests.py").write_text(engine, "utf-8")
    assert load(str(tmp_path)).database == "sqlite"
    (tmp_path / "requirements.txt").write_text("psycopg[c]==3.3.4\n", "utf-8")
    assert load(str(tmp_path)).database == "postgresql"


def test_a_null_boolean_field_is_nullable(tmp_path: Path) -> None:
    """Without a word of it: the class says so. It becomes NOT NULL as a BooleanField."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    field = "models.NullBooleanField(default=False)"
    project.add("0002_paid", f'migrations.AddField("order", "paid", {field}),')
    assert said(project.check()) == []
    field = "models.BooleanField(default=False)"
    project.add("0003_paid", f'migrations.AlterField("order", "paid", {field}),')
    assert said(project.check()) == ["not-null-scans", "null-forbidden"]


def test_a_key_that_is_replaced_by_one_of_another_type(tmp_path: Path) -> None:
    """It has the old name, and the previous release asks for a number."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_uuid", """
    migrations.AddField("order", "number", models.UUIDField(null=True)),
    migrations.AddField("order", "amount", models.IntegerField(null=True)),
    migrations.RemoveField("order", "id"),
    migrations.RemoveField("order", "total"),
    migrations.RenameField("order", "number", "key"),
    migrations.RenameField("order", "key", "id"),
    migrations.RenameField("order", "amount", "total"),""")  # fmt: skip
    found = [one.message for one in project.check().findings if one.rule == "column-dropped"]
    assert found == [
        "shop_order.id goes, and a column of another type takes its name (bigint, then uuid): "
        "queries of the previous release fail"
    ]


def test_what_goes_with_its_table_is_not_told_by_itself(tmp_path: Path) -> None:
    """Autogenerate drops the indexes first, Django the foreign keys."""
    project = Alembic(tmp_path)
    columns = 'sa.Column("id", sa.Integer(), primary_key=True), sa.Column("note", sa.Text())'
    project.add(
        "a1", f'op.create_table("orders", {columns})\nop.create_index("i", "orders", ["id"])'
    )
    drops = 'op.drop_index("i", table_name="orders")\nop.drop_column("orders", "note")\n'
    project.add("a2", drops + 'op.drop_table("orders")', "a1")
    assert said(project.check()) == ["table-dropped"]
    project.add("a2", drops, "a1")
    assert said(project.check()) == ["index-dropped-without-concurrently", "column-dropped"]


def test_a_table_that_only_helps_leaves_nothing_to_take_back(tmp_path: Path) -> None:
    """It is made and dropped by the same revision."""
    project = Alembic(tmp_path)
    helps = 'op.execute("CREATE TABLE pairs AS SELECT 1")\n'
    project.add("a1", 'op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True))')
    project.add("a2", helps + 'op.execute("DROP TABLE pairs")', "a1", downgrade="pass")
    assert said(project.check()) == []
    project.add("a2", helps, "a1", downgrade="pass")
    assert said(project.check()) == ["no-downgrade"]


def test_what_is_made_unless_it_is_there(tmp_path: Path) -> None:
    """An earlier revision made it: nothing is built."""
    project = Alembic(tmp_path)
    table = 'op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True))\n'
    check = "ALTER TABLE orders ADD CONSTRAINT {} CHECK (id > 0)"
    project.add(
        "a1", f'{table}op.create_index("i", "orders", ["id"])\nop.execute("{check.format("c")}")'
    )
    again = """op.execute("CREATE INDEX IF NOT EXISTS {} ON orders (id)")
op.execute("DO $$ BEGIN IF true THEN {}; END IF; END $$")"""
    project.add("a2", again.format("i", check.format("c")), "a1")
    assert said(project.check()) == []
    project.add("a2", again.format("j", check.format("d")), "a1")
    assert said(project.check()) == ["index-without-concurrently", "check-validates"]
