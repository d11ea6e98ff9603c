"""`check --fix --unsafe`: staged files end at the schema, state and rows of the one before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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
        """migrations.AddField("order", "source", models.TextField(null=True)),
migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),  # the report
migrations.RunPython(say, migrations.RunPython.noop),""",
        3, after='migrations.AddField("order", "more", models.TextField(null=True)),',
    ),
    "index, alembic": Case(
        "index-without-concurrently", "alembic",
        """op.add_column("orders", sa.Column("source", sa.Text()))
op.create_index("orders_total", "orders", ["total"])
op.add_column("orders", sa.Column("target", sa.Text()))
# --- downgrade
op.drop_column("orders", "target")
op.drop_index("orders_total", "orders")
op.drop_column("orders", "source")""",
        3, after='op.add_column("orders", sa.Column("more", sa.Text()))\n# --- downgrade\n'
        'op.drop_column("orders", "more")',
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
    "renamed table": Case(
        "table-renamed", "django", 'migrations.RenameModel("Order", "Purchase"),', 1, back=False,
    ),
    "renamed table, alembic": Case(
        "table-renamed", "alembic",
        'op.rename_table("orders", "purchases")\n# --- downgrade\n'
        'op.rename_table("purchases", "orders")', 1, back=False,
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
op.execute("UPDATE orders SET source = note || '\\\\:x'")
# --- downgrade
op.drop_column("orders", "source")""",
        2,
    ),
}  # fmt: skip
SAY = 'def say(apps, schema_editor):\n    print("said")\n# --- operations\n'


@pytest.fixture
def database(servers: Callable[[str], Server]) -> Callable[[], tuple[Server, str]]:
    server = servers("newest")

    def make() -> tuple[Server, str]:
        name = f"staged_{next(_numbers)}"
        server.sql(f"CREATE DATABASE {name} STRATEGY file_copy")
        return server, name

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


def filled(server: Server, name: str, framework: str) -> Callable[[], None]:
    customer, order = staged.TABLES[framework]
    return lambda: server.sql(staged.ROWS.format(customer=customer, order=order), dbname=name)


@pytest.mark.parametrize("name", CASES)
def test_staged_files_end_where_the_one_did(
    name: str, tmp_path: Path, database: Callable[[], tuple[Server, str]]
) -> None:
    """The rule is silent; schema, rows and Django's state are the original's; and back again."""
    case = CASES[name]
    plain = written(case, tmp_path / "plain")
    made = written(case, tmp_path / "made")
    root = tmp_path / "made"
    path = str((made.path / flagged(case)).relative_to(root))
    done = fixing.fix(str(root), [path], "", None, "", OFF, unsafe=True)
    assert done.left == []
    before = len(list(made.path.glob("*.py")))
    done.tree.write()
    assert len(list(made.path.glob("*.py"))) - before + 1 >= case.files
    new = [str(root / one) for one in done.tree.texts]
    again = fixing.fix(str(root), new, "", None, "", OFF, unsafe=True)
    assert [one for one in again.said if case.rule in one] == []
    rest = [one for one in review(str(root), new, environ=OFF).findings if one.rule == case.rule]
    assert rest == []
    ends = []
    for folder in (plain, made):
        server, db = database()
        state = staged.run(folder, server.url(dbname=db), filled(server, db, case.framework))
        view = f'DROP VIEW "{staged.TABLES[case.framework][1]}"'
        if case.rule == "table-renamed" and folder is made:
            server.sql(view, dbname=db)  # what the next release does
        models = {} if state is None else state.models
        rows = staged.content(server, db, case.framework)
        ends.append((staged.schema(server, db), rows, models))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] == ends[1][1]
    assert ends[0][2] == ends[1][2]
    if case.back:
        server, there = database()
        staged.run(made, server.url(dbname=there), filled(server, there, case.framework), back=True)
        server, first = database()
        last = list(plain.path.glob("*.py"))
        for one in sorted(last)[1:]:
            one.unlink()
        staged.run(plain, server.url(dbname=first), filled(server, first, case.framework))
        assert columns_and_more(staged.schema(server, there)) == columns_and_more(
            staged.schema(server, first)
        )
        notes = "SELECT to_regclass('tidegate_backfill')"
        if server.sql(notes, there):  # it would not run again
            assert server.sql("SELECT count(*) FROM tidegate_backfill", there) == "0"


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
    framework: str, tmp_path: Path, database: Callable[[], tuple[Server, str]]
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
    server, between = database()
    order = staged.TABLES[framework][1]
    staged.run(made, server.url(dbname=between), filled(server, between, framework))
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
        server, db = database()
        state = staged.run(folder, server.url(dbname=db), filled(server, db, framework))
        rows = staged.content(server, db, framework)
        models = {} if state is None else state.models
        ends.append((staged.schema(server, db), rows, models))
    assert ends[0] == ends[1]
    server, there = database()
    rows_ = filled(server, there, framework)
    staged.run(made, server.url(dbname=there), rows_, back=True)
    assert server.sql(f"SELECT count(*) FROM {order} WHERE reference = 'R' || id", there) == "40"
