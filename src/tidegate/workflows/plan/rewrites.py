"""Tables that a step writes anew while nobody can use them, above the size that is allowed.

There is no online form for that: the way round it is an expand and contract, which is printed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tidegate import settings
from tidegate.errors import UsageProblem
from tidegate.workflows.plan.impact import amount
from tidegate.workflows.plan.judge import Case
from tidegate.workflows.plan.remedies import NAME
from tidegate.workflows.plan.traced import Rehearsed

DEFAULT = "1GB"
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_TYPE = re.compile(
    rf"ALTER\s+TABLE\s+{NAME}\s+ALTER\s+(?:COLUMN\s+)?{NAME}\s+(?:SET\s+DATA\s+)?TYPE\s+"
    r"(.+?)(?:\s+USING\s+(.+))?$",
    re.I | re.S,
)


def limit(root: Path) -> int:
    """Return the bytes above which a rewrite needs a person's word: `[tool.tidegate.plan]`."""
    try:
        found = settings.table(str(root), "plan").get("rewrite_above", DEFAULT)
    except settings.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", str(found).strip().upper())
    if parts is None or parts[2] not in UNITS:
        raise UsageProblem(
            f"rewrite_above is {found!r}", "", 'write it as a size: rewrite_above = "500MB"'
        )
    return int(float(parts[1]) * UNITS[parts[2]])


def of(rehearsed: Rehearsed, case: Case, above: int) -> list[dict[str, Any]]:
    """Return the rewrites of tables that are larger, each with what to do instead."""
    found = []
    for step in rehearsed.steps:
        for statement in step.statements:
            for one in case.impacts(statement):
                if one.work == "rewrite" and one.rows is not None and one.bytes > above:
                    found.append({
                        "step": step.id, "table": one.table, "bytes": one.bytes,
                        "sql": statement["sql"],
                        "why": f"{step.id} writes {one.table} anew ({one.size}) under {one.mode}: "
                               f"{one.blocks} wait {one.lasting}; up to {amount(above)} "
                               "(rewrite_above) that is done without a word",
                        "instead": expand(statement["sql"]),
                    })  # fmt: skip
    return found


def expand(sql: str) -> list[str]:
    """Return the steps round a change of type, ready to paste."""
    parts = _TYPE.search(sql.strip().rstrip(";"))
    if parts is None:
        return ["-- make the column or table anew beside the old one, fill it in batches, and swap "
                "the names"]  # fmt: skip
    table, column, kind = parts[1], parts[2].strip('"'), " ".join(parts[3].split())
    value = " ".join((parts[4] or f'"{column}"::{kind}').split())
    name = f"{table.split('.')[-1].strip(chr(34))}_{column}"
    new, old = f'"{column}_new"', f'"{column}_old"'
    of_new = value.replace(f'"{column}"', f'NEW."{column}"')
    return [
        "-- 1. expand, in one release: the new column, and a trigger that keeps it",
        f"ALTER TABLE {table} ADD COLUMN {new} {kind};",
        f"CREATE FUNCTION {name}_copy() RETURNS trigger LANGUAGE plpgsql AS",
        f"  $$ BEGIN NEW.{new} := {of_new}; RETURN NEW; END $$;",
        f"CREATE TRIGGER {name}_copy BEFORE INSERT OR UPDATE ON {table}",
        f"  FOR EACH ROW EXECUTE FUNCTION {name}_copy();",
        "-- 2. fill it in batches, in a step that is not one transaction (Python)",
        "from tidegate.backfill import backfill",
        f"backfill(connection, {table!r}, set={f'{new} = {value}'!r}, where={f'{new} IS NULL'!r})",
        "-- 3. its indexes CONCURRENTLY, its constraints NOT VALID, then VALIDATE",
        "-- 4. contract, in one short transaction; in Django the AlterField goes beside it as",
        "--    state_operations of a SeparateDatabaseAndState",
        f"DROP TRIGGER {name}_copy ON {table};",
        f"DROP FUNCTION {name}_copy();",
        f'ALTER TABLE {table} RENAME COLUMN "{column}" TO {old};',
        f'ALTER TABLE {table} RENAME COLUMN {new} TO "{column}";',
        "-- 5. a release later",
        f"ALTER TABLE {table} DROP COLUMN {old};",
    ]
