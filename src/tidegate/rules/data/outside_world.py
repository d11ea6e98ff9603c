"""A migration reads files or calls other services.

It then fails, or does something else, wherever those are not there: in the image, on a scratch
database, in a year. Put the data into the migration, or do the work outside of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code

RULE = Rule(
    "warning",
    on=(Code,),
    confidence="medium",
    examples=(
        Example(
            "django",
            bad="""import urllib.request


def fill(apps, schema_editor):
    if apps.get_model("shop", "Order").objects.exists():
        urllib.request.urlopen("https://example.com/rates")
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            good="""RATES = {"EUR": 1}


def fill(apps, schema_editor):
    apps.get_model("shop", "Order").objects.filter(note="EUR").update(total=RATES["EUR"])
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            line=6,
        ),
        Example(
            "alembic",
            bad="""import subprocess

subprocess.run(["true"], check=True)""",
            good="""op.execute("SELECT 1")""",
            line=3,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    for one in moment.change.traits:
        if one.what == "outside":
            yield Hazard(
                f"{one.detail} reaches outside of the database: where that is missing, this step "
                "fails, and with it every fresh database",
                "put the data into the migration, or do this work in a command of its own",
                span=one.span,
            )
