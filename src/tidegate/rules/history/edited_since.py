"""A migration has changed since it was applied, or since a git revision that has it already.

Databases that applied it in its old form never see the change, while new ones are built from the
new form: the two differ from then on. Write a further migration instead.

`--since REVISION` looks for files that were there at that revision and are others now; comments and
formatting don't count. `--pending` asks the database, where tidegate's ledger has kept a digest of
each file that it applied.
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
                f"{one.id} is not what it was {one.edited}: databases that applied it in that form "
                "never see the difference",
                "put the change into a further migration; to apply it where nothing was released "
                "yet, say so: # tidegate: allow edited-since: REASON",
                span=one.title,
                path=one.path,
            )
