"""A step whose code deletes rows is asked about, on a scratch database that has none to delete."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from support.projects import SmallProject, put
from tidegate.rehearsal.deleting import deletions

HELPERS = "def tidy(rows):\n    for one in rows:\n        one.delete()\n"
MODULE = '''
import functools
import {helpers}
from {helpers} import tidy
def by_query(apps, editor): apps.get_model("a", "B").objects.filter(x=1).delete()
def by_row(apps, editor):
    """DELETE FROM what only the docstring speaks of."""
    for one in apps.get_model("a", "B").objects.all():
        one.delete(using="default")
def by_text(apps, editor):
    for one in ():
        editor.execute(f"DELETE FROM {{one}} WHERE 1 = 1")
def by_helper(apps, editor): tidy(())
def by_module(apps, editor): {helpers}.tidy(())
def by_closure(): return lambda apps, editor: tidy(())
made = by_closure()
partial = functools.partial(by_query, editor=None)
def by_sqlalchemy(): op.get_bind().execute(sa.delete(table))
def by_table(): op.get_bind().execute(table.delete().where(table.c.id == 1))
def by_session(): db_session.delete(row)
def by_cache(): cache.delete("key")
def by_file(): row.image.delete(save=False)
def by_web(): requests.delete("https://example.org")
def by_words(): print("rows marked as deleted: DELETE them FROM the list")
def by_update(apps, editor): apps.get_model("a", "B").objects.update(x=1)
'''


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module of many ways to delete, beside one that helps."""
    import sys

    folder = tmp_path_factory.mktemp("code")
    helpers = "helps_to_tidy_5"
    put(folder / f"{helpers}.py", HELPERS)
    put(folder / "deleting_5.py", MODULE.format(helpers=helpers))
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("deleting_5", folder / "deleting_5.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(helpers, None)


@pytest.mark.parametrize(
    "name",
    ["by_query", "by_row", "by_text", "by_helper", "by_module", "made", "partial", "by_sqlalchemy",
     "by_table", "by_session"],
)  # fmt: skip
def test_code_that_deletes(code: Any, name: str) -> None:
    """By a query, a row, a text, SQLAlchemy's ways; in a helper, a closure, behind partial()."""
    assert len(deletions([getattr(code, name)])) == 1


@pytest.mark.parametrize("name", ["by_cache", "by_file", "by_web", "by_words", "by_update"])
def test_code_that_deletes_no_rows(code: Any, name: str) -> None:
    """A cache's, a file's and a web service's delete is none of rows, nor are words about it."""
    assert deletions([getattr(code, name)]) == []


FAR = "postgresql://no:no@127.0.0.1:1/none"
DJANGO = """\
from django.db import migrations
def work(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM {table}")
        for (number,) in cursor.fetchall():
            cursor.execute("DELETE FROM made_1 WHERE id = %s", [number])
class Migration(migrations.Migration):
    dependencies = [("shop", "{needs}")]
    operations = [migrations.RunSQL("CREATE TABLE own (id integer)", "DROP TABLE own"),
                  migrations.RunPython(work, migrations.RunPython.noop)]
"""
ALEMBIC = """\
from alembic import op
revision, down_revision = "{step}", "{needs}"
def upgrade():
    op.execute("CREATE TABLE own (id integer)")
    for (number,) in op.get_bind().exec_driver_sql("SELECT id FROM {table}").fetchall():
        op.execute(f"DELETE FROM made_1 WHERE id = {{number}}")
def downgrade(): op.execute("DROP TABLE own")
"""


@pytest.mark.parametrize("flavour", ["django", "alembic"])
@pytest.mark.parametrize(("table", "asked"), [("made_1", True), ("own", False)])
def test_a_loop_over_no_rows_is_asked_about(
    make_project: Callable[..., SmallProject], plan: Any, flavour: str, table: str, asked: bool
) -> None:
    """A loop that deletes what it finds needs a word where it goes over the target's rows; where it
    goes over those of a table of its own nothing of the target's is touched. A downgrade() on one
    line is a way down."""
    project = make_project(flavour, steps=1)
    step = project.add("SELECT 1")
    text = DJANGO if flavour == "django" else ALEMBIC
    needs = project.ids[0].rpartition(".")[2]
    project.files[step].write_text(text.format(table=table, needs=needs, step=step))
    planned = plan(project, FAR, "--from", project.ids[0])
    assert (step in planned.document["needs_approval"]) == asked, planned.ended.said
    assert len(planned.found("rows-deleted")) == asked
    if asked:
        (found,) = planned.found("rows-deleted")
        assert found["line"] == 6, found


def test_steps_of_one_transaction_are_told_apart(
    make_project: Callable[..., SmallProject], plan: Any
) -> None:
    """Alembic runs all pending revisions in one transaction: what a later one does to a table that
    an earlier one has locked breaks the running release all the same, and is shown."""
    project = make_project("alembic", steps=1)
    env = project.root / "migrations" / "env.py"
    env.write_text(env.read_text().replace("transaction_per_migration=True", ""))
    first = project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    second = project.add("ALTER TABLE made_1 RENAME COLUMN id TO number")
    planned = plan(project, FAR, "--from", project.ids[0])
    assert [planned.step(one)["compatible"] for one in (first, second)] == [True, False]
    (found,) = planned.found("running-release-breaks")
    assert found["step"] == second
    assert "metadata only, under ACCESS EXCLUSIVE made_1, which its transaction holds from before" \
        in planned.ended.out  # fmt: skip
