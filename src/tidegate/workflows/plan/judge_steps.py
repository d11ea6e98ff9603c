"""Findings of a rehearsal, step by step: the running release, the way back, what is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.model.finding import Finding, Place
from tidegate.model.words import counted
from tidegate.rehearsal.trace import LEFT_OUT
from tidegate.workflows.plan import remedies
from tidegate.workflows.plan.impact import Event, count
from tidegate.workflows.plan.judge import Case, of_statements
from tidegate.workflows.plan.online import as_run
from tidegate.workflows.plan.traced import Rehearsed, StepTrace
from tidegate.workflows.plan.verbs import takes_rows


def of_everything(rehearsed: Rehearsed, case: Case, not_restored: list[str]) -> list[Finding]:
    """Return all findings of one rehearsal."""
    found: list[Finding] = []
    for step in rehearsed.steps:
        if step.applied:
            found += of_statements(as_run(step), case)
            found += _online(step, case)
            found += _release(step, rehearsed, case)
            found += _lost(step, case)
            found += _way_back(step, rehearsed, case)
            found += _half(step, rehearsed, case)
    found += _failed(rehearsed, case)
    found += _differences(rehearsed, case)
    found += _restored(not_restored, case)
    return found


def _touching(step: StepTrace, table: str) -> Event | None:
    """Return the statement that locks the table hardest: where to look."""
    for statement in reversed(step.statements):
        if any(lock["was"] == table and lock["mode"] == "ACCESS EXCLUSIVE"
               for lock in statement["locks"]):  # fmt: skip
            return statement
    for statement in step.statements:
        if any(lock["was"] == table for lock in statement["locks"]):
            return statement
    return step.statements[0] if step.statements else None


def _release(step: StepTrace, rehearsed: Rehearsed, case: Case) -> Iterator[Finding]:
    """One finding a table whose statements of the running release fail now."""
    for table in dict.fromkeys(one["table"] for one in step.broken):
        broken = [one for one in step.broken if one["table"] == table]
        words = " and ".join((", ".join(one["word"] for one in broken)).rsplit(", ", 1))
        many = len(broken) > 1
        first = next((one for one in broken if one["word"] == "INSERT"), broken[0])
        rule = "running-release-breaks"
        if remedies.lacks_value(first["error"]) and _default_dropped(step, table):
            rule = "required-column-without-database-default"
        yield Finding(
            rule,
            "error",
            case.place(step, _touching(step, table)),
            f"after this step {words} of {first['model']}, as the running release sends "
            f"{'them' if many else 'it'}, fail{'' if many else 's'} on {table}: {first['error']}",
            remedies.release(case.framework, first["word"], first["error"]),
            step.id,
            confidence="high" if rehearsed.release_from == "models" else "medium",
        )


def _default_dropped(step: StepTrace, table: str) -> bool:
    """Whether the default was the framework's alone; SQLite's is in the table that is made anew."""
    name = table.split(".")[-1]
    return any(("DROP DEFAULT" in one["sql"].upper() or f"new__{name}" in one["sql"])
               and name in one["sql"] for one in step.statements)  # fmt: skip


def _lost(step: StepTrace, case: Case) -> Iterator[Finding]:
    """Data that the way up takes away."""
    for what in step.lost:
        kind, _, name = what.partition(" ")
        table = name if kind == "table" else name.rpartition(".")[0]
        size = (case.sizes or {}).get(table)
        empty = size is not None and size["rows"] == 0
        rows = f" of {count(size['rows'])} rows" if size else ""
        yield Finding(
            "data-loss",
            "info" if empty else "warning",
            case.place(step, _dropping(step, name) or _touching(step, table)),
            f"this step drops {what}{rows}: the data is gone, and the way down brings back an "
            "empty one",
            "keep it for a release after the last code that uses it; have a backup; the plan "
            "needs --approve",
            step.id,
        )
    for statement in step.statements:
        for word, table in takes_rows(statement, step.there):
            yield Finding(
                "rows-deleted",
                "warning",
                case.place(step, statement),
                f"{word} takes rows away from {table}, and the way down doesn't bring them back",
                "have a backup; the plan needs --approve",
                step.id,
            )

    taken = any(takes_rows(statement, step.there) for statement in step.statements)
    for place in [] if taken else step.unmet[:1]:
        what = place["text"][:60]
        yield Finding(
            "rows-deleted",
            "warning",
            case.place(step, place),
            f"its code deletes rows ({what}), and found none to delete here: which of the "
            "target's it takes was not seen, and the way down doesn't bring them back",
            "see it delete with --with-data 1000; have a backup; the plan needs --approve",
            step.id,
            confidence="medium",
        )


def _dropping(step: StepTrace, name: str) -> Event | None:
    word = name.split(".")[-1]
    return next((one for one in step.statements
                 if "DROP" in one["sql"].upper() and word in one["sql"]), None)  # fmt: skip


def _way_back(step: StepTrace, rehearsed: Rehearsed, case: Case) -> Iterator[Finding]:
    if step.irreversible:
        yield Finding(
            "irreversible",
            "warning",
            case.place(step),
            f"{step.id} can't be taken back: {step.irreversible}",
            "give it a way down (reverse_code, reverse_sql, downgrade()), or have a backup and "
            "approve the plan with --approve",
            step.id,
        )


def _half(step: StepTrace, rehearsed: Rehearsed, case: Case) -> Iterator[Finding]:
    """A step that an earlier run has begun."""
    done = [one for one in step.statements if one["blind"] == LEFT_OUT]
    if step.id in rehearsed.half:
        yield Finding(
            "half-applied",
            "info",
            case.place(step, done[0] if done else None),
            f"an earlier run has begun {step.id} and not ended it: "
            f"{counted(len(done), 'statement')} of it {'is' if len(done) == 1 else 'are'} done, "
            "and left out here",
            "apply leaves them out as well, and goes on after them",
            step.id,
        )


def _online(step: StepTrace, case: Case) -> Iterator[Finding]:
    if step.online_why:
        yield Finding(
            "no-online-form",
            "info",
            case.place(step),
            f"--online leaves {step.id} as it is: {step.online_why}",
            "put what has an online form into a step of its own",
            step.id,
        )


def _failed(rehearsed: Rehearsed, case: Case) -> Iterator[Finding]:
    rules = {"up": "step-fails", "down": "down-fails", "again": "second-up-fails"}
    words = {"up": "fails", "down": "fails on the way down",
             "again": "fails when it is applied again after the way down"}  # fmt: skip
    for way, event in rehearsed.failures.items():
        step = rehearsed.step(event["step"])
        statement = next((one for one in (step.statements if step else []) if one["error"]), None)
        place = case.place(step, statement or {"line": event.get("line")}) if step else Place("", 0)
        sql = " ".join(str(event["sql"]).split())[:200]
        yield Finding(
            rules[way],
            "error" if way == "up" else "warning",
            place,
            f"{event['step'] or 'the run'} {words[way]}: {event['error'].splitlines()[0]}"
            + (f" (statement: {sql})" if sql else ""),
            _correction(way, event["error"]),
            event["step"],
        )


def _correction(way: str, error: str) -> str:
    """Return what to do: not each failure of a rehearsal is one of the step."""
    if "extension" in error and "is not available" in error:
        return "the scratch server lacks it: name one that has it with --scratch URL"
    if error.startswith("ReachedAway:"):
        return (
            "a step that needs two databases can't be rehearsed: divide it, or read it and apply "
            "it without a plan (tidegate migrate)"
        )
    if "in a read-only transaction" in error:
        return (
            "the step opens a connection of its own, which only reads while it is rehearsed: do "
            "its work on the framework's connection"
        )
    if "canceling statement due to lock timeout" in error:
        return (
            "nobody else is on the scratch database: look for a second connection that the step "
            "opens, and do its work on the framework's own"
        )
    if way == "up":
        return "correct the step"
    return "correct the way down, or say that there is none"


def _differences(rehearsed: Rehearsed, case: Case) -> Iterator[Finding]:
    for way, difference in rehearsed.differences.items():
        if not difference:
            continue
        shown = "; ".join(difference[:4]) + (f"; and {len(difference) - 4} more"
                                             if len(difference) > 4 else "")  # fmt: skip
        guilty = _naming(difference, rehearsed.steps)
        last = guilty[0] if guilty else rehearsed.steps[-1]
        when = {"down": "up and down leaves another schema than before",
                "again": "up, down and up leaves another schema than up alone"}[way]  # fmt: skip
        yield Finding(
            "down-differs", "warning", case.place(last),
            f"going {when}: {shown}",
            "let the way down undo exactly what the way up did",
            last.id if len(rehearsed.steps) == 1 or len(guilty) == 1 else "",
        )  # fmt: skip


def _naming(difference: list[str], steps: list[StepTrace]) -> list[StepTrace]:
    """Return the steps that name a table which is different: one of them leaves it so."""
    tables = set()
    for line in difference:
        kind, _, rest = line[2:].partition(" ")
        on = re.search(r"\bON (?:ONLY )?(\S+)", rest) if kind == "index" else None
        parts = (on[1] if on else rest.partition(":")[0]).replace('"', "").split(".")
        tables.add(parts[min(1, len(parts) - 1)])
    return [step for step in steps if tables & {
        word for one in step.statements for word in re.findall(r"\w+", one["sql"])}]  # fmt: skip


def _restored(not_restored: list[str], case: Case) -> Iterator[Finding]:
    if not_restored:
        yield Finding(
            "scratch-incomplete",
            "warning",
            Place("", 0),
            f"{counted(len(not_restored), 'object')} of the target could not be made on the "
            "scratch server, so what depends on them was not rehearsed: "
            f"{'; '.join(not_restored[:3])}",
            "name a server that has the same extensions with --scratch URL; for what may not be "
            "read, another role with --against URL",
        )
