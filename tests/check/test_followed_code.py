"""What the Python of a migration does: followed through functions, loops and models."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said

pytest.importorskip("pgparse")
RUN = "migrations.RunPython({}, migrations.RunPython.noop),"
WHOLE = 'apps.get_model("shop", "Order").objects.update(code="x")'
FILL = f"def fill(apps, schema_editor):\n    {WHOLE}\n"
CREATE = """op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("code", sa.Text()), sa.Column("total", sa.Integer()))"""


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
    ("head", "code"),
    [
        ("", f"lambda apps, schema_editor: {WHOLE}"),
        (f"fill = lambda apps, schema_editor: {WHOLE}", "fill"),
        ("from functools import partial\n" + FILL, "partial(fill)"),
        ("import functools\n" + FILL, "functools.partial(fill)"),
        (f"class Fill:\n    @staticmethod\n    def go(apps, schema_editor):\n        {WHOLE}",
         "Fill.go"),
        (f"class Fill:\n    def go(self, apps, schema_editor):\n        {WHOLE}", "Fill().go"),
        (FILL + "def both(apps, schema_editor):\n    fill(apps, schema_editor)", "both"),
        ("def fill(apps, schema_editor):\n    for model in (apps.get_model('shop.Order'),):\n"
         "        model.objects.update(code='x')", "fill"),
        ("from shop.tools import fill", "fill"),
        ("from ..tools import fill", "fill"),
        ("from shop.tools import fill\ndef mine(apps, editor):\n    fill(apps, None)", "mine"),
    ],
)  # fmt: skip
def test_the_function_of_a_run_python_is_found(project: Django, head: str, code: str) -> None:
    """Wherever it is written in the project; the message has the model's name."""
    project.add("0002_fill", RUN.format(code), head=head)
    (project.root / "shop" / "tools.py").write_text(FILL, "utf-8")
    found = one(project.check(), "whole-table-written")
    assert found.message.startswith("update() writes every Order at once")
    assert found.place.path == "shop/migrations/0002_fill.py"


@pytest.mark.parametrize("code", ["make()", "other.lib.fill", "FILLS['a']"])
def test_a_function_that_is_not_found_is_said_to_be_unread(project: Django, code: str) -> None:
    """Nothing is passed in silence."""
    project.add(
        "0002_fill", RUN.format(code), head="import other.lib\nfrom other import make, FILLS"
    )
    assert said(project.check(), "info") == ["unread"]


LOOPS = [
    "for order in orders.all():\n        order.save()",
    "for order in list(orders.order_by('pk')):\n        order.code = 'x'\n        order.save()",
    "for key in orders.values_list('pk', flat=True):\n"
    "        orders.filter(pk=key).update(code='')",
    "[order.save() for order in orders.filter(code='')]",
    "n = 0\n    while n < orders.count():\n        for order in orders.all()[n : n + 100]:\n"
    "            order.save()\n        n += 100",
    "for n in range(0, orders.count(), 100):\n        for order in orders.all()[n : n + 100]:\n"
    "            order.save()",
    "some = []\n    for order in orders.iterator():\n        some.append(order)\n"
    "        if len(some) > 99:\n            orders.bulk_update(some, ['code'])",
    "cursor = schema_editor.connection.cursor()\n    cursor.execute('SELECT id FROM shop_order')\n"
    "    for row in cursor.fetchall():\n"
    "        cursor.execute('UPDATE shop_order SET code = %s WHERE id = %s', ['x', row[0]])",
    "for order in orders.all():\n        for other in orders.filter(code=order.code):\n"
    "            other.delete()",
]
HELD = [
    "for order in orders.filter(pk=1):\n        order.save()",
    "for order in orders.all()[:5]:\n        order.save()",
    "for code in ('a', 'b'):\n        orders.create(code=code)",
    "for order in orders.all():\n        order.pk = None\n        order.save()",
    "for order in orders.all():\n        print(order.code)",
    "orders.bulk_update(orders.filter(code=''), ['code'])",
    "for key in orders.values_list('code').distinct():\n"
    "        orders.filter(code=key).update(code='')",
]
DEFINE = (
    'def fill(apps, schema_editor):\n    orders = apps.get_model("shop", "Order").objects\n    '
)


@pytest.mark.parametrize("body", LOOPS)
def test_a_loop_over_rows_is_named(project: Django, body: str) -> None:
    """However it is spelled; not where each row is a transaction of its own."""
    project.add("0002_fill", RUN.format("fill"), head=DEFINE + body)
    assert set(said(project.check())) == {"loop-over-whole-table"}
    project.add("0002_fill", RUN.format("fill"), head=DEFINE + body, body="    atomic = False\n",
                needs=[("shop", "0001_initial")])  # fmt: skip
    assert said(project.check()) == []


@pytest.mark.parametrize("body", HELD)
def test_a_loop_that_is_bounded_or_writes_no_old_row_is_silent(project: Django, body: str) -> None:
    """A few rows, new rows, no writes."""
    project.add("0002_fill", RUN.format("fill"), head=DEFINE + body)
    assert said(project.check()) == []


def test_a_bulk_update_of_everything_is_named(project: Django) -> None:
    """The list holds every row, where each was put into it."""
    body = "some = list(orders.all())\n    orders.bulk_update(some, ['code'])"
    project.add("0002_fill", RUN.format("fill"), head=DEFINE + body)
    assert one(project.check(), "whole-table-written").message.startswith("bulk_update() writes")


ROWS = 'bind = op.get_bind()\nfor row in bind.execute(sa.text("SELECT id FROM orders")){}:\n    '
WRITE = """bind.execute(sa.text("UPDATE orders SET code = '' WHERE id = :i"), {"i": row[0]})"""


@pytest.mark.parametrize(
    "text",
    [
        ROWS.format("") + WRITE,
        ROWS.format(".fetchall()") + WRITE,
        "t = sa.table('orders', sa.column('id'), sa.column('code'))\nbind = op.get_bind()\n"
        "for row in bind.execute(sa.select(t.c.id)):\n"
        "    bind.execute(t.update().where(t.c.id == row.id).values(code=''))",
        'op.execute("""DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM orders LOOP\n'
        'UPDATE orders SET code = \'\' WHERE id = r.id; END LOOP; END $$""")',
        "class Order(Base):\n    __tablename__ = 'orders'\n"
        "for order in Session(bind=op.get_bind()).query(Order):\n    order.code = ''",
    ],
)
def test_a_loop_over_rows_in_a_revision(revisions: Alembic, text: str) -> None:
    """By a connection, by a session, by PL/pgSQL: with the table's name."""
    revisions.add("a2", text, "a1")
    assert "row of orders" in one(revisions.check(), "loop-over-whole-table").message


@pytest.mark.parametrize(
    "text",
    [
        ROWS.format("") + "print(row)",
        ROWS.replace("FROM orders", "FROM orders LIMIT 5").format("") + WRITE,
        ROWS.replace("id FROM orders", "tablename FROM pg_tables").format("") + WRITE,
        'with op.get_context().autocommit_block():\n    bind = op.get_bind()\n    for row in '
        'bind.execute(sa.text("SELECT id FROM orders")):\n        ' + WRITE,
    ],
)  # fmt: skip
def test_what_is_no_loop_over_a_table(revisions: Alembic, text: str) -> None:
    """Nothing is written, a few rows are read, or each row is a transaction of its own."""
    revisions.add("a2", text, "a1")
    assert said(revisions.check()) == []


@pytest.mark.parametrize(
    "text",
    [
        'for i, name in enumerate(["code", "total"]):\n    op.drop_column("orders", name)',
        'for t, name in zip(["orders"] * 2, ("code", "total")):\n    op.drop_column(t, name)',
        'for name, t in {"code": "orders", "total": "orders"}.items():\n'
        "    op.drop_column(t, name)",
        '[op.drop_column("orders", name) for name in ("code", "total")]',
        'names = ["code"]\nnames.append("total")\nfor name in names:\n'
        '    op.drop_column("orders", name)',
    ],
)
def test_loops_over_constants_are_gone_through(revisions: Alembic, text: str) -> None:
    """Each turn has its names."""
    revisions.add("a2", text, "a1")
    found = [o.message.split()[0] for o in revisions.check().findings if o.rule == "column-dropped"]
    assert found == ["orders.code", "orders.total"]


@pytest.mark.parametrize(
    "text",
    [
        "for t in sa.inspect(op.get_bind()).get_table_names():\n    op.drop_table(t)",
        "for t in TABLES:\n    op.add_column(t, sa.Column('x', sa.Integer()))",
        "names = ['code']\nwhile names:\n    op.drop_column('orders', names.pop())",
        "for name in NAMES:\n    op.create_index('i', name, ['a'])",
        "for old in NAMES:\n    op.alter_column('orders', old, new_column_name='x')",
    ],
)
def test_names_that_are_not_known_are_unread(revisions: Alembic, text: str) -> None:
    """No rule speaks of a table or column without a name."""
    revisions.add("a2", text, "a1", head="from lib import NAMES, TABLES")
    assert said(revisions.check(), "info") == ["unread"]


MADE = """
def drop(name):
    return migrations.RemoveField("order", name)


def drops():
    out = []
    for name in ("total", "code"):
        out.append(drop(name))
    return out


class Gone(migrations.RunSQL):
    def __init__(self, name):
        super().__init__(f"ALTER TABLE shop_order DROP COLUMN {name}", migrations.RunSQL.noop)
"""


@pytest.mark.parametrize(
    ("operations", "count"),
    [("drop('total'),", 1), ("*drops(),", 2), ("Gone('total'),", 1),
     ("*[drop(name) for name in ('total', 'code')],", 2)],
)  # fmt: skip
def test_operations_that_the_file_makes(project: Django, operations: str, count: int) -> None:
    """Functions and classes of the file; a class that sets its own reverse is reversible."""
    project.add("0002_drop", operations, head=MADE)
    assert said(project.check()) == ["column-dropped"] * count


def test_sql_over_constants_in_python_is_read(project: Django) -> None:
    """The text that a loop over constants makes is what runs."""
    head = """def drop(apps, schema_editor):
    for table in ("shop_order",):
        schema_editor.execute(f"ALTER TABLE {table} DROP COLUMN total")"""
    project.add("0002_drop", RUN.format("drop"), head=head)
    assert said(project.check(), "info") == ["column-dropped"]


def test_what_another_database_runs_is_not_judged(project: Django) -> None:
    """A test of the connection's vendor is followed."""
    head = """def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        return
    schema_editor.execute("DROP TABLE shop_order")"""
    project.add("0002_drop", RUN.format("drop"), head=head)
    assert "table-dropped" not in said(project.check(), "info")


def test_the_user_model_of_today_is_an_imported_one(project: Django) -> None:
    """get_user_model() gives the class of today; its name alone is no use of it."""
    head = "from django.contrib.auth import get_user_model\ndef fill(apps, schema_editor):\n    "
    project.add("0002_a", RUN.format("fill"), head=head + "get_user_model().objects.filter(pk=1)")
    assert "AUTH_USER_MODEL" in one(project.check(), "model-imported").remedy
    project.add("0002_a", RUN.format("fill"), head=head + "print(get_user_model()._meta.label)",
                needs=[("shop", "0001_initial")])  # fmt: skip
    assert said(project.check(), "info") == []


def test_a_model_that_a_revision_imports(revisions: Alembic) -> None:
    """A query of a class of the project is of today's code; one of a table of the file is not."""
    revisions.add("a2", 'op.get_bind().execute(sa.update(Order).where(Order.id == 1))', "a1",
                  head="from app.models import Order")  # fmt: skip
    assert "app.models.Order" in one(revisions.check(), "model-imported").message
    table = "Order = sa.table('orders', sa.column('id'))\n"
    revisions.add("a2", table + "op.get_bind().execute(sa.update(Order).where(Order.c.id == 1))",
                  "a1")  # fmt: skip
    assert said(revisions.check()) == []


def test_a_module_that_changes_is_read_again(project: Django, tmp_path: Path) -> None:
    """What was kept of a file is out of date when a module that it was read with is another one."""
    from tidegate.workflows.check.review import review

    environ = {"TIDEGATE_CACHE": str(tmp_path / "kept")}
    tools = project.root / "shop" / "tools.py"
    project.add("0002_fill", RUN.format("fill"), head="from shop.tools import fill")
    tools.write_text("def fill(apps, schema_editor):\n    pass\n", "utf-8")
    assert said(review(str(project.root), environ=environ), "info") == []
    tools.write_text(FILL, "utf-8")
    for _ in range(2):
        assert said(review(str(project.root), environ=environ)) == ["whole-table-written"]


def test_code_that_calls_itself_ends(project: Django) -> None:
    """A function that calls itself is followed once."""
    head = "def fill(apps, schema_editor):\n    fill(apps, schema_editor)\n" + f"    {WHOLE}"
    project.add("0002_fill", RUN.format("fill"), head=head)
    assert said(project.check()) == ["whole-table-written"]
