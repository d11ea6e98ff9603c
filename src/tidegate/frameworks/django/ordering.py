"""The order in which Django applies migrations, and the apps that have two last ones.

Django walks from each app's last migration, the apps by name, down to what is needed, the parents
of one from the last name to the first (`MigrationGraph.iterative_dfs`). The files are read in no
order at all, so without this a list of what is pending would differ from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.model.step import Step


def in_plan_order(steps: Sequence[Step]) -> list[Step]:
    """Return the steps as a migration from nothing applies them, then those that are replaced."""
    by_id = {step.id: step for step in steps}
    parents = _graph(steps)
    ordered: dict[str, Step] = {}
    for leaf in _leaves(parents):
        stack = [(leaf, False)]
        while stack:
            id, is_done = stack.pop()
            if id in ordered:
                continue
            if is_done:
                ordered[id] = by_id[id]
                continue
            stack.append((id, True))
            stack += [(need, False) for need in sorted(parents[id], key=_key)]
            if len(stack) > 50 * len(by_id) + 50:  # a circle: Django says so itself
                return sorted(steps, key=lambda step: _key(step.id))
    rest = sorted((one for one in steps if one.id not in ordered), key=lambda one: _key(one.id))
    return [*ordered.values(), *rest]


def conflicts(steps: Sequence[Step]) -> dict[str, list[str]]:
    """Return the apps with more than one last migration, and these: Django refuses to migrate."""
    found: dict[str, list[str]] = {}
    for leaf in _leaves(_graph(steps)):
        found.setdefault(_key(leaf)[0], []).append(leaf)
    return {app: leaves for app, leaves in found.items() if len(leaves) > 1}


def _key(id: str) -> tuple[str, str]:
    app, _, name = id.partition(".")
    return app, name


def _graph(steps: Sequence[Step]) -> dict[str, set[str]]:
    """Return what each step needs, with every squash in the place of what it replaces."""
    there = {step.id for step in steps}
    instead = {old: step.id for step in steps for old in step.replaces}
    graph: dict[str, set[str]] = {}
    for step in steps:
        node = _standing(step.id, instead)
        needs = {_standing(need, instead) for need in step.needs}
        graph.setdefault(node, set()).update(needs & there - {node})
    return graph


def _standing(id: str, instead: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while id in instead and id not in seen:
        seen.add(id)
        id = instead[id]
    return id


def _leaves(parents: Mapping[str, set[str]]) -> list[str]:
    needed_at_home = {
        need for id, needs in parents.items() for need in needs if _key(need)[0] == _key(id)[0]
    }
    return sorted((id for id in parents if id not in needed_at_home), key=_key)
