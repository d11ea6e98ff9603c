"""A partition is attached without a check, or detached under an exclusive lock.

ATTACH PARTITION reads the whole new partition under ACCESS EXCLUSIVE on it, unless a validated
CHECK already proves that its rows belong there. DETACH PARTITION takes ACCESS EXCLUSIVE on the
parent; DETACH ... CONCURRENTLY (PostgreSQL 14) does not, and can't run in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "warning",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE TABLE shop_event (at date NOT NULL) PARTITION BY RANGE (at);"
    "CREATE TABLE shop_event_1 PARTITION OF shop_event "
    "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "DROP TABLE shop_event",
),""",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_event DETACH PARTITION shop_event_1", migrations.RunSQL.noop
),""",
            good="""# atomic = False
migrations.RunSQL(
    "ALTER TABLE shop_event DETACH PARTITION shop_event_1 CONCURRENTLY", migrations.RunSQL.noop
),""",
        ),
        Example(
            "alembic",
            before="""op.execute("CREATE TABLE event (at date NOT NULL) PARTITION BY RANGE (at)")
op.execute("CREATE TABLE event_1 (at date NOT NULL)")""",
            bad="""op.execute("ALTER TABLE event ATTACH PARTITION event_1 "
           "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")""",
            good="""op.execute("ALTER TABLE event_1 ADD CONSTRAINT event_1_at CHECK "
           "(at >= DATE '2024-01-01' AND at < DATE '2025-01-01') NOT VALID")
# --- next file
op.execute("ALTER TABLE event_1 VALIDATE CONSTRAINT event_1_at")
# --- next file
op.execute("ALTER TABLE event ATTACH PARTITION event_1 "
           "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "detach-partition" and change.detail != "concurrently":
        yield Hazard(
            f"detaching {change.name} takes ACCESS EXCLUSIVE on {change.table}: it queues behind "
            "every open transaction, and every reader queues behind it",
            "write DETACH PARTITION ... CONCURRENTLY, outside of a transaction",
        )
    elif change.verb == "attach-partition" and moment.is_old(change.name):
        part = moment.table(change.name)
        checks = part.constraints.values() if part else ()
        if not any(one.kind == "check" and one.valid for one in checks):
            yield Hazard(
                f"attaching {change.name} reads all of it under ACCESS EXCLUSIVE: no check proves "
                "that its rows belong there",
                f"add a CHECK on {change.name} with the partition's bounds NOT VALID, VALIDATE it, "
                "then attach",
            )
