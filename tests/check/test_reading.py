"""What is read of a migration without running it, and what is said to be unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said
from tidegate.errors import UsageProblem

pytest.importorskip("pgparse")
CREATE = 'op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("total", sa.Integer()))'  # noqa: E501
ADD = 'op.create_index("i", "orders", ["total"])'


@pytest.fixture
def revisions(tmp_path: Path) -> Alembic:
    project = Alembic(tmp_path)
    project.add("a1", CREATE)
    return project


@pytest.mark.parametrize(
    "text",
    [
        'def helper(name):\n    op.create_index(name, "orders", ["total"])\nhelper("i")',
        'for name in ("i", "j"):\n    op.create_index(name, "orders", ["total"])',
        'with op.batch_alter_table("orders") as batch:\n    batch.create_index("i", ["total"])',
        'if op.get_bind().dialect.name == "postgresql":\n    ' + ADD,
        'bind = op.get_bind()\nif bind.dialect.name != "sqlite":\n    ' + ADD,
        'if op.get_context().dialect.name == "sqlite":\n    return\n' + ADD,
        'name = "orders"\nop.execute(f"CREATE INDEX i ON {name} (total)")',
        'op.execute("CREATE INDEX i ON %s (total)" % "orders")',
        'op.get_bind().execute(sa.text("CREATE INDEX i ON orders (total)"))',
        'op.execute("DO $$ BEGIN CREATE INDEX i ON orders (total); END $$")',
        'try:\n    ' + ADD + "\nexcept Exception:\n    raise",
        'op.create_index(op.f("i"), table_name="orders", columns=["total"])',
    ],
)  # fmt: skip
def test_ways_of_writing_an_index_are_followed(revisions: Alembic, text: str) -> None:
    """Helpers, loops, batch mode, conditions on the dialect and built-up SQL are read."""
    revisions.add("a2", text, "a1")
    assert set(said(revisions.check())) == {"index-without-concurrently"}


@pytest.mark.parametrize(
    "text",
    [
        'if op.get_bind().dialect.name == "sqlite":\n    ' + ADD,
        'url = str(op.get_bind().engine.url)\nif url.startswith("mysql"):\n    ' + ADD,
        'if op.get_context().dialect.name == "postgresql":\n    pass\nelse:\n    ' + ADD,
        'with op.get_context().autocommit_block():\n'
        '    op.execute("CREATE INDEX CONCURRENTLY i ON orders (total)")',
        'op.create_table("t", sa.Column("a", sa.Integer(), index=True, unique=True))',
    ],
)  # fmt: skip
def test_what_does_not_run_on_this_database_is_not_judged(revisions: Alembic, text: str) -> None:
    """A branch for another database, and an index on a new table, are silent."""
    revisions.add("a2", text, "a1")
    assert said(revisions.check()) == []


def test_downgrade_is_not_judged_as_if_it_ran(revisions: Alembic) -> None:
    """Dropping in downgrade() what upgrade() adds is no finding of the forward rules."""
    revisions.add("a2", 'op.add_column("orders", sa.Column("note", sa.Text()))', "a1",
                  downgrade='op.drop_column("orders", "note")')  # fmt: skip
    assert said(revisions.check(), "info") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('op.execute(f"DROP TABLE {input()}")', "an f-string over data"),
        ('op.execute("THIS IS NOT SQL")', "PostgreSQL's grammar refuses it"),
        ('op.rename_everything("a")', "not one of Alembic's own operations"),
        ('import shop.tools\nshop.tools.rebuild(op)', "another module's function"),
        ("op.execute(\"DO $$ BEGIN EXECUTE 'DROP TABLE x'; END $$\")", "runs text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(revisions: Alembic, text: str, why: str) -> None:
    """It is an info that names the place and the reason, never silence."""
    revisions.add("a2", text, "a1")
    found = one(revisions.check(), "unread")
    assert (found.severity, found.step) == ("info", "a2")
    assert why in found.message


def test_a_condition_that_cannot_be_decided_takes_both_branches(revisions: Alembic) -> None:
    """What stands there is judged, with less confidence, and is not rewritten."""
    revisions.add("a2", f"if op.get_bind().scalar(sa.text('SELECT 1')):\n    {ADD}", "a1")
    found = one(revisions.check(), "index-without-concurrently")
    assert (found.confidence, found.fixable) == ("medium", False)


def test_a_custom_operation_is_said_to_be_unread(tmp_path: Path) -> None:
    """An operation of the project's own is named, with its line."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_own", "CreateLedger('order'),", head="from shop.ops import CreateLedger\n")
    found = one(project.check(), "unread")
    assert "shop.ops.CreateLedger is not known" in found.message
    assert found.place.line == 8


def test_a_file_that_is_not_python_is_an_error(tmp_path: Path) -> None:
    """It is named with the line, and the others are reviewed."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_broken", "migrations.AddField(")
    assert said(project.check()) == ["unreadable-file"]


def test_nothing_of_the_project_is_imported(tmp_path: Path) -> None:
    """A migration that would raise on import is read like any other."""
    project = Django(tmp_path)
    head = "import a_module_that_is_nowhere\nraise SystemExit(1)\n"
    project.add("0001_initial", ORDERS, head=head)
    assert said(project.check(), "info") == []


def test_mysql_is_read_in_its_own_dialect(tmp_path: Path) -> None:
    """MODIFY COLUMN and the rules of MySQL hold; PostgreSQL's don't."""
    project = Alembic(tmp_path, "mysql")
    project.add("a1", CREATE)
    project.add("a2", 'op.execute("ALTER TABLE orders MODIFY COLUMN total BIGINT")', "a1")
    project.add("a3", ADD, "a2")
    assert said(project.check()) == ["mysql-table-copied"]


def test_an_operation_of_a_class_of_the_file_is_taken_for_its_base(tmp_path: Path) -> None:
    """What it derives from is judged, with less confidence."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    head = "\n\nclass DropField(migrations.RemoveField):\n    pass\n"
    project.add("0002_own", 'DropField("order", "total"),', head=head)
    assert one(project.check(), "column-dropped").confidence == "medium"


def test_two_projects_in_one_repository_are_two_chains(tmp_path: Path) -> None:
    """Apps of the same label below two manage.py don't meet."""
    project = Django(tmp_path)
    for home in ("front", "back"):
        project.add("0001_initial", ORDERS, app=f"{home}/shop", needs=[("auth", "0001_initial")])
        (tmp_path / home / "manage.py").write_text("", "utf-8")
    project.add("0002_index", 'migrations.AddField("order", "a", models.TextField(null=True)),',
                app="back/shop", needs=[("shop", "0001_initial")])  # fmt: skip
    found = project.check()
    assert said(found, "info") == []
    assert found.extra["checked"] == 3


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    """A review of nothing never passes as one of something."""
    with pytest.raises(UsageProblem) as raised:
        Django(tmp_path).check()
    assert "no Django migration" in raised.value.what
