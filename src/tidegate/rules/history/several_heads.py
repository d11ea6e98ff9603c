"""The history has more than one end.

Two branches each added a step after the same one. Django refuses to migrate ("conflicting
migrations"), Alembic refuses `upgrade head`. Merge them: `tidegate make --merge`,
which also tells whether both orders give the same schema.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Node, Rule
from tidegate.model.finding import Place

RULE = Rule("error")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    replaced = {old for one in graph.nodes.values() for old in one.replaces}
    squashes = {
        one.id for one in graph.nodes.values() if any(old in graph.nodes for old in one.replaces)
    }
    groups: dict[str, list[Node]] = {}
    needed = {
        need
        for one in graph.nodes.values()
        for need in one.needs
        if graph.framework == "alembic" or _app(need) == _app(one.id)
    }
    stands = {old: one.id for one in graph.nodes.values() for old in one.replaces}
    needed |= {stands[one] for one in needed if one in stands}
    for one in graph.nodes.values():
        if one.broken or one.id in needed or (one.id in squashes and set(one.replaces) & needed):
            continue
        if one.id in replaced and stands[one.id] in graph.nodes:
            continue
        groups.setdefault(_app(one.id) if graph.framework == "django" else "", []).append(one)
    for app, ends in groups.items():
        if len(ends) < 2 or any(one.labels for one in ends):
            continue
        names = [one.id.partition(".")[2] if app else one.id for one in ends]
        for one in ends[1:]:
            yield Hazard(
                f"{'app ' + app if app else 'the history'} has {len(ends)} ends: {', '.join(names)}",
                f"tidegate make --merge    (or: {_own(app)})",
                span=one.title,
                path=one.path,
                also=tuple(Place(x.path, x.title.line, note=x.id) for x in ends if x is not one),
            )


def _own(app: str) -> str:
    return f"python manage.py makemigrations --merge {app}" if app else "alembic merge heads"


def _app(id: str) -> str:
    return id.partition(".")[0]
