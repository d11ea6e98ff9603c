"""The database has applied a step whose file is not there.

The file was deleted or renamed, or the database belongs to another branch. Django leaves such a row
alone until a later file gets the same name and counts as applied; Alembic refuses to go on: "Can't
locate revision".

It is looked for with `--pending`, which asks the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Rule

RULE = Rule("error")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    nodes = sorted(graph.nodes.values(), key=lambda one: one.path)
    for gone in graph.gone:
        app = gone.partition(".")[0] + "."
        near = [one for one in nodes if graph.framework == "alembic" or one.id.startswith(app)]
        if not near:
            continue  # of an app whose files are not part of the project
        yield Hazard(
            f"the database has applied {gone}, and there is no such file",
            "bring the file back from the version control's history; if the database is another "
            "branch's, use one of its own",
            span=near[-1].title,
            path=near[-1].path,
        )
