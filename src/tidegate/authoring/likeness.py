"""How much something that comes is like something that goes: types, place, names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from tidegate.authoring.job import Candidate

ASK = 0.4  # from here on a person has to say: a question too many costs less than a column
FAMILIES = (
    ("text", r"char|text|string|enum|slug|email|url|uuid"),
    ("date", r"date|time"),
    ("truth", r"bool"),
    ("number", r"int|serial|numeric|decimal|float|double|real|autofield"),
    ("document", r"json|hstore|array"),
    ("bytes", r"bytea|blob|binary"),
)


class Part(NamedTuple):
    """A column or a field as far as likeness goes. `after` is the one before it that stays."""

    name: str
    type: str
    nullable: bool = False
    after: str = ""
    target: str = ""


def family(type: str) -> str:
    """Return the kind of values that a type holds."""
    for name, pattern in FAMILIES:
        if re.search(pattern, type, re.IGNORECASE):
            return name
    return type.lower()


def alike(old: str, new: str) -> float:
    """Return how alike two names are, from 0 to 1; one inside the other counts as alike."""
    old, new = old.lower(), new.lower()
    if len(min(old, new, key=len)) > 2 and (old in new or new in old):
        return 0.9
    return SequenceMatcher(None, old, new).ratio()


def compare(old: Part, new: Part) -> Candidate:
    """Return how like `new` is to `old`, with the reasons in words."""
    why, score = [], 0.0
    if old.type == new.type:
        score, why = 0.5, [f"both are {old.type}"]
    elif family(old.type) == family(new.type):
        score, why = 0.25, [f"{old.type} and {new.type} hold the same kind of values"]
    else:
        why = [f"{old.type} becomes {new.type}"]
    if old.target != new.target and old.target and new.target:
        score -= 0.5
        why.append(f"one refers to {old.target}, the other to {new.target}")
    if old.after == new.after:
        score += 0.25
        why.append(f"both follow {old.after}" if old.after else "both come first")
    likeness = alike(old.name.rpartition(".")[2], new.name.rpartition(".")[2])
    if likeness >= 0.5:
        score += 0.4 * likeness
        why.append("the names are alike")
    return Candidate(new.name, tuple(why), round(min(score, 1.0), 2))


def candidates(old: Part, added: Iterable[Part]) -> tuple[Candidate, ...]:
    """Return what `old` may have become, the likeliest first."""
    found = [one for part in added if (one := compare(old, part)).likeness >= ASK]
    return tuple(sorted(found, key=lambda one: (-one.likeness, one.new)))


def compare_tables(
    old: Mapping[str, str], new: Mapping[str, str], old_name: str, new_name: str
) -> Candidate | None:
    """Return how like two tables are by their columns' names and types, or None: not at all."""
    same = [name for name, type in old.items() if name in new and new[name] == type]
    close = [name for name in old if name in new and name not in same]
    most = max(len(old), len(new), 1)
    score = (len(same) + 0.5 * len(close)) / most
    score += 0.2 * alike(old_name, new_name) if alike(old_name, new_name) >= 0.5 else 0.0
    if score < 0.5 or not set(same) - {"id"} and most > 1:
        return None
    why = [f"{len(same)} of {len(old)} columns are the same"]
    if alike(old_name, new_name) >= 0.5:
        why.append("the names are alike")
    return Candidate(new_name, tuple(why), round(min(score, 1.0), 2))


def after(names: Sequence[str], name: str, kept: Iterable[str]) -> str:
    """Return the last name before `name` that stays."""
    staying = set(kept)
    before = list(names)[: list(names).index(name)] if name in names else []
    return next((one for one in reversed(before) if one in staying), "")
