"""A migration imports a model instead of asking for it as it was.

The class is the one of today's code. As soon as the model changes, this old migration runs with a
class that does not fit the tables of its time: a fresh database can't be built any more.

`get_user_model()` is such a class as well. Ask for the model of that time with `apps.get_model("app", "Model")`; in Alembic write the
statement, or a `sa.table()` with the columns that are needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code

RULE = Rule(
    "error",
    on=(Code,),
    examples=(
        Example(
            "django",
            bad="""from shop.models import Order


def fill(apps, schema_editor):
    Order.objects.filter(note=None).update(note="n")
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            good="""def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    Order.objects.filter(note=None).update(note="n")
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            line=5,
            applies=False,
        ),
        Example(
            "alembic",
            bad="""from shop.models import Order
from sqlalchemy.orm import Session

session = Session(bind=op.get_bind())
session.query(Order).filter(Order.note.is_(None)).update({"note": "n"})""",
            good="""orders = sa.table("orders", sa.column("note"))
op.execute(orders.update().where(orders.c.note.is_(None)).values(note="n"))""",
            line=5,
            applies=False,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    for one in moment.change.traits:
        if one.what == "imported-model":
            yield Hazard(
                f"{one.detail} is the model of today's code: when it changes, this migration no "
                "longer fits the tables of its time, and a fresh database can't be built",
                _remedy(moment, one.detail),
                span=one.span,
            )


def _remedy(moment: Moment, name: str) -> str:
    if not moment.django:
        return "write the statement, or a sa.table() with the columns that are needed"
    if name.endswith("()"):
        return 'use apps.get_model(*settings.AUTH_USER_MODEL.split("."))'
    return f'use apps.get_model("<app>", "{name.rpartition(".")[2]}")'
