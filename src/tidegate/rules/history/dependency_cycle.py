"""Steps depend on each other in a circle.

The framework can't order them and refuses to load the history.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Rule

RULE = Rule("error")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    left = {
        one.id: {need for need in one.needs if need in graph.nodes} for one in graph.nodes.values()
    }
    changed = True
    while changed:
        free = [key for key, needs in left.items() if not needs & set(left)]
        changed = bool(free)
        for key in free:
            del left[key]
    users = {need for needs in left.values() for need in needs}
    circle = sorted(set(left) & users)
    if circle:
        one = graph.nodes[circle[-1]]
        yield Hazard(
            f"{', '.join(circle)} depend on each other in a circle",
            "take one of the dependencies out",
            span=one.title,
            path=one.path,
        )
