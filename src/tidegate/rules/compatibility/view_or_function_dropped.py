"""A view or function is dropped that the running release may use.

Queries of the previous release on the view, and calls of the function, fail from that moment on.
First release the code without it, then drop it. To change it, make it anew in the same transaction:
nobody sees the moment in between.

The rule is silent for functions of triggers: the release calls those through a table alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Opaque, Statement

RULE = Rule(
    "warning",
    on=(Statement,),
    vendors=POSTGRESQL,
    confidence="medium",
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE VIEW shop_totals AS SELECT total FROM shop_order", "DROP VIEW shop_totals"
),""",
            bad='migrations.RunSQL("DROP VIEW shop_totals", migrations.RunSQL.noop),',
            good="""migrations.RunSQL(
    "DROP VIEW shop_totals; CREATE VIEW shop_totals AS SELECT total, note FROM shop_order",
    migrations.RunSQL.noop,
),""",
        ),
        Example(
            "alembic",
            before="""op.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")""",
            bad='op.execute("DROP FUNCTION one()")',
            good="""op.execute("DROP FUNCTION one()")
op.execute("CREATE FUNCTION one() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'")""",
        ),
    ),
)
KINDS = {
    "drop-view": "view",
    "drop-matview": "view",
    "drop-function": "function",
    "drop-procedure": "function",
}
MAKING = ("view", "create-materialized-view", "create-function")


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    kind = KINDS.get(change.verb, "")
    made = moment.types_made_in
    if (
        not kind
        or moment.step.squashed
        or moment.step.is_fresh(made.get(f"{kind} {change.name}", ""))
    ):
        return
    if _made_anew(moment) or (kind == "function" and _is_of_trigger(moment)):
        return
    word = change.verb.removeprefix("drop-").replace("matview", "materialized view")
    yield Hazard(
        f"the {word} {change.name} goes while the previous release may still use it: its queries "
        "fail until the new release is up",
        "release the code without it first, and drop it in the next release; where that is done, "
        "say so: # tidegate: allow view-or-function-dropped: REASON",
    )


def _made_anew(moment: Moment) -> bool:
    """Whether the same transaction makes one of that name, or may: where it can't be read."""
    mine = moment.operation.transaction
    return any(
        (isinstance(one.change, Opaque) and one.operation.transaction == mine)
        or (
            isinstance(one.change, Statement)
            and one.change.verb in MAKING
            and (one.change.name or one.change.table) == moment.change.name
            and one.operation.transaction == mine
        )
        for one in moment.step.moments
    )


def _is_of_trigger(moment: Moment) -> bool:
    """Whether a trigger calls it: it was made for one, or one goes in the same step."""
    if f"trigger function {moment.change.name}" in moment.types_made_in:
        return True
    return any(
        isinstance(one.change, Statement)
        and (one.change.verb, one.change.detail) == ("trigger", "drop")
        for one in moment.step.moments
    )
