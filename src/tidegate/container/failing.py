"""What a failed step says: its statement, the cause, and where the database stands, all as it is.

No literal of a migration's SQL is repeated: a password of a role is one of them, and the server
quotes the line that it did not like.
"""

from __future__ import annotations

import re

from tidegate.container.already_there import MEANING, after_failure, is_there, made_twice, maker
from tidegate.container.doorway import Doorway
from tidegate.container.parts import TABLE
from tidegate.container.patience import Patience
from tidegate.container.raising import Raising
from tidegate.container.report import masked
from tidegate.container.takingback import by_hand
from tidegate.contracts.framework import Applying
from tidegate.databases import pgclasses
from tidegate.errors import ElectionNotWon, StepFailed, TidegateError
from tidegate.model.level import Verdict
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate
from tidegate.model.sqltext import outline, without_strings, without_values
from tidegate.model.words import counted, pending

SHOWN = 300  # characters of a statement
NAMED = 5  # statements of a half applied step
_LITERAL = re.compile(r"'((?:[^']|''){3,})'")
_REPEATED = ("[SQL:", "[parameters:", "(Background on")  # SQLAlchemy's, below the cause itself


def failure(
    raising: Raising, patience: Patience, applying: Applying, error: Exception, before: Verdict
) -> TidegateError:
    """Say the step, the statement, the cause, and where the database stands now."""
    state = sqlstate(error)
    step = applying.step or "(between two steps)"
    meaning = cause(error, state, applying.shown, raising.report.secrets)
    if applying.shown:
        meaning.append(f"last statement: {shown(applying.shown)}")
    steps = raising.gate.steps(raising.connection.alias)
    path = next((one.path for one in steps if one.id == step), "")
    if path:
        meaning.append(f"file: {path}")
    meaning.append(stands(raising, before))
    if not applying.atomic:
        meaning.append(half(raising.connection.vendor, step, applying))
    if state == LOCK_REFUSED or patience.gave_up:
        return ElectionNotWon(
            f"step {step} did not get its lock{applying.place} before the deadline",
            "\n".join([*meaning, *blocking(patience)]),
            unblock(patience),
        )
    there = is_there(state, str(error))
    other = maker(steps, before, step, str(error)) if there else None
    if other is not None:
        meaning.append(made_twice(steps, step, other))
    elif there:
        meaning.append(MEANING)
    return StepFailed(
        f"step {step} failed on database {raising.connection.alias}{applying.place}",
        "\n".join(meaning),
        after_failure(raising, there, step, other),
    )


def cause(error: Exception, state: str, sql: str, secrets: tuple[str, ...]) -> list[str]:
    """Return the lines of what the driver said, without a literal of the statement.

    The server's names for what is not there (class 42) are the cause itself, and stay.
    """
    lines = []
    for line in str(error).strip().splitlines():
        if line.startswith(_REPEATED):
            break
        if re.match(r"LINE \d+:", line):
            line = without_strings(line)  # the caret below it has lost its place
        elif line.strip() in ("", "^"):
            continue
        elif state[:2] != "42" or state == "42601":
            for literal in _LITERAL.findall(sql):
                line = line.replace(literal, "…")
        lines.append(masked(line, secrets))
    first, *more = lines or [type(error).__name__]
    return [f"cause: {type(error).__name__}: {first}" + (f" ({state})" if state else ""), *more[:3]]


def shown(sql: str) -> str:
    """Return a statement as it may be shown."""
    text = without_values(sql)
    return f"{text[:SHOWN]} …" if len(text) > SHOWN else text


def half(vendor: str, step: str, applying: Applying) -> str:
    """Say what a step that is not one transaction has left, by the statements that succeeded."""
    kept = [outline(sql) for sql, _ in applying.statements if pgclasses.changes_schema(sql)]
    wrote = any(not _is_quiet(sql) for sql, _ in applying.statements)
    door = applying.door
    resumes = isinstance(door, Doorway) and door.parts.on
    left = _left(applying.failing) if vendor == "postgresql" else ""
    if not kept and not wrote:
        return (f"{step} does not run in one transaction; none of its statements had succeeded, "
                f"so nothing of it is there.{left}")  # fmt: skip
    names = "; ".join(kept[:NAMED]) + (f"; and {len(kept) - NAMED} more" * (len(kept) > NAMED))
    done = f"{counted(len(kept), 'change')} of the schema stay{'s' * (len(kept) == 1)}: {names}. "
    return (
        f"{step} does not run in one transaction, and is half applied: {done * bool(kept)}"
        + ("Rows that it wrote may stay as well. " if wrote else "")
        + ("The next run goes on after these changes" if resumes and kept
           else "The next run begins the step anew: look before you start it")
        + (", and writes its rows again." if resumes and wrote and kept else ".")
        + left
        + _by_hand(vendor, step, applying, resumes)
    )  # fmt: skip


def _by_hand(vendor: str, step: str, applying: Applying, resumes: bool) -> str:
    """Say how the changes go away again; until then the release before has to live with them."""
    changes = [sql for sql, _ in applying.statements if pgclasses.changes_schema(sql)]
    if vendor != "postgresql" or not changes:
        return ""
    taken = by_hand(step, changes, TABLE if resumes else "")
    taken = by_hand(step, changes, TABLE if resumes else "")
    back = f"To take the changes back instead: {taken};" if taken else (
        "The ways back: tidegate rollback --plan")  # fmt: skip
    return f"\nUntil then the release before works on a schema that is not its own. {back}"


def _is_quiet(sql: str) -> bool:
    """Whether a statement leaves nothing behind, or only what counts as a change of the schema."""
    if pgclasses.changes_schema(sql) or pgclasses.lock_class(sql) == pgclasses.CONTROL:
        return True
    return pgclasses.only_reads(sql) or sql.upper().lstrip().startswith("PRAGMA")


def _left(sql: str) -> str:
    work = pgclasses.concurrent_index(sql) if sql else None
    if work is None or not work.makes:
        return ""
    return f" Index {work.name} may be there, INVALID; the next run drops it and builds it anew."


def stands(raising: Raising, before: Verdict) -> str:
    """Say where the database stands, as it says itself."""
    try:
        now = raising.gate.standing(raising.connection)
    except (Transient, Permanent) as error:
        return f"database: can't be asked where it stands: {error}"
    fresh = [step for step in before.pending if step in now.applied]
    partly = raising.gate.partly(raising.connection.alias)
    if partly:
        return (
            f"database: some schemas have what others lack: {', '.join(partly)}; the next run "
            "goes on with the others"
        )
    if not fresh:
        return "database: at the level where it was before; no step of this run is recorded"
    kept = ", ".join(fresh[-3:])
    return (
        f"database: {len(fresh)} of {len(before.pending)} steps are applied and stay "
        f"(the last: {kept}); {pending(len(now.pending))}"
    )


def blocking(patience: Patience) -> list[str]:
    """Return lines that name who was in the way last."""
    found = patience.gave_up or patience.last
    return [f"in the way of {one.wanted}: {one.sentence}" for one in found[:3]]


def unblock(patience: Patience) -> str:
    """Return what to type against a lock that is not given."""
    found = patience.gave_up or patience.last
    ending = "; ".join(f"SELECT pg_terminate_backend({one.pid})" for one in found[:3] if one.pid)
    first = f"end what is in the way ({ending})" if ending else "end what is in the way"
    return f"{first}, or wait for it longer with --timeout"
