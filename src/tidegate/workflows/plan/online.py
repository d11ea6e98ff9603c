"""`plan --online`: which statements will run in another form, and the proof that it ends the same.

A step is taken apart only when what stands between its parts is nothing that the running release
would notice, and nothing of it writes rows. The forms are then run on a second scratch database:
its schema and the framework's own rows have to be those of the framework's own run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tidegate.databases import pgclasses, pgonline, pgschema
from tidegate.model.plan import digest
from tidegate.workflows.plan.traced import Rehearsed, StepTrace

Event = dict[str, Any]
_NOT_PARTITIONED = re.compile(r"\b(CONCURRENTLY|FOREIGN\s+KEY)\b", re.I)
PARTITIONED = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'p'"
)


def choose(rehearsed: Rehearsed, partitioned: Iterable[str]) -> None:
    """Give each step the forms of its statements, or the reason why it has none."""
    avoided = set(partitioned)
    for step in rehearsed.steps:
        formed = [one for one in step.statements if _form(one, avoided)]
        if step.applied and not formed:
            step.online_why = _partitioned(step, avoided)
        if not step.applied or not formed:
            continue
        step.online_why = _why_not(step)
        if step.online_why:
            continue
        for one in step.statements:
            groups = _form(one, avoided) or ([[one["sql"]]] if pgonline.fills(one["sql"]) else None)
            if groups:
                step.online.append({"sql": one["sql"], "groups": groups})


def _form(statement: Event, partitioned: set[str]) -> pgonline.Form | None:
    """Return the form, where the table was there before and has one."""
    tables = [lock["was"] for lock in statement["locks"] + statement["held"]
              if lock["kind"] == "table"]  # fmt: skip
    groups = pgonline.form(statement["sql"]) if tables else None
    if groups and set(tables) & partitioned and any(_NOT_PARTITIONED.search(sql) for group in groups
                                                    for sql in group):  # fmt: skip
        return None
    bare = (name.split(".")[-1] for name in tables)
    return groups if any(one in statement["sql"] for one in bare) else None


def _partitioned(step: StepTrace, partitioned: set[str]) -> str:
    """Return why a statement has no form that would have one on a table of its own."""
    for one in step.statements:
        for table in {lock["was"] for lock in one["locks"] + one["held"]} & partitioned:
            if _form(one, set()):
                return (
                    f"{table} is partitioned, and PostgreSQL builds no index CONCURRENTLY and "
                    "leaves no foreign key NOT VALID there: make it ON ONLY the parent, then on "
                    "each partition, and attach those"
                )
    return ""


def _why_not(step: StepTrace) -> str:
    """Return why a step has to stay one transaction; an empty string where it needn't."""
    for one in step.statements:
        sql = one["sql"]
        shown = " ".join(sql.split())[:60]
        if one["seen"] != "hook" or one["error"] or one["blind"]:
            return f"not every statement of it could be seen through: {shown}"
        if pgonline.fills(sql) or pgclasses.lock_class(sql) == pgclasses.CONTROL:
            continue
        if not pgclasses.changes_schema(sql):
            if pgclasses.only_reads(sql) and not one["written"]:
                continue
            return f"it also writes rows, in the same transaction: {shown}"
        if not (pgonline.is_additive(sql) or pgonline.form(sql)) and step.atomic:
            return f"it also changes what the running release may notice half way: {shown}"
    return ""


def forms(rehearsed: Rehearsed) -> dict[str, dict[str, pgonline.Form]]:
    """Return the forms by step and by the digest of their statement."""
    return {
        step.id: {digest(one["sql"]): one["groups"] for one in step.online}
        for step in rehearsed.steps
        if step.online
    }


def compare(rehearsed: Rehearsed) -> str:
    """Return how the run in these forms ended differently; an empty string when it did not."""
    if "online" in rehearsed.failures:
        failed = rehearsed.failures.pop("online")
        return f"{failed['step']} fails in its online form: {failed['error'].splitlines()[0]}"
    difference = pgschema.difference(rehearsed.schemas["up"], rehearsed.schemas["online"])
    if difference:
        return f"the schema would be another one: {'; '.join(difference[:4])}"
    if rehearsed.recorded["up"] != rehearsed.recorded["online"]:
        return "the framework's own rows would be other ones"
    return ""


def withdraw(rehearsed: Rehearsed, why: str) -> None:
    """Let every step run as it is, and say why."""
    for step in rehearsed.steps:
        if step.online:
            step.online, step.online_why = [], why


def as_run(step: StepTrace) -> StepTrace:
    """Return a step as `apply` will run it: what has a form holds nobody up, the rest is apart."""
    if not step.online:
        return step
    formed = {one["sql"] for one in step.online}
    left = [
        {**one, "held": [], "transaction": f"{one['transaction']} part {number}"}
        for number, one in enumerate(step.statements)
        if one["sql"] not in formed
    ]
    return replace(step, statements=left)
