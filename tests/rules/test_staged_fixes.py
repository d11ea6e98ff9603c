"""`check --fix --unsafe`: staged files end at the schema, state and rows of the one before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support import rule_examples, staged
from support.postgres import Server
from support.staged import Folder
from tidegate.contracts.rule import Example
from tidegate.workflows.check import fixing
from tidegate.workflows.check.review import review
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import making

pytest.importorskip("django")
pytest.importorskip("alembic")
pytest.importorskip("pgparse")
OFF = {"TIDEGATE_CACHE": "off"}
NEXT = rule_examples.NEXT
_numbers = itertools.count(1)


class Case(NamedTuple):
    """A rule, what comes before the migration that it flags, that migration, and how many files."""

    rule: str
    framework: str
    bad: str
    files: int
    before: str = ""
    after: str = ""
    back: bool = True  # whether everything can be taken back


PAYER = 'models.ForeignKey("shop.Customer", models.CASCADE, null=True, related_name="paid"'
CASES = {
    "null, amid others": Case(
        "not-null-scans", "django",
        """migrations.AddField("order", "source", models.TextField(null=True)),
# every order has one since 2019
migrations.AlterField(
    model_name="order",
    name="note",
    field=models.TextField(),  # required
),
migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),""",
        4, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "null, with a default": Case(
        "not-null-scans", "django",
        'migrations.AlterField("order", "total", models.IntegerField(default=7)),', 4,
    ),
    "null, alembic": Case(
        "not-null-scans", "alembic",
        """op.add_column("orders", sa.Column("source", sa.Text()))
# every order has one
op.alter_column("orders", "note", existing_type=sa.Text(), nullable=False)
op.add_column("orders", sa.Column("target", sa.Text()))
# --- downgrade
op.drop_column("orders", "target")
op.alter_column("orders", "note", existing_type=sa.Text(), nullable=True)
op.drop_column("orders", "source")""",
        3, after='op.add_column("orders", sa.Column("more", sa.Text()))\n# --- downgrade\n'
        'op.drop_column("orders", "more")',
    ),
    "null of a foreign key": Case(
        "foreign-key-validates", "django",
        f"""migrations.AlterField("order", "payer", {PAYER.replace("null=True, ", "")})),""", 3,
        before=f"""migrations.AddField("order", "payer", {PAYER})),
migrations.RunSQL("UPDATE shop_order SET payer_id = customer_id", migrations.RunSQL.noop),""",
    ),
    "foreign key": Case(
        "foreign-key-validates", "django",
        f'migrations.AlterField("order", "payer", {PAYER})),', 2,
        before=f'migrations.AddField("order", "payer", {PAYER}, db_constraint=False)),',
    ),
    "foreign key, alembic": Case(
        "foreign-key-validates", "alembic",
        """op.create_foreign_key("orders_payer_fk", "orders", "customer", ["payer_id"], ["id"])
op.add_column("orders", sa.Column("source", sa.Text()))
# --- downgrade
op.drop_column("orders", "source")
op.drop_constraint("orders_payer_fk", "orders", type_="foreignkey")""",
        2, before="""op.add_column("orders", sa.Column("payer_id", sa.BigInteger()))
op.create_index("orders_payer", "orders", ["payer_id"])
# --- downgrade
op.drop_column("orders", "payer_id")""",
    ),
    "check": Case(
        "check-validates", "django",
        """migrations.AddConstraint(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="total_positive")
),
migrations.AddField("order", "source", models.TextField(null=True)),""",
        3, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "check, alembic": Case(
        "check-validates", "alembic",
        """op.create_check_constraint("total_positive", "orders", "total >= 0")
# --- downgrade
op.drop_constraint("total_positive", "orders")""",
        2, after='op.add_column("orders", sa.Column("more", sa.Text()))\n# --- downgrade\n'
        'op.drop_column("orders", "more")',
    ),
    "index amid others": Case(
        "index-without-concurrently", "django",
        """migrations.AddField("order", "source", models.TextField(null=True)), \
migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),  # the report
migrations.RunPython(say, migrations.RunPython.noop),""",
        3, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "index, alembic": Case(
        "index-without-concurrently", "alembic",
        """with op.batch_alter_table("orders", schema=None) as batch:  # in one go
    batch.add_column(sa.Column("source", sa.Text()))
    batch.create_index(batch.f("orders_total"), ["total"], unique=False)
    batch.add_column(sa.Column("target", sa.Text()))
# --- downgrade
with op.batch_alter_table("orders", schema=None) as batch:
    batch.drop_column("target")
    batch.drop_index(batch.f("orders_total"))
    batch.drop_column("source")""",
        3, after='op.add_column("orders", sa.Column("more", sa.Text()))\n# --- downgrade\n'
        'op.drop_column("orders", "more")',
    ),
    "indexes in a loop, alembic": Case(
        "index-without-concurrently", "alembic",
        """for column in ("total", "note"):
    # both are searched
    op.create_index(f"orders_{column}", "orders", [column])
op.add_column("orders", sa.Column("target", sa.Text())); op.drop_column("orders", "target")
# --- downgrade
op.add_column("orders", sa.Column("target", sa.Text())); op.drop_column("orders", "target")
for column in ("note", "total"):
    op.drop_index(f"orders_{column}", "orders")""",
        3,
    ),
    "a foreign key's own index": Case(
        "implicit-index", "django",
        f'migrations.AddField("order", "payer", {PAYER})),', 2,
    ),
    "a text's own indexes": Case(
        "implicit-index", "django",
        """migrations.AddField(
    model_name="order",
    name="code",
    field=models.CharField(
        max_length=10,
        null=True,
        db_index=True,
    ),
),""",
        3,
    ),
    "unique amid others": Case(
        "unique-builds-index", "django",
        """migrations.AddField("order", "source", models.TextField(null=True)),
migrations.AddConstraint(
    "order", models.UniqueConstraint(fields=["reference", "customer"], name="once")
),
migrations.AddField("order", "target", models.TextField(null=True)),""",
        3, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "a field becomes unique": Case(
        "unique-builds-index", "django",
        'migrations.AlterField("order", "note", models.TextField(null=True, unique=True)),', 3,
    ),
    "a field comes unique": Case(
        "unique-builds-index", "django",
        """migrations.AddField(
    "order", "code", models.CharField(max_length=9, null=True, unique=True)
),""",
        4,
    ),
    "unique, alembic": Case(
        "unique-builds-index", "alembic",
        """op.create_unique_constraint("once", "orders", ["reference", "note"])
# --- downgrade
op.drop_constraint("once", "orders", type_="unique")""",
        2, after='op.add_column("orders", sa.Column("more", sa.Text()))\n# --- downgrade\n'
        'op.drop_column("orders", "more")',
    ),
    "a default for each row": Case(
        "volatile-default-rewrites", "django",
        """migrations.AddField("order", "source", models.TextField(null=True)),
migrations.AddField(
    "order", "token", models.UUIDField(db_default=RandomUUID(), unique=True)
),""",
        6,
    ),
    "a default for each row, alembic": Case(
        "volatile-default-rewrites", "alembic",
        """op.add_column("orders", sa.Column(
    "token", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False,
))
op.add_column("orders", sa.Column("drawn", sa.Float(), server_default=sa.func.random()))
# --- downgrade
op.drop_column("orders", "drawn")
op.drop_column("orders", "token")""",
        5,
    ),
    "renamed table": Case(
        "table-renamed", "django", 'migrations.RenameModel("Order", "Purchase"),', 1, back=False,
    ),
    "renamed table, alembic": Case(
        "table-renamed", "alembic",
        'op.rename_table("orders", "purchases")\n# --- downgrade\n'
        'op.rename_table("purchases", "orders")', 1, back=False,
    ),
    "type": Case(
        "type-change-rewrites", "django",
        """migrations.AddField("order", "source", models.TextField(null=True)),
migrations.AlterField("order", "total", models.BigIntegerField(null=True)),
migrations.AddField("order", "target", models.TextField(null=True)),""",
        4, before='migrations.AddIndex("order", models.Index(fields=["total"], name="by_total")),',
        after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "type, alembic": Case(
        "type-change-rewrites", "alembic",
        """op.alter_column("orders", "total", type_=sa.BigInteger())
# --- downgrade
op.alter_column("orders", "total", type_=sa.Integer())""",
        4, before="""op.alter_column("orders", "total", nullable=False)
op.create_index("by_total", "orders", ["total", "note"])
# --- downgrade
op.drop_index("by_total", "orders")
op.alter_column("orders", "total", nullable=True)""",
    ),
    "rows apart from the schema": Case(
        "schema-and-data-together", "django",
        """def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    Order.objects.filter(source=None, total__gt=100).update(source="web")
# --- operations
migrations.AddField("order", "source", models.TextField(null=True)),
migrations.RunPython(fill, migrations.RunPython.noop),
migrations.AddField("order", "target", models.TextField(null=True)),""",
        3, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "rows apart from the schema, alembic": Case(
        "schema-and-data-together", "alembic",
        """op.add_column("orders", sa.Column("source", sa.Text()))
op.execute("UPDATE orders SET source = 'web' WHERE total > 100")
op.add_column("orders", sa.Column("target", sa.Text()))
# --- downgrade
op.drop_column("orders", "target")
op.drop_column("orders", "source")""",
        3,
    ),
    "loop": Case(
        "loop-over-whole-table", "django",
        """def fill(apps, schema_editor):
    \"\"\"Notes are searched in lower case.\"\"\"
    Order = apps.get_model("shop", "Order")
    for order in Order.objects.filter(total__gt=100).iterator():
        order.note = order.reference.lower() + "-" + order.note.upper()
        order.total = order.total * 2 + 1
        order.save()
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
        1,
    ),
    "update amid others": Case(
        "whole-table-written", "django",
        """def fill(apps, schema_editor):
    apps.get_model("shop", "Order")
    Order = apps.get_model("shop", "Order")
    Order.objects.update(note=models.F("reference"))
# --- operations
migrations.AddField("order", "source", models.TextField(null=True)),
migrations.RunSQL("UPDATE shop_order SET note = reference || '%'", migrations.RunSQL.noop),
migrations.AddField("order", "target", models.TextField(null=True)),""",
        3,
    ),
    "update, alembic": Case(
        "whole-table-written", "alembic",
        """op.add_column("orders", sa.Column("source", sa.Text()))
# one: for all
op.execute("UPDATE orders SET source = note || '\\\\:x'")
# --- downgrade
op.drop_column("orders", "source")""",
        2,
    ),
    "loop, alembic": Case(
        "loop-over-whole-table", "alembic",
        """bind = op.get_bind()
# every order says in its note what it is
rows = bind.execute(sa.text("SELECT id, reference, total FROM orders WHERE total > 100")).all()
for key, reference, total in rows:
    note = reference.lower() + "-" + reference  # two times
    bind.execute(
        sa.text("UPDATE orders SET note = :note, total = :total WHERE id = :id"),
        {"note": note, "total": total * 2 + 1, "id": key},
    )
# --- downgrade
pass""",
        1,
    ),
    "loop of core, alembic": Case(
        "loop-over-whole-table", "alembic",
        """orders = sa.table("orders", sa.column("id"), sa.column("reference", sa.String(40)),
                  sa.column("note", sa.Text()), sa.column("total"))
conn = op.get_bind()
for order in conn.execute(sa.select(orders.c.id, orders.c.reference, orders.c.total)):
    conn.execute(
        orders.update().where(orders.c.id == order.id)
        .values({"note": order.reference.upper(), "total": order.total - 1})
    )
# --- downgrade
pass""",
        1,
    ),
    "loop amid others, alembic": Case(
        "loop-over-whole-table", "alembic",
        """op.add_column("orders", sa.Column("source", sa.Text()))
for row in op.get_bind().execute(sa.text("SELECT id, reference FROM orders")).mappings():
    op.get_bind().execute(
        sa.text("UPDATE orders SET source = :s WHERE id = :i").bindparams(
            s=row["reference"], i=row["id"]
        )
    )
# --- downgrade
op.drop_column("orders", "source")""",
        2,
    ),
}  # fmt: skip
CHANCE = re.compile(r'(?<="token": ")[0-9a-f-]{36}|(?<="drawn": )[0-9.e-]+')
SAY = 'def say(apps, schema_editor):\n    print("said")\n# --- operations\n'


Databases = Callable[[str], tuple[Server, str]]


@pytest.fixture
def database(
    servers: Callable[[str], Server], tmp_path_factory: pytest.TempPathFactory
) -> Databases:
    """Return a server and a new database on it that has the shop's tables and rows."""
    server = servers("newest")

    def make(framework: str) -> tuple[Server, str]:
        folder = tmp_path_factory.mktemp("shop") / "files"
        return server, staged.copied(server, framework, f"staged_{next(_numbers)}", folder)

    return make


def written(case: Case, root: Path) -> Folder:
    """Write the case's project: the shop, what is before, the migration, what is after."""
    bad = SAY + case.bad if "say," in case.bad else case.bad
    parts = [part for part in (case.before, bad, case.after) if part]
    example = Example(case.framework, "", "")
    folder = Folder(root, case.framework)
    root.mkdir(exist_ok=True)
    (root / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    folder.write(rule_examples.files(example, NEXT.join(parts)))
    return folder


def flagged(case: Case) -> str:
    """Return the name of the file that holds the case's migration."""
    number = 3 if case.before else 2
    return f"{number:04d}_step.py" if case.framework == "django" else f"r{number}.py"


@pytest.mark.parametrize("name", CASES)
def test_staged_files_end_where_the_one_did(name: str, tmp_path: Path, database: Databases) -> None:
    """The rule is silent; schema, rows and Django's state are the original's; and back again."""
    case = CASES[name]
    plain = written(case, tmp_path / "plain")
    made = written(case, tmp_path / "made")
    root = tmp_path / "made"
    path = str((made.path / flagged(case)).relative_to(root))
    done = fixing.fix(str(root), [path], "", None, "", OFF, unsafe=True)
    assert done.left == []
    before = len(list(made.path.glob("*.py")))
    was = {one.rule for one in review(str(root), [path], environ=OFF).at_least("warning")}
    done.tree.write()
    assert len(list(made.path.glob("*.py"))) - before + 1 >= case.files
    new = [str(root / one) for one in done.tree.texts]
    again = fixing.fix(str(root), new, "", None, "", OFF, unsafe=True)
    assert [one for one in again.said if case.rule in one] == []
    rest = {one.rule for one in review(str(root), new, environ=OFF).at_least("warning")}
    assert rest <= was - {case.rule}
    ends: list[tuple[object, ...]] = []
    for folder in (plain, made):
        server, db = database(case.framework)

        def end(state: Any, server: Server = server, db: str = db) -> None:
            ends.append(ended(case, server, db, {} if state is None else state.models))

        scanned: staged.Scanned = []
        back = end if case.back and folder is made else None
        state = staged.run(folder, server.url(dbname=db), back, scanned)
        if back is None:
            end(state)
            continue
        there = columns_and_more(staged.schema(server, db))
        assert there == columns_and_more(staged.shop(server, case.framework, tmp_path).schema)
        if staged.asked(server, db, "SELECT to_regclass('tidegate_backfill')") != [None]:
            notes = staged.asked(server, db, "SELECT count(*) FROM tidegate_backfill")
            assert notes == [0]  # else it would not run again
        shut = {step for step, _ in scanned}  # read a table while nobody else could
        assert shut & {Path(one).stem for one in new} == set()
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] == ends[1][1]
    assert ends[0][2] == ends[1][2]


def ended(case: Case, server: Server, db: str, models: object) -> tuple[object, ...]:
    """Return the schema, the rows and Django's models at the end of a chain."""
    order = staged.TABLES[case.framework][1]
    table = order
    if case.rule == "table-renamed":
        table = {"shop_order": "shop_purchase", "orders": "purchases"}[order]
        server.sql(f'DROP VIEW IF EXISTS "{order}"', dbname=db)  # what the next release does
    rows = staged.content(server, db, table)
    assert len(rows) == 40
    if case.rule == "volatile-default-rewrites":  # each row has its own, and a run has its own
        assert len(set(rows)) == 40
        rows = [CHANCE.sub("by chance", str(row)) for row in rows]
    dump = staged.schema(server, db)
    moved = case.rule == "type-change-rewrites"  # the copy stands last
    return columns_and_more(dump) if moved else dump, rows, models


def test_a_unique_field_with_a_callable_default(tmp_path: Path, database: Databases) -> None:
    """As one migration it fails on the second row; in stages each row gets its own, the previous
    release's INSERT works all along, and the way back is open."""
    field = "models.UUIDField(default=uuid.uuid4, unique=True)"
    added = f'migrations.AddField("order", "token", {field}),'
    case = Case("unique-with-one-default", "django", added, 6)
    folder = written(case, tmp_path / "made")
    path = str((folder.path / flagged(case)).relative_to(tmp_path / "made"))
    done = fixing.fix(str(tmp_path / "made"), [path], "", None, "", OFF, unsafe=True)
    assert done.left == []
    done.tree.write()
    new = [str(tmp_path / "made" / one) for one in done.tree.texts]
    found = review(str(tmp_path / "made"), new, environ=OFF).at_least("error")
    assert [one.rule for one in found] == []
    server, db = database("django")
    seen: list[str] = []

    def end(state: Any) -> None:
        columns = "(id, customer_id, reference, placed)"
        server.sql(f"INSERT INTO shop_order {columns} VALUES (99, 1, 'R', now())", dbname=db)
        seen.append(server.sql("SELECT count(DISTINCT token) FROM shop_order", db))
        seen.append(server.sql(
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'shop_order'::regclass "
            "AND attname = 'token'", db,
        ))  # fmt: skip

    staged.run(folder, server.url(dbname=db), end)
    assert seen == ["41", "t"]


@pytest.mark.parametrize("name", ["null, alembic", "check"])
def test_the_original_reads_the_table_while_it_is_shut(
    name: str, tmp_path: Path, database: Databases
) -> None:
    """So the absence of that in the staged files is one that would be seen."""
    folder = written(CASES[name], tmp_path / "plain")
    server, db = database(folder.framework)
    scanned: staged.Scanned = []
    staged.run(folder, server.url(dbname=db), scanned=scanned)
    assert Path(flagged(CASES[name])).stem in {step for step, _ in scanned}


def columns_and_more(dump: str) -> list[str]:
    """Return the lines of a schema, sorted: a column that was dropped and added stands last."""
    return sorted(one.rstrip(",") for one in dump.splitlines())


RENAMES = {
    "django": ('migrations.RenameField("order", "reference", "code"),', "order.reference=code"),
    "alembic": (
        'op.alter_column("orders", "reference", new_column_name="code")\n# --- downgrade\n'
        'op.alter_column("orders", "code", new_column_name="reference")',
        "orders.reference=code",
    ),
}
BEFORE = {
    "django": 'migrations.AddIndex("order", models.Index(fields=["reference"], name="by_ref")),',
    "alembic": 'op.create_index("by_ref", "orders", ["reference"])\n# --- downgrade\n'
    'op.drop_index("by_ref", "orders")',
}
WRITES = {  # (statement, reference, code) of the row it writes: of the previous release, the next
    "old inserts": ("INSERT INTO {t} ({c}, id, reference) VALUES (1, 101, 'old')", 101, "old"),
    "new inserts": ("INSERT INTO {t} ({c}, id, code) VALUES (1, 102, 'new')", 102, "new"),
    "old updates": ("UPDATE {t} SET reference = 'older' WHERE id = 102", 102, "older"),
    "new updates": ("UPDATE {t} SET code = 'newer' WHERE id = 101", 101, "newer"),
}


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_a_rename_is_expanded_and_contracted(
    framework: str, tmp_path: Path, database: Databases
) -> None:
    """Both releases write between the two; the end is the rename's schema, state and rows."""
    bad, named = RENAMES[framework]
    case = Case("column-renamed", framework, bad, 3, BEFORE[framework])
    plain, made = written(case, tmp_path / "plain"), written(case, tmp_path / "made")
    root = tmp_path / "made"
    path = str((made.path / flagged(case)).relative_to(root))
    done = fixing.fix(str(root), [path], "", None, "", OFF, unsafe=True)
    assert done.left == []
    assert len(done.tree.new) == 2  # the rows, and the copy of the index
    done.tree.write()
    server, between = database(framework)
    order = staged.TABLES[framework][1]
    staged.run(made, server.url(dbname=between))
    names = {"t": order, "c": "customer_id"}
    assert server.sql(f"SELECT count(*) FROM {order} WHERE code = reference", between) == "40"
    for said, row, value in WRITES.values():
        server.sql(said.format(**names), dbname=between)
        found = server.sql(f"SELECT reference, code FROM {order} WHERE id = {row}", between)
        assert found == f"{value}|{value}"
    ending = making.contract(Tree(str(root)), "", "rename:" + named)
    assert [one for one in ending if "contract" in one] == ending
    tree = Tree(str(root))
    making.contract(tree, "", "rename:" + named)
    tree.write()
    contracted = str(root / ending[0])
    found = review(str(root), [contracted], environ=OFF).findings
    assert [one.rule for one in found if one.severity == "error"] == []
    together = [contracted, *(str(root / one) for one in done.tree.texts)]
    early = review(str(root), together, environ=OFF).findings
    assert [one.message for one in early if one.rule == "column-renamed"] == [
        f"the old {order}.reference goes in the release that makes its copy: the previous release "
        "still asks for it"
    ]
    ends = []
    for folder in (plain, made):
        server, db = database(framework)
        state = staged.run(folder, server.url(dbname=db))
        rows = staged.content(server, db, order)
        models = {} if state is None else state.models
        ends.append((staged.schema(server, db), rows, models))
    assert ends[0] == ends[1]
    server, there = database(framework)
    staged.run(made, server.url(dbname=there), back=lambda state: None)
    assert server.sql(f"SELECT count(*) FROM {order} WHERE reference = 'R' || id", there) == "40"


GENERATED = '''"""{title}

Revision ID: {revision}
Revises: {down}
Create Date: 2026-01-02 10:00:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '{revision}'
down_revision: Union[str, None] = {down!r}
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    # ### commands auto generated by Alembic - please adjust! ###
    {up}
    # ### end Alembic commands ###


def downgrade() -> None:
    """Downgrade schema."""
    # ### commands auto generated by Alembic - please adjust! ###
    {back}
    # ### end Alembic commands ###
'''
UP = """op.add_column('orders', sa.Column('state', sa.String(length=20), nullable=True))
    op.alter_column('orders', 'note',
               existing_type=sa.TEXT(),
               nullable=False)
    op.create_index(op.f('ix_orders_total'), 'orders', ['total'], unique=False)
    op.create_check_constraint('total_positive', 'orders', 'total >= 0')"""
BACK = """op.drop_constraint('total_positive', 'orders', type_='check')
    op.drop_index(op.f('ix_orders_total'), table_name='orders')
    op.alter_column('orders', 'note',
               existing_type=sa.TEXT(),
               nullable=True)
    op.drop_column('orders', 'state')"""


def test_a_revision_as_autogenerate_writes_it(tmp_path: Path, database: Databases) -> None:
    """Annotations, docstrings and marks stay; what follows follows the last; it runs both ways."""
    made = written(Case("", "alembic", "pass", 1), tmp_path)
    (made.path / "r2.py").unlink()
    second = GENERATED.format(title="second", revision="bbbb2222", down="r1", up=UP, back=BACK)
    third = GENERATED.format(title="third", revision="cccc3333", down="bbbb2222", up="pass",
                             back="pass")  # fmt: skip
    (made.path / "b_second.py").write_text(second, "utf-8")
    (made.path / "c_third.py").write_text(third, "utf-8")
    path = "migrations/versions/b_second.py"
    done = fixing.fix(str(tmp_path), [path], "", None, "", OFF, unsafe=True)
    assert done.left == []
    done.tree.write()
    steps = made.steps()
    assert [one["revision"] for one in steps][:2] == ["r1", "bbbb2222"]
    assert steps[-1]["revision"] == "cccc3333"
    first = (made.path / "b_second.py").read_text("utf-8")
    assert first.count("# ### end Alembic commands ###") == 2
    last = (made.path / "c_third.py").read_text("utf-8")
    before = steps[-2]["revision"]
    assert f"Revises: {before}\n" in last
    assert f"down_revision: Union[str, None] = '{before}'\n" in last
    new = [(tmp_path / one).read_text("utf-8") for one in done.tree.new]
    assert not any("# ###" in text for text in new)
    assert all("def upgrade() -> None:" in text for text in new)
    server, db = database("alembic")
    staged.run(made, server.url(dbname=db), lambda state: None)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'"
    assert server.sql(columns, db) == "6"


def test_a_callable_of_the_project_is_left_to_its_author(tmp_path: Path) -> None:
    """Nothing is written; the refusal has the steps in the field's own names."""
    added = """def number():
    return "R-1"
# --- operations
migrations.AddField(
    "order", "number", models.CharField(max_length=9, default=number, unique=True)
),"""
    case = Case("unique-with-one-default", "django", added, 4)
    folder = written(case, tmp_path / "made")
    path = str((folder.path / flagged(case)).relative_to(tmp_path / "made"))
    done = fixing.fix(str(tmp_path / "made"), [path], "", None, "", OFF, unsafe=True)
    assert not done.tree.texts
    (said,) = {one.partition("is left to you: ")[2] for one in done.left if "Python" in one}
    assert said.startswith(
        "what number gives only Python can tell; add number with null=True and without its "
        "default, give each row number() in a migration with atomic = False, then make it unique"
    )
