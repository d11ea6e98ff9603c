"""Two migrations of an app have the same number.

Django orders by dependencies, not by number, so nothing breaks; but people, and tools that go by
the name, take one for the other. Give the later one the next number before it is released.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Node, Rule

RULE = Rule("info", opt_in=True)


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    if graph.framework != "django":
        return
    numbers: dict[tuple[str, str], list[Node]] = {}
    for one in graph.nodes.values():
        app, _, name = one.id.partition(".")
        number = name.partition("_")[0]
        if number.isdigit() and not one.replaces:
            numbers.setdefault((app, number), []).append(one)
    for (_, number), nodes in numbers.items():
        for one in nodes[1:]:
            yield Hazard(
                f"{one.id} and {nodes[0].id} both have the number {number}",
                "rename the later one before it is released, and those that depend on it",
                span=one.title,
                path=one.path,
            )
