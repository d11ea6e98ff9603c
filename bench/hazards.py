"""Steps of a generated history that are a hazard, each with the rules that should name it."""

from __future__ import annotations

from harmless import add_nullable
from tables import Step, Tables


def index(tables: Tables) -> Step:
    """An index built without CONCURRENTLY."""
    table, name = tables.pick("int")
    made = tables.name("ix_")
    return Step(
        f"""migrations.AddIndex(
    model_name="item{table}", index=models.Index(fields=["{name}"], name="{made}")
),""",
        f'op.create_index("{made}", "shop_item{table}", ["{name}"])',
        "index-without-concurrently",
        back=f'op.drop_index("{made}", "shop_item{table}")',
    )


def drop(tables: Tables) -> Step:
    """A column dropped."""
    table, name = tables.pick("text")
    del tables.columns[table][name]
    return Step(
        f'migrations.RemoveField(model_name="item{table}", name="{name}"),',
        f'op.drop_column("shop_item{table}", "{name}")',
        "column-dropped",
        back=f'op.add_column("shop_item{table}", sa.Column("{name}", sa.Text()))',
    )


def rename(tables: Tables) -> Step:
    """A column renamed."""
    table, name = tables.pick("text")
    new = tables.name("r")
    tables.columns[table][new] = tables.columns[table].pop(name)
    return Step(
        f"""migrations.RenameField(
    model_name="item{table}", old_name="{name}", new_name="{new}"
),""",
        f'op.alter_column("shop_item{table}", "{name}", new_column_name="{new}")',
        "column-renamed",
        back=f'op.alter_column("shop_item{table}", "{new}", new_column_name="{name}")',
    )


def not_null(tables: Tables) -> Step:
    """SET NOT NULL."""
    table, name = tables.pick("text")
    tables.columns[table][name] = "text!"
    return Step(
        f'migrations.AlterField("item{table}", "{name}", models.TextField()),',
        f'op.alter_column("shop_item{table}", "{name}", nullable=False)',
        "not-null-scans",
        back=f'op.alter_column("shop_item{table}", "{name}", nullable=True)',
    )


def retype(tables: Tables) -> Step:
    """An integer becomes a bigint."""
    table, name = tables.pick("int")
    if table < 0:
        return add_nullable(tables)
    tables.columns[table][name] = "bigint"
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}", name="{name}", field=models.BigIntegerField(null=True)
),""",
        f'op.alter_column("shop_item{table}", "{name}", type_=sa.BigInteger())',
        "type-change-rewrites",
        back=f'op.alter_column("shop_item{table}", "{name}", type_=sa.Integer())',
    )


def unique(tables: Tables) -> Step:
    """A unique constraint."""
    table, name = tables.pick("char")
    made = tables.name("uq_")
    return Step(
        f"""migrations.AddConstraint(
    model_name="item{table}",
    constraint=models.UniqueConstraint(fields=["{name}"], name="{made}"),
),""",
        f'op.create_unique_constraint("{made}", "shop_item{table}", ["{name}"])',
        "unique-builds-index",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def check(tables: Tables) -> Step:
    """A check constraint that is validated at once."""
    table, name = tables.pick("char")
    made = tables.name("ck_")
    tables.checked.add((table, name))
    return Step(
        f"""migrations.AddConstraint(
    model_name="item{table}",
    constraint=models.CheckConstraint(condition=~models.Q({name}=""), name="{made}"),
),""",
        f'op.create_check_constraint("{made}", "shop_item{table}", "{name} <> \'\'")',
        "check-validates",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def required(tables: Tables) -> Step:
    """A NOT NULL column whose default the database does not keep."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("q")
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.IntegerField(default=0)
),""",
        f"""op.add_column(
    "shop_item{table}", sa.Column("{name}", sa.Integer(), nullable=False, server_default="0")
)
op.alter_column("shop_item{table}", "{name}", server_default=None)""",
        "required-column-without-database-default",
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


def update(tables: Tables) -> Step:
    """Every row written by one statement."""
    table, name = tables.pick("text")
    where = tables.random.choice(("", " WHERE true", " WHERE 1 = 1"))
    statement = f"UPDATE shop_item{table} SET {name} = 'x'{where}"
    return Step(
        f'migrations.RunSQL("{statement}", migrations.RunSQL.noop),',
        f'op.execute("{statement}")',
        "whole-table-written",
    )


def add_with_check(tables: Tables) -> Step:
    """A column that brings its check along."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("p")
    tables.columns[table][name] = "checked"
    sql = f"ALTER TABLE shop_item{table} ADD COLUMN {name} integer CHECK ({name} >= 0)"
    column = f'sa.Column("{name}", sa.Integer(), sa.CheckConstraint("{name} >= 0"))'
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.PositiveIntegerField(null=True)
),""",
        tables.random.choice(
            (f'op.execute("{sql}")', f'op.add_column("shop_item{table}", {column})')
        ),
        "check-validates",
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


def make_positive(tables: Tables) -> Step:
    """An integer that may not be negative any more."""
    table, name = tables.pick("int")
    made = tables.name("ck_")
    tables.columns[table][name] = "checked"
    sql = f"ALTER TABLE shop_item{table} ADD CONSTRAINT {made} CHECK ({name} >= 0)"
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}", name="{name}", field=models.PositiveIntegerField(null=True)
),""",
        f'op.execute("{sql}")',
        "check-validates",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def later_not_null(tables: Tables) -> Step:
    """A column that is added, filled and made NOT NULL: the previous release knows none of it."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("l")
    fill = f"UPDATE shop_item{table} SET {name} = 0"
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.IntegerField(null=True)
),
migrations.RunSQL("{fill}", migrations.RunSQL.noop),
migrations.AlterField("item{table}", "{name}", models.IntegerField()),""",
        f"""op.add_column("shop_item{table}", sa.Column("{name}", sa.Integer()))
op.execute("{fill}")
op.alter_column("shop_item{table}", "{name}", nullable=False)""",
        "required-column-without-database-default+schema-and-data-together",
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


DJANGO_LOOPS = (
    "    for key in items.values_list('pk', flat=True):\n"
    "        items.filter(pk=key).update({name}='x')",
    "    for one in items.all():\n        one.{name} = 'x'\n        one.save()",
    "    some = items.order_by('pk')\n    for start in range(0, some.count(), 100):\n"
    "        for one in some[start : start + 100]:\n            one.{name} = 'x'\n"
    "            one.save(update_fields=['{name}'])",
    "    cursor = schema_editor.connection.cursor()\n"
    "    cursor.execute('SELECT id FROM shop_item{table}')\n"
    "    for (key,) in cursor.fetchall():\n"
    "        cursor.execute(\"UPDATE shop_item{table} SET {name} = 'x' WHERE id = %s\", [key])",
)


ALEMBIC_LOOPS = (
    "bind = op.get_bind()\n"
    "for row in bind.execute(sa.text('SELECT id FROM shop_item{table}')).fetchall():\n"
    "    bind.execute(\n"
    "        sa.text(\"UPDATE shop_item{table} SET {name} = 'x' WHERE id = :id\"),\n"
    "        {{'id': row[0]}},\n"
    "    )",
    "items = sa.table('shop_item{table}', sa.column('id'), sa.column('{name}'))\n"
    "bind = op.get_bind()\nfor row in bind.execute(sa.select(items.c.id)):\n"
    "    bind.execute(items.update().where(items.c.id == row.id).values({name}='x'))",
    "op.execute(\n"
    '    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM shop_item{table} LOOP "\n'
    "    \"UPDATE shop_item{table} SET {name} = 'x' WHERE id = r.id; END LOOP; END $$\"\n)",
)


def loop(tables: Tables) -> Step:
    """Every row loaded, and written by a statement of its own."""
    table, name = tables.pick("text")
    body = tables.random.choice(DJANGO_LOOPS).format(table=table, name=name)
    head = f"""def fill(apps, schema_editor):
    items = apps.get_model("shop", "Item{table}").objects
{body}
"""
    return Step(
        "migrations.RunPython(fill, migrations.RunPython.noop),",
        tables.random.choice(ALEMBIC_LOOPS).format(table=table, name=name),
        "loop-over-whole-table",
        head=head,
    )
