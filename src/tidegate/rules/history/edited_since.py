"""A migration has changed since a git revision at which it was there already.

Databases that applied it in its old form never see the change, while new ones are built from the
new form: the two differ from then on. Write a further migration instead.

It is looked for with `--since REVISION`: a file that was there at that revision and is another
one now. Comments and formatting don't count.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Rule

RULE = Rule("error", confidence="medium")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    for one in graph.nodes.values():
        if one.edited:
            yield Hazard(
                f"{one.id} is not what it was at {one.edited}: databases that applied it since "
                "then never see the difference",
                "put the change into a further migration; to apply it where nothing was released "
                "yet, say so: # tidegate: allow edited-since: REASON",
                span=one.title,
                path=one.path,
            )
