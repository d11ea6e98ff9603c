"""A rename that autogenerate sees as something dropped and something added."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Project = Callable[..., object]
ORDERS = """
orders = Table("orders", Base.metadata, Column("id", Integer, primary_key=True),
               Column("NAME", String(50), INDEX), Column("count", Integer))
"""
FIELDS = """
class Order(models.Model):
    NAME = models.CharField(max_length=50)
    count = models.IntegerField(default=0)
"""


def orders(name: str, index: str = "index=False") -> str:
    return ORDERS.replace("NAME", name).replace("INDEX", index)


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_a_column_of_alembic(project: Project, which: str) -> None:
    """Unanswered it is refused with both readings and no file; either answer writes its own."""
    one = project("alembic", which, orders("note", "index=True"))
    before = one.files()
    one.sql("INSERT INTO orders (id, note) VALUES (1, 'kept'), (2, NULL)")
    one.models(orders("remark", "index=True"))
    said = one.make(code=6).err
    assert "column orders.note goes, and orders.remark comes" in said
    assert "both are VARCHAR(50), both follow id" in said
    assert "op.alter_column('orders', 'note', new_column_name='remark')" in said
    assert "1 of 2 rows here hold a value" in said
    assert "next: add --rename orders.note=remark   or   --drop orders.note" in said
    assert one.files() == before
    text = one.made("--rename", "note=remark")
    up, down = text.split("def downgrade")
    assert "op.alter_column('orders', 'note', new_column_name='remark')" in up
    assert "op.alter_column('orders', 'remark', new_column_name='note')" in down
    assert "drop_column" not in text
    if which == "newest":  # the index has its name from the column, and is the same one
        assert "ALTER INDEX ix_orders_note RENAME TO ix_orders_remark" in up
    assert one.database.rows("SELECT remark FROM orders WHERE id = 1") == ["kept"]
    one.nothing()
    one.models(orders("subject", "index=True"))
    assert "drop_column('remark')" in one.made("--drop", "remark").replace("'orders', ", "")


def test_a_table_of_alembic_and_what_else_changed(project: Project) -> None:
    """The rename keeps the rows; what else is new in the table comes as changes of its own."""
    one = project("alembic", "newest", orders("note", "index=True"))
    one.sql("INSERT INTO orders (id, note) VALUES (1, 'kept')")
    one.models(
        orders("note", "index=True")
        .replace('"orders"', '"purchases"')
        .replace('Column("count", Integer)', 'Column("total", Text, server_default="0")')
    )
    said = one.make(code=6).err
    assert "table orders goes, and purchases comes (2 of 3 columns are the same)" in said
    assert "it holds 1 row here" in said
    text = one.made("--rename", "orders=purchases", "--drop", "purchases.count").split("def down")[
        0
    ]
    assert "op.rename_table('orders', 'purchases')" in text
    assert "op.drop_table" not in text
    assert "op.add_column('purchases', sa.Column('total'" in text
    assert one.database.rows("SELECT note, total FROM purchases") == ["kept|0"]
    one.nothing()
    one.alembic("downgrade", "-1")
    assert one.database.rows("SELECT note FROM orders") == ["kept"]


def test_what_is_no_rename_is_not_asked_about(project: Project) -> None:
    """Another type in another place under another name is a drop and an add, and is written."""
    one = project("alembic", "sqlite", orders("note"))
    one.models(
        orders("note")
        .replace('Column("count", Integer)', "")
        .replace('Column("id"', 'Column("paid_at", Text), Column("id"')
    )
    text = one.made()
    assert "add_column" in text and "drop_column" in text


def test_an_answer_that_fits_nothing(project: Project) -> None:
    """A name that is part of no change is wrong usage: it was mistyped, or is out of date."""
    one = project("alembic", "sqlite", orders("note"))
    one.models(orders("note").replace('Column("count", Integer)', 'Column("count", Integer), '
                                      'Column("paid", Integer)'))  # fmt: skip
    said = one.make("--rename", "nots=remark", code=2).err
    assert "--rename nots=remark names nothing that this change is about" in said
    assert one.make("--rename", "nots", code=2).err.count("is not OLD=NEW") == 1
    one.models(orders("remark"))
    said = one.make("--rename", "note=nope", code=6).err
    assert "--rename note=nope names nothing of this change." in said
    assert "next: add --rename orders.note=remark" in said


def test_asked_at_a_terminal(project: Project) -> None:
    """The question shows both readings, and the number of the answer decides."""
    one = project("alembic", "sqlite", orders("note"))
    one.models(orders("remark"))
    ours, theirs = pty.openpty()
    env = {**os.environ, **one.database.environ, "XDG_CACHE_HOME": str(one.cache),
           "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)}  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "tidegate", "make", "-m", "asked"], cwd=one.root, env=env,
        stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    said = ""
    while "which?" not in said:
        said += os.read(ours, 4096).decode()
    os.write(ours, b"1\n")
    out, _ = child.communicate(timeout=60)
    os.close(ours)
    assert child.returncode == 0, said
    assert "1  it is renamed to orders.remark" in said and "2  orders.note is dropped" in said
    assert "note TO remark" in out


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_a_field_and_a_model_of_django(project: Project, which: str) -> None:
    """Both renames in one change, the model's name first; the values stay."""
    one = project("django", which, FIELDS.replace("NAME", "note"))
    before = one.files()
    one.sql("INSERT INTO shop_order (note, count) VALUES ('kept', 1)")
    one.models(FIELDS.replace("NAME", "remark").replace("Order", "Purchase"))
    said = one.make(code=6).err
    assert "model shop.Order goes, and shop.Purchase comes" in said
    assert "RenameModel('Order', 'Purchase')" in said
    assert one.files() == before
    said = one.make("--rename", "Order=Purchase", code=6).err
    assert "field shop.Purchase.note goes, and shop.Purchase.remark comes" in said
    assert "no value for it" not in said  # what a rename would settle waits for the answer
    text = one.made("--rename", "Order=Purchase", "--rename", "note=remark")
    assert "RenameModel" in text and "RenameField" in text
    assert "DeleteModel" not in text and "RemoveField" not in text
    assert one.database.rows("SELECT remark FROM shop_purchase") == ["kept"]
    one.nothing()


def test_a_field_whose_type_changed_too(project: Project) -> None:
    """Django itself asks only about fields that are the same but for the name."""
    one = project("django", "sqlite", FIELDS.replace("NAME", "note"))
    one.models(FIELDS.replace("NAME", "remark").replace("max_length=50", "max_length=80"))
    assert "shop.Order.note=remark" in one.make(code=6).err
    text = one.made("--rename", "note=remark")
    assert "RenameField" in text and "AlterField" in text
