"""Operations of classes that a project writes itself, in the file or in a module of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said

pytest.importorskip("pgparse")
OPERATIONS = '''
from django.core.management import call_command
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class AddFlag(migrations.AddField):
    """A switch that is off."""

    def __init__(self, model_name, name):
        super().__init__(model_name=model_name, name=name, field=models.BooleanField(default=False))


class AddSwitch(AddFlag):
    """The same by another name."""


class ForgetField(migrations.RemoveField):
    """Out of the state, not out of the database."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass


class DropField(migrations.RemoveField):
    """Out of the database, after it has gone out of the state."""

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        super().database_forwards(app_label, schema_editor, self.before(), to_state)


class Report(Operation):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        call_command("report")
'''


@pytest.fixture
def project(tmp_path: Path) -> Django:
    """A project with a module of operations beside its migrations."""
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    (tmp_path / "shop" / "operations.py").write_text(OPERATIONS, "utf-8")
    return made


@pytest.mark.parametrize(("head", "call"), [
    ("from shop.operations import AddFlag", 'AddFlag("order", "vip"),'),
    ("from shop.operations import AddSwitch as Switch", 'Switch("order", "vip"),'),
    ("from .. import operations", 'operations.AddFlag("order", "vip"),'),
    ("import shop.operations", 'shop.operations.AddFlag(model_name="order", name="vip"),'),
    ("from ..operations import AddFlag",
     'migrations.SeparateDatabaseAndState([AddFlag("order", "vip")], [AddFlag("order", "vip")]),'),
])  # fmt: skip
def test_what_it_hands_to_djangos_own(project: Django, head: str, call: str) -> None:
    """It is judged by the field that its `__init__` makes, wherever its class stands."""
    project.add("0002_flag", call, head=head + "\n")
    found = project.check()
    assert said(found) == ["required-column-without-database-default"]
    assert one(found, "required-column-without-database-default").place.path.endswith("_flag.py")


def test_a_field_forgotten_first_and_dropped_later(project: Django) -> None:
    """`database_forwards` that does nothing leaves the column; the one that follows drops it."""
    head = "from shop.operations import DropField, ForgetField\n"
    project.add("0002_forget", 'ForgetField("order", "code"),', head=head)
    project.add("0003_drop", 'DropField("order", "code"),', head=head)
    assert said(project.check()) == []


def test_what_runs_by_itself_is_said_to_be_unread(project: Django) -> None:
    """An operation that derives from none of Django's is code, and this code runs a command."""
    project.add("0002_report", "Report(),", head="from shop.operations import Report\n")
    assert one(project.check(), "unread").message.startswith("call_command() runs a command")


RECREATED = """op.execute("ALTER TYPE state RENAME TO state_old")
sa.Enum("new", "paid", "gone", name="state").create(op.get_bind())
op.execute("ALTER TABLE orders ALTER COLUMN state TYPE state USING state::text::state")
op.execute("DROP TYPE state_old")"""


def test_an_enum_that_is_made_anew_rewrites_the_table(tmp_path: Path) -> None:
    """The column's type has another name meanwhile; the new one of the old name is not the same."""
    project = Alembic(tmp_path)
    project.add("a1", 'op.create_table("orders", sa.Column("state", '
                'sa.Enum("new", "paid", name="state")))',
                downgrade='op.drop_table("orders"); op.execute("DROP TYPE state")')  # fmt: skip
    project.add("a2", RECREATED, "a1", downgrade=RECREATED.replace("\n", "; "))
    found = project.check()
    assert said(found) == ["type-change-rewrites"]
    assert "from state_old to state" in one(found, "type-change-rewrites").message


def test_a_type_that_goes_before_it_is_made_is_not_left_behind(tmp_path: Path) -> None:
    """The next upgrade() drops it first."""
    project = Alembic(tmp_path)
    project.add(
        "a1",
        """op.execute("DROP TYPE IF EXISTS state")
op.execute("CREATE TYPE state AS ENUM ('new')")""",
    )
    assert said(project.check()) == []


def test_not_null_as_a_constraint(tmp_path: Path) -> None:
    """PostgreSQL 18 has a word for it that the grammar here does not know: read all the same."""
    project = Alembic(tmp_path)
    project.add("a1", 'op.create_table("orders", sa.Column("total", sa.Integer()))',
                downgrade='op.drop_table("orders")')  # fmt: skip
    add = 'op.execute("ALTER TABLE orders ADD CONSTRAINT nn NOT NULL total NOT VALID")'
    project.add("a2", add, "a1")
    project.add("a3", 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT nn")', "a2")
    project.add("a4", 'op.alter_column("orders", "total", nullable=False)', "a3")
    assert said(project.check()) == ["null-forbidden"]
    project.add("a2", 'op.execute("ALTER TABLE orders ADD NOT NULL total")', "a1")
    assert "not-null-scans" in said(project.check())


def test_rows_first_and_the_table_after(tmp_path: Path) -> None:
    """Nobody is shut out while the rows are written: a warning that says what can go wrong."""
    project = Alembic(tmp_path)
    project.add("a1", 'op.create_table("orders", sa.Column("total", sa.Integer()))',
                downgrade='op.drop_table("orders")')  # fmt: skip
    project.add("a2", """op.execute("UPDATE orders SET total = 0 WHERE total IS NULL")
op.add_column("orders", sa.Column("note", sa.Text()))""", "a1",
                downgrade='op.drop_column("orders", "note")')  # fmt: skip
    found = one(project.check(), "schema-and-data-together")
    assert found.severity == "warning"
    assert "pending trigger events" in found.message


def test_a_table_that_only_helps_needs_no_way_back(tmp_path: Path) -> None:
    """It is made, changed and dropped in one revision: the schema is the same afterwards."""
    project = Alembic(tmp_path)
    project.add(
        "a1",
        """op.create_table("helper", sa.Column("a", sa.Integer()))
op.add_column("helper", sa.Column("b", sa.Integer()))
op.create_index("helper_b", "helper", ["b"])
op.drop_table("helper")""",
        downgrade="pass",
    )
    assert said(project.check()) == []


def test_what_is_dropped_so_that_it_can_be_made(tmp_path: Path) -> None:
    """IF EXISTS before a table that no step had made is a guard; of one that is there it is not."""
    project = Alembic(tmp_path)
    drop = 'op.execute("DROP TABLE IF EXISTS graph CASCADE")\n'
    make = 'op.create_table("graph", sa.Column("id", sa.Integer(), primary_key=True))'
    project.add("a1", drop + make, downgrade='op.drop_table("graph")')
    assert said(project.check()) == []
    project.add("a2", drop + make, "a1", downgrade='op.drop_table("graph")')
    assert said(project.check()) == ["dropped-with-cascade", "table-dropped"]
