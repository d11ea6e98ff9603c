"""A migration that a git revision has is gone, or has another name.

Databases that applied it keep what it did, and new ones never get it. Django leaves the row of a
lost migration alone; Alembic refuses to go on: "Can't locate revision". Under another name it is
another migration: where the first was applied, it is applied a second time.

`--since REVISION` looks for it. A squash that says what it replaces is no loss, nor is a file of
Alembic's that keeps its revision.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Removed, Rule

RULE = Rule("error", confidence="medium")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    nodes = sorted(graph.nodes.values(), key=lambda one: one.path)
    for gone in graph.removed:
        folder = os.path.dirname(gone.path)
        near = [one for one in nodes if os.path.dirname(one.path) == folder]
        named = [one for one in near if one.path == gone.now]
        if named:
            place = named[0]
            yield Hazard(
                f"{gone.id} was there {gone.since} and is called {place.id} now: databases that have applied "
                "it apply it a second time",
                _back(graph, gone),
                span=place.title,
                path=place.path,
            )
        elif near:
            yield Hazard(
                f"{gone.id} was there {gone.since} and is gone: {_meaning(graph)}",
                _back(graph, gone),
                span=near[-1].title,
                path=near[-1].path,
            )


def _meaning(graph: GraphView) -> str:
    if graph.framework == "alembic":
        return "Alembic can't locate it in databases that are at it, and refuses to go on"
    return "databases that have applied it keep what it did, and new ones never get that"


def _back(graph: GraphView, gone: Removed) -> str:
    back = f"bring its file back ({gone.path})"
    if gone.now:
        what = "revision" if graph.framework == "alembic" else "name"
        back = f"give it its {what} back ({gone.path})"
    return (
        f"{back}; to undo what it did, write a further migration; where no "
        "database has it, say so: # tidegate: allow removed-since: REASON"
    )
