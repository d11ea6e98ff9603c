"""A step depends on one that is not there.

The framework refuses to load the history. The file was deleted or renamed, or it is still on
another branch.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Rule

RULE = Rule("error")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    for one in graph.nodes.values():
        for need in one.named:
            yield Hazard(
                f"{one.id} depends on {need}, and there is no such file",
                "bring the file back, or correct the dependency",
                span=one.title,
                path=one.path,
            )
