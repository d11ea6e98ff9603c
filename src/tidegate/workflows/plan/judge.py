"""Findings of a rehearsal, statement by statement: what was measured, and the target's sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.model.finding import SEVERITIES, Finding, Place
from tidegate.workflows.plan import remedies
from tidegate.workflows.plan.impact import (
    BLOCKS_WRITES,
    TOO_LONG,
    Event,
    Impact,
    Sizes,
    count,
    duration,
    impacts,
    strongest,
)
from tidegate.workflows.plan.traced import StepTrace
from tidegate.workflows.plan.verbs import verbs

WRITE = {"UPDATE", "DELETE", "INSERT", "COPY", "MERGE"}
GO_BY_ROWS = {"SELECT", "WITH", "UPDATE", "DELETE", "MERGE"}
LONG = 60.0  # seconds of row locks that an application feels as an outage of those rows


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge needs beside the statement. `sizes` is None where no target was named."""

    root: Path
    framework: str
    sizes: Sizes | None
    filled: Mapping[str, int] = field(default_factory=dict)  # made-up rows of the scratch tables
    parents: Mapping[str, str] = field(default_factory=dict)  # the tables that partitions are of

    def impacts(self, statement: Event) -> list[Impact]:
        """Return the work of one statement on tables of the target."""
        return impacts(statement, self.sizes, self.parents)

    def place(self, step: StepTrace, statement: Event | None = None) -> Place:
        """Return the place of a statement, or of its step."""
        path = (statement or {}).get("path") or step.path
        line = (statement or {}).get("line") or 0
        return Place(shown_path(path, self.root), int(line))


def shown_path(path: str, root: Path) -> str:
    """Return a path relative to the project where it lies in it, with `/`."""
    try:
        return Path(path).resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return Path(path).as_posix()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work under a lock: its rule, what the statement looks like, the remedy."""

    rule: str
    work: tuple[str, ...]
    pattern: str
    says: str
    remedy: Callable[[str, Event], str]


KINDS = (
    Kind(
        "type-change-rewrites",
        ("rewrite",),
        r"ALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b",
        "writes every row of {} anew",
        remedies.rewrite,
    ),
    Kind(
        "volatile-default-rewrites",
        ("rewrite",),
        r"ADD\s+(COLUMN\s+)?.*\bDEFAULT\b",
        "writes every row of {} anew",
        remedies.rewrite,
    ),
    Kind("table-rewrite", ("rewrite",), "", "writes every row of {} anew", remedies.rewrite),
    Kind("index-without-concurrently", ("index",), r"^\s*CREATE\s+(UNIQUE\s+)?INDEX",
         "reads every row of {} for the index", remedies.index),
    Kind("foreign-key-validates", ("foreign key",), "", "checks every row of {}",
         remedies.foreign_key),
    Kind("primary-key-builds-index", ("index",), r"PRIMARY\s+KEY",
         "reads every row of {} for the primary key", remedies.unique),
    Kind("exclusion-constraint", ("index",), r"\bEXCLUDE\b",
         "reads every row of {} for the exclusion constraint",
         lambda framework, statement: "make a new table that has it, and move the rows over"),
    Kind("unique-builds-index", ("index",), r"\bUNIQUE\b", "reads every row of {} to build it",
         remedies.unique),
    Kind("not-null-scans", ("scan",), r"SET\s+NOT\s+NULL", "looks for NULLs in every row of {}",
         remedies.not_null),
    Kind("check-validates", ("scan",), r"\bCHECK\b", "checks every row of {}",
         remedies.check),
    Kind("reindex-without-concurrently", ("index",), r"^\s*REINDEX", "reads every row of {}",
         lambda framework, statement: "write REINDEX ... CONCURRENTLY, outside a transaction"),
    Kind("scan-under-lock", ("scan", "index"), "", "reads every row of {}",
         lambda framework, statement: "do the reading in a transaction of its own that takes no "
         "blocking lock"),
)  # fmt: skip


def of_statements(step: StepTrace, case: Case) -> Iterator[Finding]:
    """Yield the findings of one step's statements."""
    for statement in step.statements:
        if statement["error"]:
            continue
        for one in case.impacts(statement):
            if one.blocks:
                yield _blocking(step, statement, one, case)
    yield from _after_exclusive(step, case)
    yield from _backfill_beside_ddl(step, case)
    yield from _many_tables(step, case)
    yield from _slow(step, case)
    yield from _unseen(step, case)


def _blocking(step: StepTrace, statement: Event, one: Impact, case: Case) -> Finding:
    kind = next(k for k in KINDS if one.work in k.work and re.search(k.pattern, statement["sql"],
                                                                    re.I))  # fmt: skip
    own = [lock["mode"] for lock in statement["locks"]
           if one.table in (lock["was"], case.parents.get(lock["was"]))]  # fmt: skip
    since = "" if one.mode in own else ", which its transaction holds from before"
    message = (
        f"{_operation(statement)} {kind.says.format(one.table)}, {one.size}, under "
        f"{one.mode}{since}: {one.blocks} of {one.table} wait {one.lasting}"
    )
    remedy = remedies.partitioned(kind.rule, statement) if one.parts else ""
    remedy = remedy or kind.remedy(case.framework, statement)
    return Finding(kind.rule, one.severity, case.place(step, statement), message, remedy, step.id)


def _operation(statement: Event) -> str:
    text = " ".join(statement["sql"].split())
    if statement["operation"] in ("RunSQL", "RunPython", "execute", ""):
        return f'"{text[:60]}{"…" if len(text) > 60 else ""}"'
    if statement["describe"]:
        return f'"{statement["describe"]}"'
    name = statement["operation"]
    return f'"{text[:60]}"' if "(" in name else f"op.{name}()"


def _works(statement: Event, case: Case) -> str:
    """Return what a statement does that takes time on a full table, or nothing."""
    found = case.impacts(statement)
    if found:
        worst = max(found, key=lambda one: one.seconds or 0.0)
        return "" if worst.severity == "info" else f"works on {worst.table} {worst.lasting}"
    if verbs(statement["sql"]) & WRITE and (
        statement["locks"] or statement["held"] or statement["written"]
    ):
        return "writes rows"
    return ""


def _after_exclusive(step: StepTrace, case: Case) -> Iterator[Finding]:
    """A lock that blocks everyone, held on while later statements of its transaction work."""
    taken: dict[tuple[str, str], Event] = {}
    told: set[tuple[str, str]] = set()
    for statement in step.statements:
        work = _works(statement, case)
        own = {one.table for one in case.impacts(statement)}
        for key, first in taken.items():
            if key[0] != statement["transaction"] or not work or key in told:
                continue
            if key[1] in own or not _known_rows(case, key[1]):
                continue  # its own finding says under which lock it works
            told.add(key)
            yield Finding(
                "work-under-exclusive-lock",
                _severity_of_work(statement, case),
                case.place(step, statement),
                f"{_operation(statement)} {work} while its transaction still holds ACCESS "
                f"EXCLUSIVE on {key[1]}: reads and writes of {key[1]} wait until the step ends",
                "put what follows into a step of its own, so that the lock ends before it",
                step.id,
                also=(_noted(case, step, first, "takes the lock"),),
            )
        for lock in statement["locks"]:
            if lock["mode"] == "ACCESS EXCLUSIVE" and lock["kind"] == "table":
                table = case.parents.get(lock["was"], lock["was"])
                taken.setdefault((statement["transaction"], table), statement)


def _severity_of_work(statement: Event, case: Case) -> str:
    found = case.impacts(statement)
    if not found:
        return "warning"
    return max((one.severity for one in found), key=SEVERITIES.index)


def _known_rows(case: Case, table: str) -> bool:
    """Whether the table has, or may have, rows."""
    return case.sizes is None or case.sizes.get(table, {"rows": 1})["rows"] > 0


def _noted(case: Case, step: StepTrace, statement: Event, note: str) -> Place:
    place = case.place(step, statement)
    return Place(place.path, place.line, note=note)


def _backfill_beside_ddl(step: StepTrace, case: Case) -> Iterator[Finding]:
    """Rows written and the schema changed in one transaction."""
    for transaction in dict.fromkeys(one["transaction"] for one in step.statements):
        inside = [one for one in step.statements if one["transaction"] == transaction]
        writes = [one for one in inside if _existing_rows(one)]
        changes = [
            one
            for one in inside
            if any(
                lock["mode"] in BLOCKS_WRITES and lock["kind"] == "table" for lock in one["locks"]
            )
        ]
        if not transaction or not writes or not changes:
            continue
        held = sorted({case.parents.get(lock["was"], lock["was"])
                       for one in changes for lock in one["locks"]
                       if lock["mode"] in BLOCKS_WRITES and lock["kind"] == "table"})  # fmt: skip
        if not any(_known_rows(case, table) for table in held):
            continue
        yield Finding(
            "schema-and-data-together",
            "warning",
            case.place(step, writes[0]),
            f"{_operation(writes[0])} writes rows in the transaction that also changes "
            f"{', '.join(held)}: the rows decide how long the lock is held",
            "split it: the schema in one step, the rows in another, in batches that commit",
            step.id,
            also=(_noted(case, step, changes[0], "changes the schema"),),
        )


def _slow(step: StepTrace, case: Case) -> Iterator[Finding]:
    """A step that goes by rows, at the pace that it had on made-up ones."""
    for table in dict.fromkeys(name for one in step.statements for name in one["written"]):
        scratch, size = case.filled.get(table, 0), (case.sizes or {}).get(table)
        if not scratch or size is None:
            continue
        inside = [one for one in step.statements if _looks_at_rows(one) or one["written"]]
        took = sum(one["seconds"] for one in inside)
        seconds = took * size["rows"] / scratch
        if seconds < TOO_LONG:
            continue
        held = "its row locks are held all along" if step.atomic else "each statement by itself"
        yield Finding(
            "slow-data-step",
            "error" if step.atomic and seconds > LONG else "warning",
            case.place(step, next(one for one in inside if table in one["written"])),
            f"the statements on {table} took {duration(took)} for {count(scratch)} made-up rows; "
            f"at that pace {count(size['rows'])} rows take about {duration(seconds)}, and {held}",
            "fill it in batches that commit: tidegate.backfill, in a step that is not atomic",
            step.id,
            confidence="medium",
        )


def _existing_rows(statement: Event) -> bool:
    if statement["seen"] == "counters":
        return True
    return bool(verbs(statement["sql"]) & WRITE) and any(
        lock["kind"] == "table" for lock in statement["locks"] + statement["held"]
    )


def _many_tables(step: StepTrace, case: Case) -> Iterator[Finding]:
    """Several tables locked against everyone at once: a transaction in another order deadlocks."""
    tables: dict[str, dict[str, Event]] = {}
    for statement in step.statements:
        for lock in statement["locks"]:
            if lock["mode"] == "ACCESS EXCLUSIVE" and lock["kind"] == "table":
                table = case.parents.get(lock["was"], lock["was"])
                tables.setdefault(statement["transaction"], {}).setdefault(table, statement)
    for held in tables.values():
        busy = [name for name in held if _known_rows(case, name)]
        if len(busy) > 1:
            last = held[busy[-1]]
            yield Finding(
                "several-tables-locked",
                "info",
                case.place(step, last),
                f"one transaction locks {', '.join(busy)} against everyone: each waits for the "
                "last, and an app transaction that takes them in another order can deadlock",
                "change one table a step",
                step.id,
            )


def _unseen(step: StepTrace, case: Case) -> Iterator[Finding]:
    """What could not be seen through."""
    hidden = [one for one in step.statements if one["seen"] != "hook"]
    if hidden:
        yield Finding(
            "unseen-statement",
            "warning" if any(strongest(one) for one in hidden) else "info",
            case.place(step, hidden[0]),
            f"{len(hidden)} statement{'s' if len(hidden) > 1 else ''} ran past the framework (a "
            "raw cursor, COPY, a DO block or a function): what they lock was seen, what they "
            "cost was not",
            "use the framework's own cursor or execute()",
            step.id,
        )
    rows = [one for one in step.statements if _looks_at_rows(one)]
    if rows and not any(one["written"] or one["read"] for one in step.statements):
        yield Finding(
            "data-step-on-empty-tables",
            "info",
            case.place(step, rows[0]),
            "this step goes by the rows it finds, and the rehearsal's tables hold none: what it "
            "does to rows, and how long that takes, was not seen",
            "rehearse it with rows: --with-data 1000",
            step.id,
            confidence="medium",
        )


def _looks_at_rows(statement: Event) -> bool:
    return bool(verbs(statement["sql"]) & GO_BY_ROWS) and any(
        lock["kind"] == "table" for lock in statement["locks"] + statement["held"]
    )
