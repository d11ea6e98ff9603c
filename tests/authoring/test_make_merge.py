"""Several heads: joined where the branches commute, refused where they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Project = Callable[..., Any]

TABLES = """
Table("orders", Base.metadata, Column("id", Integer, primary_key=True), Column("size", Integer))
"""
MODELS = "class Order(models.Model):\n    note = models.CharField(max_length=9)\n"


def branch(one: Any, name: str, *operations: str) -> None:
    """Write a step by hand on the first one."""
    if one.framework == "django":
        first = next(f for f in sorted(one.files()) if "/0001_" in f).rpartition("/")[2][:-3]
        lines = "".join(f"        {line},\n" for line in operations)
        one.write(f"shop/migrations/{name}.py", (
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):"
            f"\n    dependencies = [('shop', '{first}')]\n    operations = [\n{lines}    ]\n"
        ))  # fmt: skip
        return
    first = one.database.rows("SELECT version_num FROM alembic_version")[0]
    lines = "".join(f"    {line}\n" for line in operations)
    one.write(f"migrations/versions/{name}.py", (
        f"from alembic import op\nimport sqlalchemy as sa\n\nrevision = '{name}'\n"
        f"down_revision = '{first}'\nbranch_labels = depends_on = None\n\n\n"
        f"def upgrade():\n{lines}\n\ndef downgrade():\n    pass\n"
    ))  # fmt: skip


def add(table: str, column: str, kind: str = "sa.Integer()") -> str:
    return f"op.add_column('{table}', sa.Column('{column}', {kind}))"


def test_branches_of_alembic_that_commute(project: Project) -> None:
    """They are joined; what differs by the order is refused, with the difference, and no file."""
    one = project("alembic", "newest", TABLES)
    branch(one, "aaaa", add("orders", "left"))
    branch(one, "bbbb", "op.execute('ALTER TABLE orders ALTER size SET DEFAULT 1')")
    refused = one.tidegate("make", "-m", "more", code=6)
    assert "there are 2 heads: aaaa, bbbb; no file was made" in refused.err
    assert "next: join them first: tidegate make --merge" in refused.err
    done = one.tidegate("make", "--merge")
    assert "the schema is the same in both orders" in done.err
    assert "_merge_aaaa_and_bbbb.py\n" in done.out  # with a name, and no SQL of one branch
    assert "ALTER" not in done.out
    assert "there is nothing to join" in one.tidegate("make", "--merge", code=1).err
    branch(one, "cccc", "op.execute('ALTER TABLE orders ALTER size SET DEFAULT 2')")
    before = one.files()
    done = one.tidegate("make", "--merge", code=6)
    assert "do not commute; no file was made" in done.err
    signs = re.findall(r"([-+]) column public.orders.size: integer DEFAULT [12]", done.err)
    assert sorted(signs) == ["+", "-"], done.err  # which is first: the merge's name is random
    assert one.files() == before


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_leaves_of_django(project: Project, which: str) -> None:
    """One that fails after the other is refused; on request it gets a number behind it."""
    one = project("django", which, MODELS)
    branch(one, "0002_left", "migrations.RemoveField('order', 'note')")
    branch(
        one,
        "0002_right",
        "migrations.AddIndex('order', models.Index(fields=['note'], name='by_note'))",
        "migrations.RemoveIndex('order', 'by_note')",
    )
    said = one.make(code=6).err
    assert "next: tidegate make --merge" in said or "is behind" in said
    done = one.tidegate("make", "--merge", code=6)
    assert "can't be applied after shop.0002_" in done.err
    branch(one, "0002_right", "migrations.AddField('order', 'extra', models.TextField(null=True))")
    done = one.tidegate("make", "--merge", "--renumber")
    assert "shop.0002_right is 0003_right now" in done.err
    names = sorted(file.rpartition("/")[2] for file in one.files())
    assert names[1:] == ["0002_left.py", "0003_right.py"]
    assert "('shop', '0002_left')" in (one.root / "shop/migrations/0003_right.py").read_text()
    one.migrate()
    assert "there is nothing to join" in one.tidegate("make", "--merge", code=1).err


def test_an_applied_leaf_keeps_its_number(project: Project) -> None:
    """The branch that is applied stays below, whatever its name."""
    one = project("django", "sqlite", MODELS)
    branch(one, "0002_right", "migrations.AddField('order', 'r', models.TextField(null=True))")
    one.migrate()
    branch(one, "0002_left", "migrations.AddField('order', 'l', models.TextField(null=True))")
    done = one.tidegate("make", "--merge")
    assert "the schema is the same in both orders" in done.err
    (path,) = [file for file in one.files() if "/0003_" in file]
    (one.root / path).unlink()
    done = one.tidegate("make", "--merge", "--renumber")
    assert "shop.0002_left is 0003_left now" in done.err
    one.migrate()
