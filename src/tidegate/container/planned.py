"""A plan at the database that it was made for: is it still what it was, and was it approved?

Asked by the winner of the election, before anything is applied. A run of the same plan that died
is gone on with: what it has applied is taken as part of the plan, by the ledger's word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.container.ledger import literal
from tidegate.container.parts import half_done
from tidegate.container.unhindered import bounded
from tidegate.contracts.database import Session, TableMissing
from tidegate.databases import pgschema, sqliteschema
from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.model import words
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict
from tidegate.model.plan import basis, digest, fingerprint, of_approval, of_forms
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.step import Step

AGAIN = "make it again: tidegate plan -o FILE"
MOVED = {
    "steps": "the code of the steps",
    "level": "the steps that the database has",
    "schema": "the database's schema",
    "target": "the database itself: the plan was made for another one",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's document, as far as applying it needs it."""

    fingerprint: str
    database: str
    parts: Mapping[str, str]
    steps: tuple[str, ...]
    digests: Mapping[str, str]
    needs_approval: tuple[str, ...]
    forms: Mapping[str, Mapping[str, list[list[str]]]]
    rewrites: tuple[Mapping[str, Any], ...]
    unproved: tuple[str, ...] = ()  # steps that failed in the rehearsal, or came after one
    document: Mapping[str, Any] = field(default_factory=dict)  # all of it


def read(path: str) -> Plan:
    """Read a plan's file. Raises UsageProblem when it is not one, or was edited."""
    try:
        with open(path, encoding="utf-8") as file:
            raw: dict[str, Any] = json.load(file)
        plan = Plan(
            raw["plan"],
            raw["database"],
            dict(raw["basis"]),
            tuple(step["id"] for step in raw["steps"]),
            {step["id"]: step["digest"] for step in raw["steps"]},
            tuple(raw["needs_approval"]),
            {step["id"]: {digest(one["sql"]): one["groups"] for one in step["online"]}
             for step in raw["steps"] if step.get("online")},
            tuple(raw.get("rewrites", ())),
            tuple(step["id"] for step in raw["steps"] if not step["applied"]),
            raw,
        )  # fmt: skip
    except OSError as error:
        raise UsageProblem(f"{path} can't be read: {error.strerror}", "", AGAIN) from None
    except (ValueError, KeyError, TypeError):
        raise UsageProblem(f"{path} is not a plan of tidegate", "", AGAIN) from None
    told = [Step(one, digest=plan.digests[one]) for one in plan.steps]
    ours = basis(told, (), (), "")["steps"]
    same = (
        fingerprint(plan.parts) == plan.fingerprint
        and ours == plan.parts.get("steps")
        and of_forms(plan.forms) == plan.parts.get("online", "")
        and of_approval(plan.needs_approval, plan.unproved) == plan.parts.get("approval", "")
    )
    if not same:
        raise UsageProblem(
            f"{path} was changed by hand: its fingerprint is not that of its contents",
            "A plan is applied as it was rehearsed, or not at all.",
            AGAIN,
        )
    return plan


def refuse_unproved(plan: Plan) -> None:
    """Raise PolicyRefused for a plan with steps that its rehearsal did not get through."""
    if not plan.unproved:
        return
    first, *more = plan.unproved
    after = f", and {words.counted(len(more), 'step')} after it did not run" if more else ""
    raise PolicyRefused(
        f"the plan {plan.fingerprint} is of a rehearsal that failed: {first} did not go through"
        + after,
        "What those would do, and whether they take data away, was not seen. Nothing was applied.",
        "see what failed: tidegate plan\ncorrect it, or rehearse on a server that has what the "
        "target has (--scratch URL), and " + AGAIN,
    )


def forms_for(path: str, steps: Sequence[Step]) -> Mapping[str, Mapping[str, list[list[str]]]]:
    """Return the forms that a plan's file has for these very steps; none without a path.

    A form was proved for the code that the plan was made of, so an edited step runs as it is.
    """
    if not path:
        return {}
    plan = read(path)
    digests = {one.id: one.digest for one in steps}
    return {id: forms for id, forms in plan.forms.items()
            if plan.digests[id] and plan.digests[id] == digests.get(id)}  # fmt: skip


def refuse_stale(
    plan: Plan, steps: Sequence[Step], connection: Connection, verdict: Verdict, session: Session
) -> None:
    """Raise PolicyRefused, naming what has moved since the plan was made."""
    done = [one for one in plan.steps if one in verdict.applied]
    resumed = _began(plan, session) and bool(done or half_done(session.query, plan.steps))
    moved = _moved(plan, steps, connection, verdict, session, resumed)
    if moved:
        raise PolicyRefused(
            f"the plan {plan.fingerprint} is stale for database {connection.alias}",
            "\n".join(["what moved:", *moved, "Nothing was applied."]),
            AGAIN,
        )


def _moved(
    plan: Plan,
    steps: Sequence[Step],
    connection: Connection,
    verdict: Verdict,
    session: Session,
    resumed: bool,
) -> list[str]:
    by_id = {one.id: one for one in steps}
    ours = [by_id.get(one, Step(one)) for one in plan.steps]
    below = verdict.applied - set(plan.steps) if resumed else verdict.applied
    schema, target = standing(connection, session)
    now = basis(ours, below, schema, target)
    parts = [part for part in ("steps", "level", "schema", "target") if now[part] !=
             plan.parts.get(part, "")]  # fmt: skip
    if resumed and "schema" in parts:
        parts.remove("schema")  # what the plan's own steps have changed
    if not plan.parts.get("target"):
        return ["- the plan was made without its database: make it with --against"]
    lines = [f"- {MOVED[part]}{_detail(part, plan, by_id, verdict, resumed)}" for part in parts]
    more = [one for one in verdict.pending if one not in plan.steps]
    if more:
        lines.append(f"- steps that the plan doesn't know are pending: {', '.join(more[:5])}")
    return lines


def _detail(
    part: str, plan: Plan, by_id: Mapping[str, Step], verdict: Verdict, resumed: bool
) -> str:
    if part == "steps":
        edited = [one for one in plan.steps
                  if one not in by_id or by_id[one].digest != plan.digests[one]]  # fmt: skip
        return f": {', '.join(edited[:5])}"
    if part == "level" and not resumed:
        done = [one for one in plan.steps if one in verdict.applied]
        return f": {', '.join(done[:5])} applied meanwhile" if done else ""
    return ""


def _began(plan: Plan, session: Session) -> bool:
    """Whether a run of this very plan is in the ledger."""
    try:
        rows = session.query(
            f"SELECT count(*) FROM tidegate_run WHERE fingerprint = {literal(plan.fingerprint)}"
        )
    except (TableMissing, Transient, Permanent):
        return False
    return str(rows[0][0]) != "0"


def standing(connection: Connection, session: Session) -> tuple[list[str], str]:
    """Return the database's objects and its own identity."""
    if connection.vendor == "sqlite":
        return sqliteschema.lines(session.query), f"file {connection.name}"
    with bounded(session):
        return pgschema.lines(session.query), pgschema.identity(session.query)
