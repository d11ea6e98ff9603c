"""What both frameworks' staged rewrites need: the operation of a finding, and names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tidegate.model.finding import Finding
from tidegate.model.operation import Change, Code, Span
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined

NAME = 63  # bytes of a name in PostgreSQL


def of_finding(ats: Sequence[At], one: Finding, *kinds: type[Change]) -> At:
    """Return the operation that a finding is about; for code, the one whose source it points to."""
    for at in ats:
        if at.vendor != "postgresql":
            raise Declined("staged rewrites are written for PostgreSQL")
        if is_about(at, one) and isinstance(at.change, kinds):
            return at
    raise Declined("it is not written as a plain operation")


def is_about(at: At, one: Finding) -> bool:
    """Whether a finding points at an operation, or at a line of the code that it runs."""
    place = one.place
    span = Span(place.line, place.column, place.end_line, place.end_column)
    traits = at.change.traits if isinstance(at.change, Code) else ()
    return at.operation.span == span or any(each.span == span for each in traits)


def beside(ats: Sequence[At], at: At) -> list[Any]:
    """Return the other changes of the same operation."""
    return [one.change for one in ats if one.operation.span == at.operation.span and one is not at]


def short(name: str) -> str:
    """Return a name that PostgreSQL takes: one that is too long ends in a digest."""
    if len(name.encode()) <= NAME:
        return name
    return name[: NAME - 9] + "_" + hashlib.sha256(name.encode()).hexdigest()[:8]


def later(ats: Sequence[At], at: At, table: str, column: str) -> None:
    """Decline where the same step does more to a column after it was renamed."""
    seen = False
    for one in ats:
        change: Any = one.change
        if (
            seen
            and getattr(change, "table", "") == table
            and (
                getattr(change, "column", "") == column
                or column in getattr(getattr(change, "constraint", None), "columns", ())
                or column in getattr(getattr(change, "made", None), "columns", ())
            )
        ):
            raise Declined(f"{table}.{column} is changed again after it")
        seen = seen or one is at
