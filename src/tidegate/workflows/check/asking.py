"""Asks the rules about steps and graphs, and turns what they say into findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tidegate.contracts.rule import GraphView, Hazard, Moment, StepView
from tidegate.model.finding import CONFIDENCES, Finding, Place
from tidegate.model.operation import Span
from tidegate.workflows.check.rulebook import Known, all_rules
from tidegate.workflows.check.settings import CheckSettings


def ask_step(step: StepView, settings: CheckSettings) -> list[Finding]:
    """Return what the rules say about one step."""
    found: dict[tuple[object, ...], Finding] = {}
    by_kind, whole = _active(step, settings)
    for moment in step.moments:
        for one in by_kind.get(type(moment.change), ()):
            if moment.operation.state_only and not one.rule.state_only:
                continue
            _take(found, one, step, one.examine(moment) if one.examine else (), settings, moment)
    for one in whole:
        if one.examine_step is not None:
            _take(found, one, step, one.examine_step(step), settings, None)
    return list(found.values())


Active = tuple[dict[type, list[Known]], list[Known]]
_asked: dict[tuple[object, ...], Active] = {}


def _active(step: StepView, settings: CheckSettings) -> Active:
    """Return the rules in force for a step: by kind of change, and those for whole steps."""
    path = step.path if settings.paths else ""
    key = (settings.key(), step.vendor, step.version, path)
    if key not in _asked:
        active = [one for one in all_rules() if _holds(one, step, settings)]
        by_kind: dict[type, list[Known]] = {}
        for one in active:
            for kind in one.rule.on if one.examine is not None else ():
                by_kind.setdefault(kind, []).append(one)
        _asked[key] = (by_kind, [one for one in active if one.examine_step is not None])
    return _asked[key]


def _holds(one: Known, step: StepView, settings: CheckSettings) -> bool:
    rule = one.rule
    if rule.vendors and step.vendor not in rule.vendors:
        return False
    if step.version and (rule.since > step.version or (rule.until and rule.until < step.version)):
        return False
    return settings.level(one.name, rule.opt_in, step.path, rule.severity) != "off"


def _take(
    found: dict[tuple[object, ...], Finding],
    one: Known,
    step: StepView,
    hazards: Iterable[Hazard],
    settings: CheckSettings,
    moment: Moment | None,
) -> None:
    for hazard in hazards:
        span = hazard.span or (moment.operation.span if moment else step.title)
        maybe = moment is not None and moment.operation.maybe
        made = _finding(one, hazard, span, step.path, step.id, settings, maybe)
        found.setdefault((made.rule, made.place.line, made.place.column, made.message), made)


def _finding(
    one: Known,
    hazard: Hazard,
    span: Span,
    path: str,
    step: str,
    settings: CheckSettings,
    maybe: bool = False,
) -> Finding:
    severity = hazard.severity or one.rule.severity
    confidence = hazard.confidence or one.rule.confidence
    if maybe:
        confidence = CONFIDENCES[min(CONFIDENCES.index(confidence), 1)]
    path = hazard.path or path
    return Finding(
        rule=one.name,
        severity=settings.level(one.name, one.rule.opt_in, path, severity),
        place=Place(path, *span),
        message=hazard.message,
        remedy=hazard.remedy,
        step=step,
        fixable=one.rule.fixable and hazard.mendable and not maybe,
        confidence=confidence,
        also=hazard.also,
    )


def ask_graph(
    graph: GraphView, edited: Mapping[str, str], settings: CheckSettings
) -> list[Finding]:
    """Return what the rules say about a chain as a whole."""
    nodes = {
        key: one._replace(edited=edited[one.path]) if one.path in edited else one
        for key, one in graph.nodes.items()
    }
    return list(_of_graph(graph._replace(nodes=nodes), settings))


def _of_graph(graph: GraphView, settings: CheckSettings) -> Iterator[Finding]:
    ids = {one.path: one.id for one in graph.nodes.values()}
    for one in all_rules():
        if one.examine_graph is None:
            continue
        for hazard in one.examine_graph(graph):
            made = _finding(
                one, hazard, hazard.span or Span(1, 1, 1, 1), "", ids.get(hazard.path, ""), settings
            )
            if made.severity != "off":
                yield made
