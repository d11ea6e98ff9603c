"""Something runs that can't be read here.

SQL that is put together from data, operations of another module, statements that no parser takes:
what they do to the tables is not known, and no other rule has looked at them. `tidegate plan` runs
them on a scratch database and sees it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code, Opaque

RULE = Rule(
    "info",
    on=(Opaque, Code),
    examples=(
        Example(
            "django",
            bad="""def add(apps, schema_editor):
    for table in schema_editor.connection.introspection.table_names():
        schema_editor.execute(f"ANALYZE {table}")
# --- operations
migrations.RunPython(add, migrations.RunPython.noop),""",
            good="""def add(apps, schema_editor):
    for table in ("shop_order", "shop_customer"):
        schema_editor.execute("ANALYZE shop_order")
# --- operations
migrations.RunPython(add, migrations.RunPython.noop),""",
            line=3,
        ),
        Example(
            "alembic",
            bad="""for row in op.get_bind().execute(sa.text("SELECT 1")):
    op.execute(f"SELECT {row[0]}")""",
            good="""for name in ("orders", "customer"):
    op.execute(f"ANALYZE {name}")""",
            line=2,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, Opaque):
        yield Hazard(
            f"{change.what} can't be read: {change.why}",
            "`tidegate plan` runs it on a scratch database and sees what it does",
        )
        return
    for one in change.traits:
        if one.what == "dynamic-sql":
            yield Hazard(
                f"SQL can't be read: {one.detail}",
                "`tidegate plan` runs it on a scratch database and sees what it does",
                span=one.span,
            )
        elif one.what == "elsewhere":
            where = "made elsewhere"
            if "." in one.detail:
                where = "another module's function"
            elif one.detail.endswith("()"):
                where = "what makes the function"
            yield Hazard(
                f"{one.detail} is {where}: what it does can't be read here",
                "`tidegate plan` runs it on a scratch database and sees what it does",
                span=one.span,
            )
        elif one.what == "unread":
            yield Hazard(
                f"{one.detail}: it can't be read here",
                "`tidegate plan` runs it on a scratch database and sees what it does",
                span=one.span,
            )
