"""The plan as a document: the contract's JSON, and the fingerprint that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate._version import __version__
from tidegate.databases import pgschema
from tidegate.model.finding import SEVERITIES, Finding, Findings, in_order
from tidegate.model.plan import basis, fingerprint, of_approval, of_forms
from tidegate.model.words import counted
from tidegate.workflows.plan import online, rewrites
from tidegate.workflows.plan.impact import summary
from tidegate.workflows.plan.judge import Case, shown_path
from tidegate.workflows.plan.judge_steps import of_everything
from tidegate.workflows.plan.outcome import Outcome
from tidegate.workflows.plan.traced import Rehearsed, StepTrace, name_losses
from tidegate.workflows.plan.verbs import takes_rows


def findings(outcome: Outcome) -> Findings:
    """Judge a rehearsal; return its findings with the plan's document beside them."""
    sizes = outcome.target.sizes if outcome.target else None
    filled = outcome.rehearsed.filled
    case = Case(outcome.project.root, outcome.project.framework, sizes, filled,
                outcome.rehearsed.parents)  # fmt: skip
    judged = in_order(of_everything(outcome.rehearsed, case, outcome.not_restored))
    found = tuple(sorted(judged, key=lambda one: -SEVERITIES.index(one.severity)))
    document = _document(outcome, case, found)
    return Findings("plan", str(outcome.project.root), found, document, _summary(outcome, found))


def document(found: Findings) -> dict[str, Any]:
    """Return what a plan's file holds."""
    return {"findings": [one.document() for one in found.findings], **found.extra}


def _document(outcome: Outcome, case: Case, found: Sequence[Finding]) -> dict[str, Any]:
    rehearsed, target = outcome.rehearsed, outcome.target
    if outcome.connection.vendor == "sqlite":
        name_losses(rehearsed)
    schema = target.schema if target else rehearsed.schemas.get("base", [])
    parts = basis(outcome.pending, outcome.applied, schema, target.identity if target else "")
    parts["online"] = of_forms(online.forms(rehearsed))
    big = rewrites.of(rehearsed, case, outcome.rewrite_above)
    asked = [one.id for one in rehearsed.steps if one.destructive
             or (one.applied and one.irreversible)
             or any(one.id == big_one["step"] for big_one in big)]  # fmt: skip
    parts["approval"] = of_approval(asked, [one.id for one in rehearsed.steps if not one.applied])
    same, why = rehearsed.roundtrip
    up = rehearsed.schemas.get("up")
    base = rehearsed.schemas.get("base", [])
    return {
        "plan": fingerprint(parts),
        "made_by": f"tidegate {__version__}",
        "database": outcome.connection.alias,
        "where": target.connection.shown if target else "",
        "basis": parts,
        "level": {"applied": len(outcome.applied), "unknown": list(outcome.unknown)},
        "steps": [_step(one, case, rehearsed.proved(one)) for one in rehearsed.steps],
        "needs_approval": asked,
        "rewrites": big,
        "difference": pgschema.difference(base, up) if up is not None else [],
        "rehearsal": {
            "engine": outcome.engine,
            "source": outcome.source,
            "roundtrip": same,
            "why": why,
            "down_difference": rehearsed.differences.get("down", []),
            "release": _release(rehearsed),
            "not_restored": outcome.not_restored,
            "rows": rehearsed.filled,
            "not_filled": rehearsed.not_filled,
            "load": rehearsed.load,
            "seconds": outcome.seconds,
        },
        "sizes": _sizes(outcome),
    }  # fmt: skip


def _release(rehearsed: Rehearsed) -> dict[str, Any]:
    """Return what was tried of the running release, and where that is from."""
    touched = {lock["was"] for step in rehearsed.steps for one in step.statements
               for lock in one["locks"] if lock["kind"] == "table"}  # fmt: skip
    return {
        "statements": rehearsed.release_statements,
        "from": rehearsed.release_from,
        "image": rehearsed.running.image,
        "why": rehearsed.running.why,
        "unnamed": [name for name in rehearsed.release_unnamed if name in touched],
    }


def _sizes(outcome: Outcome) -> dict[str, Any]:
    """Return the sizes of the tables that the steps touch."""
    if outcome.target is None:
        return {}
    touched = {lock["was"] for step in outcome.rehearsed.steps for one in step.statements
               for lock in one["locks"]}  # fmt: skip
    return {name: size for name, size in sorted(outcome.target.sizes.items()) if name in touched}


def _step(step: StepTrace, case: Case, proved: bool) -> dict[str, Any]:
    return {
        "id": step.id,
        "path": shown_path(step.path, case.root),
        "digest": step.digest,
        "needs": list(step.needs),
        "reversible": proved,
        "irreversible": step.irreversible,
        "compatible": not step.broken,
        "broken": step.broken,
        "destructive": step.destructive,
        "lost": step.lost,
        "lost_down": step.lost_down,
        "atomic": step.atomic,
        "online": step.online,
        "online_why": step.online_why,
        "applied": step.applied,
        "seconds": step.seconds,
        "statements": [_statement(one, step, case) for one in step.statements],
    }


def _statement(one: dict[str, Any], step: StepTrace, case: Case) -> dict[str, Any]:
    taken = [f"{word} takes rows away from {table}" for word, table in takes_rows(one, step.there)]
    done = summary(one, case.impacts(one))
    left_out = ("event", "step", "path")
    out = {key: value for key, value in one.items() if key not in left_out}
    return {
        **out,
        "seconds": round(one["seconds"], 5),
        "path": shown_path(one["path"], case.root) if one["path"] else "",
        "impact": "; ".join(part for part in (done, *taken) if part),
    }


def _summary(outcome: Outcome, found: Sequence[Finding]) -> str:
    if not outcome.pending:
        return "nothing is pending: there is nothing to plan"
    errors = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    steps = counted(len(outcome.pending), "step")
    return f"{steps} rehearsed: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
