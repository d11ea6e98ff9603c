"""A model becomes managed, or stops to be, and the database hears nothing of it.

Changing `managed` writes an AlterModelOptions that sends no statement: Django neither makes the
table nor drops it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Nothing

RULE = Rule(
    "warning",
    on=(Nothing,),
    examples=(
        Example(
            "django",
            before="""migrations.CreateModel("Legacy", [
    ("id", models.BigAutoField(primary_key=True)),
], options={"managed": False}),""",
            bad='migrations.AlterModelOptions("Legacy", {"managed": True}),',
            good='migrations.AlterModelOptions("Legacy", {"managed": False, "verbose_name": "x"}),',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.what != "managed":
        return
    becomes = "managed" if change.detail == "True" else "unmanaged"
    yield Hazard(
        f"{moment.operation.subject} becomes {becomes}, and Django sends nothing: {change.table} is "
        + ("not made" if becomes == "managed" else "not dropped"),
        "make the table with RunSQL, or a CreateModel inside SeparateDatabaseAndState"
        if becomes == "managed"
        else "that is fine where another program keeps the table from now on; say so in a comment",
    )
