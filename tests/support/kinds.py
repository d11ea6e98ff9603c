"""Kinds of operations, written for both frameworks: each is one step of its own.

`KINDS` maps a name to (Django's operations, Alembic's body). The base has tables with rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

BASE_SQL = (
    "CREATE TABLE customer (id bigserial PRIMARY KEY, name varchar(50) NOT NULL, code varchar(20), "
    "vip boolean, points integer NOT NULL DEFAULT 0, email varchar(80), joined date)",
    "CREATE TABLE orders (id bigserial PRIMARY KEY, ref varchar(30) NOT NULL, qty integer NOT NULL,"
    " note text, customer_id bigint NOT NULL REFERENCES customer (id), price numeric(8, 2))",
    "CREATE TABLE spare (id bigserial PRIMARY KEY, word varchar(20))",
    "CREATE TABLE old (id bigserial PRIMARY KEY, word varchar(20))",
    "CREATE INDEX orders_ref ON orders (ref)",
    "CREATE MATERIALIZED VIEW totals AS SELECT customer_id, count(*) AS n FROM orders GROUP BY 1",
    "CREATE TABLE event (id bigint NOT NULL, day date NOT NULL) PARTITION BY RANGE (day)",
    "CREATE TABLE event_1 (id bigint NOT NULL, day date NOT NULL)",
    "CREATE TYPE mood AS ENUM ('glad', 'sad')",
    "INSERT INTO customer (name, code, vip, email, joined) SELECT 'c' || i, 'k' || i, true, "
    "i || '@example.org', '2024-01-01' FROM generate_series(1, 400) i",
    "INSERT INTO orders (ref, qty, note, customer_id, price) SELECT 'r' || i, i, 'n', i, 1 "
    "FROM generate_series(1, 400) i",
    "INSERT INTO spare (word) SELECT 'w' || i FROM generate_series(1, 400) i",
    "INSERT INTO old (word) SELECT 'w' || i FROM generate_series(1, 400) i",
    "INSERT INTO event_1 SELECT i, '2024-01-01' FROM generate_series(1, 400) i",
    "REFRESH MATERIALIZED VIEW totals",
)

_DJANGO_BASE = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [
        *[migrations.RunSQL(one, migrations.RunSQL.noop) for one in {sql!r}],
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.CreateModel("Customer", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("code", models.CharField(max_length=20, null=True)),
                ("vip", models.BooleanField(null=True)),
                ("points", models.IntegerField()),
                ("email", models.CharField(max_length=80, null=True)),
                ("joined", models.DateField(null=True)),
            ], options={{"db_table": "customer"}}),
            migrations.CreateModel("Orders", [
                ("id", models.BigAutoField(primary_key=True)),
                ("ref", models.CharField(max_length=30)),
                ("qty", models.IntegerField()),
                ("note", models.TextField(null=True)),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE, db_index=False)),
                ("price", models.DecimalField(max_digits=8, decimal_places=2, null=True)),
            ], options={{"db_table": "orders"}}),
            migrations.CreateModel("Spare", [
                ("id", models.BigAutoField(primary_key=True)),
                ("word", models.CharField(max_length=20, null=True)),
            ], options={{"db_table": "spare"}}),
            migrations.CreateModel("Old", [
                ("id", models.BigAutoField(primary_key=True)),
                ("word", models.CharField(max_length=20, null=True)),
            ], options={{"db_table": "old"}}),
        ]),
    ]
"""


def _sql(text: str) -> tuple[str, str]:
    return f"migrations.RunSQL({text!r}, migrations.RunSQL.noop)", f"op.execute({text!r})"


# A name that ends with `!` runs outside a transaction.
KINDS: dict[str, tuple[str, str]] = {
    "add column": (
        'migrations.AddField("customer", "a1", models.TextField(null=True))',
        'op.add_column("customer", sa.Column("a1", sa.Text()))',
    ),
    "add column with a constant default": (
        'migrations.AddField("customer", "a2", models.IntegerField(default=3))',
        'op.add_column("customer", sa.Column("a2", sa.Integer(), server_default="3", '
        "nullable=False))",
    ),
    "add column with a volatile default": (
        "migrations.RunSQL('ALTER TABLE spare ADD COLUMN u uuid DEFAULT gen_random_uuid()', '')",
        'op.add_column("spare", sa.Column("u", sa.Uuid(), '
        'server_default=sa.text("gen_random_uuid()")))',
    ),
    "add foreign key column": (
        'migrations.AddField("orders", "referrer", models.ForeignKey("shop.Customer", '
        'models.SET_NULL, null=True, related_name="+"))',
        'op.add_column("orders", sa.Column("referrer_id", sa.BigInteger(), '
        'sa.ForeignKey("customer.id")))',
    ),
    "add index": (
        'migrations.AddIndex("orders", models.Index(fields=["qty"], name="orders_qty"))',
        'op.create_index("orders_qty", "orders", ["qty"])',
    ),
    "add unique index": _sql("CREATE UNIQUE INDEX spare_word ON spare (word)"),
    "add index concurrently!": (
        'AddIndexConcurrently("orders", models.Index(fields=["price"], name="orders_price"))',
        'op.create_index("orders_price", "orders", ["price"], postgresql_concurrently=True)',
    ),
    "drop index concurrently!": (
        'RemoveIndexConcurrently("orders", "orders_price")',
        'op.drop_index("orders_price", "orders", postgresql_concurrently=True)',
    ),
    "drop index": (
        'migrations.RemoveIndex("orders", "orders_qty")',
        'op.drop_index("orders_qty", "orders")',
    ),
    "set not null": (
        'migrations.AlterField("customer", "code", models.CharField(max_length=20))',
        'op.alter_column("customer", "code", existing_type=sa.String(20), nullable=False)',
    ),
    "drop not null": (
        'migrations.AlterField("customer", "name", models.CharField(max_length=50, null=True))',
        'op.alter_column("customer", "name", existing_type=sa.String(50), nullable=True)',
    ),
    "integer to bigint": (
        'migrations.AlterField("customer", "points", models.BigIntegerField())',
        'op.alter_column("customer", "points", type_=sa.BigInteger())',
    ),
    "widen a varchar": (
        'migrations.AlterField("orders", "ref", models.CharField(max_length=60))',
        'op.alter_column("orders", "ref", type_=sa.String(60))',
    ),
    "narrow a varchar": (
        'migrations.AlterField("spare", "word", models.CharField(max_length=10, null=True))',
        'op.alter_column("spare", "word", type_=sa.String(10))',
    ),
    "varchar to text": (
        'migrations.AlterField("customer", "email", models.TextField(null=True))',
        'op.alter_column("customer", "email", type_=sa.Text())',
    ),
    "widen a numeric": (
        'migrations.AlterField("orders", "price", models.DecimalField(max_digits=10, '
        "decimal_places=2, null=True))",
        'op.alter_column("orders", "price", type_=sa.Numeric(10, 2))',
    ),
    "date to timestamp": (
        'migrations.AlterField("customer", "joined", models.DateTimeField(null=True))',
        'op.alter_column("customer", "joined", type_=sa.DateTime(timezone=True))',
    ),
    "unique field": (
        'migrations.AlterField("customer", "code", models.CharField(max_length=20, unique=True))',
        'op.create_unique_constraint("customer_code_key", "customer", ["code"])',
    ),
    "unique together": (
        'migrations.AlterUniqueTogether("orders", {("ref", "qty")})',
        'op.create_unique_constraint("orders_ref_qty", "orders", ["ref", "qty"])',
    ),
    "field index": (
        'migrations.AlterField("orders", "qty", models.IntegerField(db_index=True))',
        'op.create_index("orders_qty_2", "orders", ["qty"])',
    ),
    "add check": (
        'migrations.AddConstraint("orders", models.CheckConstraint(name="qty_positive", '
        "**{CHECK: models.Q(qty__gte=0)}))",
        'op.create_check_constraint("qty_positive", "orders", "qty >= 0")',
    ),
    "drop check": (
        'migrations.RemoveConstraint("orders", "qty_positive")',
        'op.drop_constraint("qty_positive", "orders")',
    ),
    "add check not valid": (
        'AddConstraintNotValid("orders", models.CheckConstraint(name="qty_small", '
        "**{CHECK: models.Q(qty__lte=9000)}))",
        'op.create_check_constraint("qty_small", "orders", "qty <= 9000", '
        "postgresql_not_valid=True)",
    ),
    "validate check": (
        'ValidateConstraint("orders", "qty_small")',
        "op.execute('ALTER TABLE orders VALIDATE CONSTRAINT qty_small')",
    ),
    "add foreign key": (
        "migrations.RunSQL('ALTER TABLE spare ADD CONSTRAINT spare_fk FOREIGN KEY (id) "
        "REFERENCES customer (id)', '')",
        'op.create_foreign_key("spare_fk", "spare", "customer", ["id"], ["id"])',
    ),
    "add foreign key not valid": _sql(
        "ALTER TABLE old ADD CONSTRAINT old_fk FOREIGN KEY (id) REFERENCES customer (id) NOT VALID"
    ),
    "validate foreign key": _sql("ALTER TABLE old VALIDATE CONSTRAINT old_fk"),
    "drop foreign key": (
        "migrations.RunSQL('ALTER TABLE spare DROP CONSTRAINT spare_fk', '')",
        'op.drop_constraint("spare_fk", "spare")',
    ),
    "set default": (
        "migrations.RunSQL('ALTER TABLE spare ALTER COLUMN word SET DEFAULT 1', '')",
        'op.alter_column("spare", "word", server_default="1")',
    ),
    "set statistics": _sql("ALTER TABLE orders ALTER COLUMN qty SET STATISTICS 500"),
    "comment": _sql("COMMENT ON TABLE orders IS 'what was bought'"),
    "update rows": (
        "migrations.RunPython(double, migrations.RunPython.noop)",
        "op.get_bind().execute(sa.text('UPDATE orders SET qty = qty + 1'))",
    ),
    "delete rows": _sql("DELETE FROM spare WHERE id > 300"),
    "copy rows in": (
        "migrations.RunSQL(\"INSERT INTO event_1 SELECT 1, '2024-01-01'\", '')",
        "op.bulk_insert(sa.table('event_1', sa.column('id'), sa.column('day')), "
        "[{'id': 1, 'day': '2024-01-01'}, {'id': 2, 'day': '2024-01-01'}])",
    ),
    "raw cursor": (
        "migrations.RunPython(raw, migrations.RunPython.noop)",
        "op.get_bind().connection.dbapi_connection.cursor()"
        ".execute('ALTER TABLE spare ADD COLUMN raw integer')",
    ),
    "do block": _sql("DO $$ BEGIN ALTER TABLE spare ADD COLUMN done integer; END $$"),
    "rename column": (
        'migrations.RenameField("customer", "vip", "important")',
        'op.alter_column("customer", "vip", new_column_name="important")',
    ),
    "rename table": (
        'migrations.AlterModelTable("old", "older")',
        'op.rename_table("old", "older")',
    ),
    "drop column": (
        'migrations.RemoveField("customer", "email")',
        'op.drop_column("customer", "email")',
    ),
    "create view": _sql("CREATE VIEW big AS SELECT * FROM orders WHERE qty > 10"),
    "create trigger": _sql(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW "
        "EXECUTE FUNCTION nothing()"
    ),
    "disable trigger": _sql("ALTER TABLE orders DISABLE TRIGGER t"),
    "refresh materialized view": _sql("REFRESH MATERIALIZED VIEW totals"),
    "attach partition": _sql(
        "ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM ('2024-01-01') TO "
        "('2025-01-01')"
    ),
    "detach partition": _sql("ALTER TABLE event DETACH PARTITION event_1"),
    "add enum value": _sql("ALTER TYPE mood ADD VALUE 'calm'"),
    "set unlogged": _sql("ALTER TABLE spare SET UNLOGGED"),
    "cluster": _sql("CLUSTER spare USING spare_pkey"),
    "reindex": _sql("REINDEX TABLE spare"),
    "reindex concurrently!": _sql("REINDEX TABLE CONCURRENTLY spare"),
    "vacuum full!": _sql("VACUUM FULL spare"),
    "lock table": _sql("LOCK TABLE orders IN SHARE MODE"),
    "truncate": _sql("TRUNCATE spare"),
    "drop table": (
        'migrations.DeleteModel("old")',
        'op.drop_table("older")',
    ),
}

_DJANGO_STEP = """\
import django
from django.contrib.postgres.operations import (
    AddConstraintNotValid, AddIndexConcurrently, RemoveIndexConcurrently, ValidateConstraint)
from django.db import migrations, models

CHECK = "condition" if django.VERSION >= (5, 1) else "check"


def double(apps, editor):
    apps.get_model("shop", "Orders").objects.update(qty=models.F("qty") + 1)


def raw(apps, editor):
    editor.connection.connection.cursor().execute("ALTER TABLE spare ADD COLUMN raw integer")


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("shop", {parent!r})]
    operations = [
        {operation},
    ]
"""

_ALEMBIC_STEP = """\
import sqlalchemy as sa
from alembic import op

revision = {own!r}
down_revision = {parent!r}


def upgrade():
{body}


def downgrade():
    raise NotImplementedError
"""


def write(
    root: Path, framework: str, names: Sequence[str] = tuple(KINDS)
) -> tuple[str, list[tuple[str, str]]]:
    """Write the project's steps; return (the base's id, [(step, kind)…])."""
    steps = []
    chosen = {name: KINDS[name] for name in names}
    if framework == "django":
        folder = root / "shop" / "migrations"
        parent = "0001_base"
        (folder / f"{parent}.py").write_text(_DJANGO_BASE.format(sql=BASE_SQL))
        for number, (name, (operation, _)) in enumerate(chosen.items(), 2):
            own = f"{number:04}_{name.rstrip('!').replace(' ', '_')}"
            (folder / f"{own}.py").write_text(_DJANGO_STEP.format(
                atomic=name[-1] != "!", parent=parent, operation=operation))  # fmt: skip
            steps.append((f"shop.{own}", name))
            parent = own
        return "shop.0001_base", steps
    folder = root / "migrations" / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    body = "".join(f"    op.execute({one!r})\n" for one in BASE_SQL)
    (folder / "base.py").write_text(_ALEMBIC_STEP.format(own="r0001", parent=None, body=body))
    parent = "r0001"
    for number, (name, (_, body)) in enumerate(chosen.items(), 2):
        own = f"r{number:04}"
        lines = f"    {body}"
        if name[-1] == "!":
            lines = f"    with op.get_context().autocommit_block():\n        {body}"
        (folder / f"{own}.py").write_text(_ALEMBIC_STEP.format(own=own, parent=parent, body=lines))
        steps.append((own, name))
        parent = own
    return "r0001", steps
