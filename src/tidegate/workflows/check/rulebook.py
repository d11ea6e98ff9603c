"""All review rules, found by walking their folders when they are first asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from tidegate import rules
from tidegate.contracts.rule import GraphView, Hazard, Moment, Rule, StepView


class Known(NamedTuple):
    """A rule with its name, family and module's functions."""

    name: str
    family: str
    rule: Rule
    page: str
    examine: Callable[[Moment], Iterator[Hazard]] | None
    examine_step: Callable[[StepView], Iterator[Hazard]] | None
    examine_graph: Callable[[GraphView], Iterator[Hazard]] | None

    @property
    def title(self) -> str:
        """The first line of its page."""
        return self.page.splitlines()[0]


@cache
def paths() -> tuple[tuple[str, str], ...]:
    """Return (family, module) of each rule, without importing one."""
    out = []
    for family in pkgutil.iter_modules(rules.__path__):
        folder = importlib.import_module(f"tidegate.rules.{family.name}")
        out += [(family.name, one.name) for one in pkgutil.iter_modules(folder.__path__)]
    return tuple(sorted(out))


OWN = {
    "unused-suppression": "A comment or a setting allows what nothing flags.",
    "suppression-without-reason": "A comment allows a rule and does not say why.",
    "unknown-rule": "A comment allows a rule that does not exist.",
    "models-without-migration": "The models have what no migration makes (check --drift).",
    "database-drift": "A database differs from what its migrations make (check --drift).",
}  # said by the review itself, not by a rule


def names() -> list[str]:
    """Return the names of all rules, without importing one."""
    return sorted([*(_name(family, module) for family, module in paths()), *OWN])


def _name(family: str, module: str) -> str:
    """A rule's name is its file's; MySQL's and SQLite's begin with the database's."""
    prefix = f"{family}-" if family in ("mysql", "sqlite") else ""
    return prefix + module.replace("_", "-")


@cache
def all_rules() -> tuple[Known, ...]:
    """Return every rule, by name."""
    found = [_known(family, module) for family, module in paths()]
    return tuple(sorted(found, key=lambda one: one.name))


def _known(family: str, module: str) -> Known:
    loaded: Any = importlib.import_module(f"tidegate.rules.{family}.{module}")
    return Known(
        _name(family, module),
        family,
        loaded.RULE,
        (loaded.__doc__ or "").strip(),
        getattr(loaded, "examine", None),
        getattr(loaded, "examine_step", None),
        getattr(loaded, "examine_graph", None),
    )


def get(name: str) -> Known | None:
    """Return the rule of that name."""
    return next((one for one in all_rules() if one.name == name), None)


def nearest(name: str) -> str:
    """Return the rule whose name is most like `name`, or ""."""
    from difflib import get_close_matches

    every = names()
    near = get_close_matches(name, every, 1, 0.6)
    if near:
        return near[0]
    words = {" ".join(sorted(one.split("-"))): one for one in every}  # drop-column, say
    mixed = " ".join(sorted(name.lower().replace("_", "-").split("-")))
    return words[found[0]] if (found := get_close_matches(mixed, list(words), 1, 0.5)) else ""
