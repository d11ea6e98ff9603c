"""Histories with labelled hazards, for bench/review.py and bench/effects.py and the tests.

State-tracked: every file applies to a real server, and so does Alembic's way back.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One migration: its operation in both languages and the rules that should name it."""

    django: str
    alembic: str
    label: str = ""  # "" means harmless; several rules with + between
    atomic: bool = True
    back: str = "pass"  # Alembic's downgrade()
    head: str = ""  # functions of the Django file


class Tables:
    """The state: which tables, columns and indexes there are after each step."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.columns: dict[int, dict[str, str]] = {}
        self.sizes: dict[tuple[int, str], int] = {}
        self.checked: set[tuple[int, str]] = set()
        self.count = 0

    def name(self, kind: str) -> str:
        """Return a name that was not used before."""
        self.count += 1
        return f"{kind}{self.count}"

    def pick(self, type: str = "") -> tuple[int, str]:
        """Return a table, and a nullable column of it of that type, made where there is none."""
        found = [
            (table, name)
            for table, columns in self.columns.items()
            for name, kind in columns.items()
            if kind == type
        ]
        return self.random.choice(found) if found else (-1, "")


def create(tables: Tables) -> Step:
    """A new table with an index in the same file."""
    number = len(tables.columns)
    tables.columns[number] = {"a": "int", "b": "text", "c": "char", "d": "int", "e": "text"}
    tables.sizes[number, "c"] = 40
    django = f"""migrations.CreateModel(
    name="Item{number}",
    fields=[
        ("id", models.BigAutoField(primary_key=True, serialize=False)),
        ("a", models.IntegerField(null=True)),
        ("b", models.TextField(blank=True, null=True, verbose_name="the b")),
        ("c", models.CharField(max_length=40, null=True)),
        ("d", models.IntegerField(null=True)),
        ("e", models.TextField(null=True)),
    ],
    options={{"ordering": ["id"]}},
),
migrations.AddIndex(
    model_name="item{number}", index=models.Index(fields=["a"], name="item{number}_a")
),"""
    alembic = f"""op.create_table(
    "shop_item{number}",
    sa.Column("id", sa.BigInteger(), primary_key=True),
    sa.Column("a", sa.Integer(), nullable=True),
    sa.Column("b", sa.Text(), nullable=True),
    sa.Column("c", sa.String(length=40), nullable=True),
    sa.Column("d", sa.Integer(), nullable=True),
    sa.Column("e", sa.Text(), nullable=True),
)
op.create_index("item{number}_a", "shop_item{number}", ["a"])"""
    back = (
        f'op.drop_index("item{number}_a", "shop_item{number}")\nop.drop_table("shop_item{number}")'
    )
    return Step(django, alembic, back=back)


def add_nullable(tables: Tables) -> Step:
    """A nullable column."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("n")
    tables.columns[table][name] = "text"
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.TextField(blank=True, null=True)
),""",
        f'op.add_column("shop_item{table}", sa.Column("{name}", sa.Text(), nullable=True))',
        back=f'op.drop_column("shop_item{table}", "{name}")',
    )


def widen(tables: Tables) -> Step:
    """A longer varchar; a check of the column is proved again."""
    table, name = tables.pick("char")
    tables.sizes[table, name] += 10
    size = tables.sizes[table, name]
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}", name="{name}", field=models.CharField(max_length={size}, null=True)
),""",
        f'op.alter_column("shop_item{table}", "{name}", type_=sa.String(length={size}))',
        "type-change-proves-checks" if (table, name) in tables.checked else "",
        back=f'op.alter_column("shop_item{table}", "{name}", type_=sa.String({size - 10}))',
    )


def concurrent(tables: Tables) -> Step:
    """An index built concurrently."""
    table, name = tables.pick("int")
    index = tables.name("ix_")
    return Step(
        f"""AddIndexConcurrently(
    model_name="item{table}", index=models.Index(fields=["{name}"], name="{index}")
),""",
        f"""with op.get_context().autocommit_block():
    op.create_index(
        "{index}", "shop_item{table}", ["{name}"], postgresql_concurrently=True
    )""",
        atomic=False,
        back=f'op.drop_index("{index}", "shop_item{table}")',
    )


def words(tables: Tables) -> Step:
    """A change that the database never hears of; in Alembic, a comment."""
    table, name = tables.pick("text")
    label = tables.name("words ")
    return Step(
        f"""migrations.AlterField(
    model_name="item{table}",
    name="{name}",
    field=models.TextField(blank=True, null=True, help_text="{label}"),
),""",
        f"op.execute(\"COMMENT ON COLUMN shop_item{table}.{name} IS '{label}'\")",
        back=f'op.execute("COMMENT ON COLUMN shop_item{table}.{name} IS NULL")',
    )


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


def create_checked(tables: Tables) -> Step:
    """A new table with a check of its own."""
    made = create(tables)
    tables.columns[len(tables.columns) - 1]["a"] = "checked"
    plain, checked = "IntegerField(null=True)", "PositiveIntegerField(null=True)"
    column = 'sa.Column("a", sa.Integer(), nullable=True)'
    with_check = 'sa.Column("a", sa.Integer(), sa.CheckConstraint("a >= 0"), nullable=True)'
    return made._replace(
        django=made.django.replace(plain, checked, 1),
        alembic=made.alembic.replace(column, with_check),
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


def not_valid(tables: Tables) -> Step:
    """A check that is not validated."""
    table, name = tables.pick("char")
    made = tables.name("ck_")
    return Step(
        f"""AddConstraintNotValid(
    model_name="item{table}",
    constraint=models.CheckConstraint(condition=~models.Q({name}="never"), name="{made}"),
),""",
        f"""op.create_check_constraint(
    "{made}", "shop_item{table}", "{name} <> 'never'", postgresql_not_valid=True
)""",
        back=f'op.drop_constraint("{made}", "shop_item{table}")',
    )


def kept_default(tables: Tables) -> Step:
    """A NOT NULL column whose default the database keeps."""
    table = tables.random.choice(list(tables.columns))
    name = tables.name("k")
    return Step(
        f"""migrations.AddField(
    model_name="item{table}", name="{name}", field=models.IntegerField(db_default=0)
),""",
        f"""op.add_column(
    "shop_item{table}", sa.Column("{name}", sa.Integer(), nullable=False, server_default="0")
)""",
        back=f'op.drop_column("shop_item{table}", "{name}")',
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


def named_loop(tables: Tables) -> Step:
    """A loop over names that the file has."""
    table = tables.random.choice(list(tables.columns))
    pairs = f'zip(("id", "a"), ("the key", "{tables.name("the a ")}"))'
    sql = f"f\"COMMENT ON COLUMN shop_item{table}.{{name}} IS '{{words}}'\""
    return Step(
        "migrations.RunPython(describe, migrations.RunPython.noop),",
        f"for name, words in {pairs}:\n    op.execute({sql})",
        head=f"""def describe(apps, schema_editor):
    for name, words in {pairs}:
        schema_editor.execute({sql})
""",
    )


HARMLESS = (
    create, create_checked, add_nullable, add_nullable, widen, concurrent, words, not_valid,
    kept_default, named_loop,
)  # fmt: skip
HAZARDS = (
    index, drop, rename, not_null, retype, unique, check, required, update, add_with_check,
    make_positive, later_not_null, loop,
)  # fmt: skip


def history(files: int, seed: int) -> list[Step]:
    """Return the steps, the first of them a table."""
    tables = Tables(seed)
    steps = [create(tables), create(tables)]
    while len(steps) < files:
        kinds = HARMLESS if tables.random.random() < 0.5 else HAZARDS
        if tables.pick("int")[0] < 0 or tables.pick("text")[0] < 0:
            steps.append(create(tables))
        else:
            steps.append(tables.random.choice(kinds)(tables))
    return steps


def write(steps: list[Step], root: Path) -> dict[str, str]:
    """Write both projects; return path -> label."""
    labels = {}
    shop = root / "django" / "shop" / "migrations"
    versions = root / "alembic" / "migrations" / "versions"
    for folder in (shop, versions):
        folder.mkdir(parents=True)
    (shop / "__init__.py").write_text("")
    for name in ("env.py", "script.py.mako"):
        (versions.parent / name).write_text("")
    for one in ("django", "alembic"):
        (root / one / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n')
    for number, step in enumerate(steps, 1):
        body = step.django.replace("\n", "\n        ")
        need = f'("shop", "{number - 1:04d}_step")' if number > 1 else ""
        text = (
            "# Generated by Django 5.2\n\n"
            "from django.contrib.postgres.operations import AddConstraintNotValid\n"
            "from django.contrib.postgres.operations import AddIndexConcurrently\n"
            "from django.db import migrations, models\n\n\n"
            + (step.head + "\n\n" if step.head else "")
            + "class Migration(migrations.Migration):\n"
            + ("" if step.atomic else "    atomic = False\n")
            + f"    dependencies = [\n        {need}\n    ]\n\n    operations = [\n"
            + f"        {body}\n    ]\n"
        )
        (shop / f"{number:04d}_step.py").write_text(text)
        labels[f"shop/migrations/{number:04d}_step.py"] = step.label
        down = f'"{number - 1:012x}"' if number > 1 else "None"
        body, back = (text.replace("\n", "\n    ") for text in (step.alembic, step.back))
        text = (
            f'"""step {number}\n\nRevision ID: {number:012x}\n"""\n\nimport sqlalchemy as sa\n'
            f'from alembic import op\n\nrevision = "{number:012x}"\ndown_revision = {down}\n'
            f"branch_labels = None\ndepends_on = None\n\n\ndef upgrade() -> None:\n    {body}\n\n\n"
            f"def downgrade() -> None:\n    {back}\n"
        )
        (versions / f"{number:012x}_step.py").write_text(text)
        labels[f"migrations/versions/{number:012x}_step.py"] = step.label
    return labels
