"""Functions, rows and texts as values: what code hands on, puts together and chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said

pytest.importorskip("pgparse")
RUN = "migrations.RunPython({}, migrations.RunPython.noop),"
CREATE = """op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("code", sa.Text()), sa.Column("total", sa.Integer()))"""
LOOP, WHOLE, DROPPED = "loop-over-whole-table", "whole-table-written", "column-dropped"
MODEL = 'apps.get_model("shop", "Order").objects'
CLOSURE = """def filler(field):
    def fill(apps, schema_editor):
        for order in apps.get_model("shop", "Order").objects.all():
            setattr(order, field, "x")
            order.save()
    return fill"""
GIVEN = """def filler(name):
    return lambda apps, schema_editor: apps.get_model("shop", name).objects.update(code="x")"""
PARTIAL = """from functools import partial
def fill(apps, schema_editor, name):
    apps.get_model("shop", name).objects.update(code="x")"""
WRAPPED = f"""def logged(function):
    def inner(apps, schema_editor):
        return function(apps, schema_editor)
    return inner
def fill(apps, schema_editor):
    {MODEL}.update(code="x")"""


@pytest.fixture
def project(tmp_path: Path) -> Django:
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    return made


@pytest.fixture
def revisions(tmp_path: Path) -> Alembic:
    made = Alembic(tmp_path)
    made.add("a1", CREATE)
    return made


@pytest.mark.parametrize(
    ("head", "code", "rule"),
    [
        (CLOSURE, "filler('code')", LOOP),
        (GIVEN, "filler('Order')", WHOLE),
        (PARTIAL, "partial(fill, name='Order')", WHOLE),
        (WRAPPED, "logged(fill)", WHOLE),
    ],
)
def test_a_function_that_another_makes(project: Django, head: str, code: str, rule: str) -> None:
    """It is followed with what it was made with: the model has its name."""
    project.add("0002_fill", RUN.format(code), head=head)
    assert "every Order " in one(project.check(), rule).message


def test_two_that_one_function_makes(project: Django) -> None:
    """Each has what it was made with."""
    other = 'migrations.CreateModel("Room", [("id", models.BigAutoField(primary_key=True))]),'
    project.add("0002_room", other)
    both = "\n".join(RUN.format(f"filler('{name}')") for name in ("Order", "Room"))
    project.add("0003_fill", both, head=GIVEN)
    found = [one for one in project.check().findings if one.rule == WHOLE]
    assert [one.message.split()[3] for one in found] == ["Order", "Room"]


BODIES = {
    "handed": "each(orders.iterator(), lambda one: one.save())",
    "map": "list(map(lambda one: one.save(), orders.all()))",
    "in a tuple": "for step in (touch, print):\n        step(orders.all())",
    "by the database": "{{'postgresql': touch, 'sqlite': print}}"
    "[schema_editor.connection.vendor](orders.all())",
    "generator": "for order in some(orders):\n        order.save()",
    "parts of a generator": "for part in parts(orders):\n        for order in part:\n"
    "            order.save()",
    "pages": "pages = Paginator(orders.order_by('pk'), 1000)\n    for n in pages.page_range:\n"
    "        for order in pages.page(n).object_list:\n            order.save()",
    "pages to write": "for page in Paginator(orders.all(), 1000):\n"
    "        orders.bulk_update(page, ['code'])",
    "one after the other": "while order := orders.filter(code='').first():\n"
    "        order.code = 'x'\n        order.save()",
    "by SQL": "for order in orders.raw('SELECT * FROM shop_order'):\n        order.save()",
    "of each row": "for order in orders.all():\n        for line in order.line_set.all():\n"
    "            line.save()",
    "the row's own": "for order in orders.all():\n        order.customer.save()",
    "slices of an iterator": "rows = orders.iterator()\n    while part := list(islice(rows, 9)):\n"
    "        orders.bulk_update(part, ['code'])",
    "in step": "for n, order in zip(range(9), orders.all()):\n        order.save()",
    "a dictionary": "held = {{order.pk: order for order in orders.all()}}\n"
    "    for key, order in held.items():\n        order.save()",
    "groups": "groups = {{}}\n    for order in orders.all():\n"
    "        groups.setdefault(order.code, []).append(order)\n"
    "    for code, some in groups.items():\n        for order in some:\n"
    "            order.save()",
    "an object": "Filler(orders).run()",
    "match": "match schema_editor.connection.vendor:\n        case 'postgresql':\n"
    "            touch(orders.all())\n        case _:\n            pass",
}
HELP = """from itertools import islice
from django.core.paginator import Paginator
def each(rows, do):
    for row in rows:
        do(row)
def touch(rows):
    for row in rows:
        row.save()
def some(orders):
    for order in orders.iterator():
        yield order
def parts(orders, size=500):
    for at in range(0, orders.count(), size):
        yield orders.all()[at : at + size]
class Filler:
    def __init__(self, rows):
        self.rows = rows
    def run(self):
        for row in self.rows.all():
            row.save()
def fill(apps, schema_editor):
    orders = apps.get_model("shop", "Order").objects
    """


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_rows_are_known_wherever_they_are_handed(project: Django, body: str) -> None:
    """A loop over them is named, whoever goes through it."""
    project.add("0002_fill", RUN.format("fill"), head=HELP + body.replace("{{", "{").replace(
        "}}", "}"))  # fmt: skip
    assert set(said(project.check())) == {LOOP}


@pytest.mark.parametrize(
    "body",
    [
        "match schema_editor.connection.vendor:\n        case 'mysql':\n"
        "            touch(orders.all())\n        case _:\n            pass",
        "for order in orders.raw('SELECT * FROM shop_order WHERE id = 1 LIMIT 1'):\n"
        "        order.save()",
        "for code in {order.code for order in orders.all()}:\n        orders.create(code=code)",
        "for order in sorted(orders.all(), key=lambda one: one.code):\n        print(order)",
    ],
)
def test_rows_that_are_not_written_are_silent(project: Django, body: str) -> None:
    """Another database's branch, a few rows, new rows, no writes."""
    project.add("0002_fill", RUN.format("fill"), head=HELP + body)
    assert said(project.check()) == []


def test_sql_of_an_operation_by_the_database(project: Django) -> None:
    """What stands in RunSQL is what the project's database gets."""
    text = "SQL[connection.vendor]"
    head = (
        "from django.db import connection\n"
        "SQL = {'postgresql': 'UPDATE shop_order SET code = 1', 'sqlite': 'SELECT 1'}"
    )
    project.add("0002_fill", f"migrations.RunSQL({text}, migrations.RunSQL.noop),", head=head)
    assert said(project.check()) == [WHOLE]


@pytest.mark.parametrize(
    "body", ["update = orders.update\n    update(code='')", "other[apps.name](apps)"]
)
def test_what_gets_the_models_and_is_not_found_is_unread(project: Django, body: str) -> None:
    """Nothing is passed in silence."""
    project.add("0002_fill", RUN.format("fill"), head="from other import other\n" + HELP + body)
    assert said(project.check(), "info") == ["unread"]


DROP = 'op.drop_column("orders", "code")'
BOTH = """if op.get_bind().dialect.name == "postgresql":
    {}
else:
    {}"""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"match op.get_bind().dialect.name:\n    case 'postgresql':\n        {DROP}", DROPPED),
        (f"match op.get_bind().dialect.name:\n    case 'mysql' | 'sqlite':\n        {DROP}", ""),
        (f"import os\nmatch os.environ:\n    case {{'A': 'b'}}:\n        {DROP}", DROPPED),
        ("def drop(name):\n    return lambda: op.drop_column(name, 'code')\ndrop('orders')()",
         DROPPED),
        ("SQL = {'postgresql': 'UPDATE orders SET code = 1', 'sqlite': 'SELECT 1'}\n"
         "op.execute(SQL[op.get_bind().dialect.name])", WHOLE),
        ("SQL = {'sqlite': 'UPDATE orders SET code = 1'}\n"
         "op.execute(SQL.get(op.get_bind().dialect.name, 'SELECT 1'))", ""),
        (BOTH.format("t = 'orders'", "t = 'other'") + "\nop.execute(f'UPDATE {t} SET code = 1')",
         WHOLE),
        (BOTH.format("t = sa.JSON()", "t = sa.Text()")
         + "\nop.add_column('orders', sa.Column('x', t))", ""),
        ("import os\ns = 'SELECT 1'\nif os.environ.get('A'):\n    s = 'DROP TABLE orders'\n"
         "op.execute(s)", "table-dropped"),
        (f"def old(bind):\n    return ask(bind)\nif is_sqlite(op.get_bind()):\n    {DROP}", ""),
        ("for name in ('orders', 'rooms'):\n"
         "    if name in ('orders', 'rooms'):\n        continue\n"
         f"    {DROP.replace('orders', 'rooms')}", ""),
        (f"for name in ('orders', 'rooms'):\n    if name == 'orders':\n        break\n    {DROP}",
         ""),
        (f"def only():\n    if op.get_bind().dialect.name == 'postgresql':\n        return\n"
         f"only()\n{DROP}", DROPPED),
        ("rows = op.get_bind().execute(sa.text('SELECT id FROM orders')).fetchall()\n"
         "op.get_bind().execute(sa.text('UPDATE orders SET code = 1 WHERE id = :i'),\n"
         "    [{'i': row.id} for row in rows])", LOOP),
        ("bind = op.get_bind()\nwhile True:\n"
         "    rows = bind.execute(sa.text('SELECT id FROM orders LIMIT 9')).fetchall()\n"
         "    for row in rows:\n"
         "        bind.execute(sa.text('UPDATE orders SET code = 1 WHERE id = :i'), {'i': row.id})",
         LOOP),
        ("n = op.get_bind().execute(sa.text('UPDATE orders SET code = 1')).fetchone()[0] or 0",
         WHOLE),
        ("op.execute('CREATE TEMP TABLE t (id int)')\nop.execute('CREATE INDEX i ON t (id)')\n"
         "op.execute('DROP TABLE t')", ""),
    ],
)  # fmt: skip
def test_what_a_revision_chooses_and_hands_on(revisions: Alembic, text: str, rule: str) -> None:
    """The rule speaks of what runs on the project's database, and of nothing else."""
    head = "from other import ask, is_sqlite"
    revisions.add("a2", text, "a1", head=head)
    assert set(said(revisions.check())) == ({rule} if rule else set())


@pytest.mark.parametrize("text", ["x = 1 + helper(op.get_bind())", "tools[0](op.get_bind())"])
def test_what_gets_the_connection_and_is_not_found_is_unread(revisions: Alembic, text: str) -> None:
    """It may do anything; what only asks, by its name, may not."""
    add = 'op.add_column("orders", sa.Column("x", sa.Text()))\n'
    revisions.add("a2", add + text, "a1", head="from other import helper, tools, has_table")
    assert said(revisions.check(), "info") == ["unread"]
    revisions.add("a2", add + "old = has_table(op.get_bind())", "a1",
                  head="from other import has_table")  # fmt: skip
    assert said(revisions.check(), "info") == []
