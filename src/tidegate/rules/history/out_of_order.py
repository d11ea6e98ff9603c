"""A step is pending although one that comes after it is applied.

It was merged late, from an older branch. It will run on a schema that it was never tried on: the
one that the later steps made. Rehearse it against that schema, or put it after them.

It is looked for with `--pending`, which asks the database. Alembic's revisions have no order but
their dependencies, so it is for Django alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import GraphView, Hazard, Rule

RULE = Rule("warning")


def examine_graph(graph: GraphView) -> Iterator[Hazard]:
    """Yield what is wrong with the graph."""
    if graph.framework != "django" or not graph.applied:
        return
    for one in graph.nodes.values():
        if one.id in graph.applied or one.replaces:
            continue
        app = one.id.partition(".")[0] + "."
        later = [id for id in graph.nodes if id in graph.applied and id > one.id]
        later = [id for id in later if id.startswith(app)]
        if later:
            yield Hazard(
                f"{one.id} is pending, and {min(later)} is applied already",
                "rehearse it on the schema as it is now, or rename it so that it comes last",
                span=one.title,
                path=one.path,
            )
