"""Steps of a generated history that hurt nobody."""

from __future__ import annotations

from tables import Step, Tables


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
