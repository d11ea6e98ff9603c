"""A unique field is added with a callable default that is called once.

Django calls the default a single time and gives its value to all old rows: with two rows the
unique constraint fails.

Add it nullable, without its default and without unique. Fill row by row in a migration that is not
atomic, so that each row is locked for itself, then make it unique. Rows that the previous release
writes meanwhile have no value yet: fill those, and forbid NULL, in the next release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn

RULE = Rule(
    "error",
    on=(AddColumn,),
    companions=("required-column-without-database-default", "unique-builds-index"),
    examples=(
        Example(
            "django",
            bad='migrations.AddField("order", "token", models.UUIDField(default=uuid.uuid4, unique=True)),',
            good="""migrations.AddField("order", "token", models.UUIDField(null=True)),
# --- next file
def fill(apps, schema_editor):
    orders = apps.get_model("shop", "Order")._base_manager.using(schema_editor.connection.alias)
    for key in orders.filter(token=None).values_list("pk", flat=True).iterator():
        orders.filter(pk=key, token=None).update(token=uuid.uuid4())
# --- operations
# atomic = False
migrations.RunPython(fill, migrations.RunPython.noop),
# --- next file
migrations.AlterField(
    "order", "token", models.UUIDField(default=uuid.uuid4, null=True, unique=True)
),""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, column = moment.change, moment.change.column
    if not moment.django or not column.unique or column.default:
        return
    if not column.code_default or not moment.is_old(change.table):
        return
    yield Hazard(
        f"all rows of {change.table} get the same {column.name}, since the default is called once: "
        "the unique constraint fails as soon as there are two",
        "add it with null=True, without default and unique, fill row by row, then make it unique: "
        "the files to copy are in tidegate rule unique-with-one-default",
    )
