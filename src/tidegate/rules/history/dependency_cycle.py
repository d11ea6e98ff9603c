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
    users_of: dict[str, list[str]] = {}
    for key, needs in left.items():
        for need in needs:
            users_of.setdefault(need, []).append(key)
    free = [key for key, needs in left.items() if not needs]
    while free:
        done = free.pop()
        del left[done]
        for user in users_of.get(done, []):
            left[user].discard(done)
            if not left[user]:
                free.append(user)
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
