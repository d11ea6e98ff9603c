"""Branches of a script that a variable's value chooses: `if [ "$ROLE" = worker ]`, `case`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_COMPARED = re.compile(
    r"""^(?:\[\[?|test)\s+["']?\$\{?(\w+)\}?["']?\s*==?\s*["']?([\w.:/-]+)["']?\s*(?:\]\]?)?$"""
)
_SUBJECT = re.compile(r"""^"?\$\{?(\w+)\}?"?$""")
_WORD = re.compile(r"^[\w.:/-]+$")


@dataclass(frozen=True)
class Given:
    """A variable (`1` is the first argument) is one of these words, or is none of them."""

    name: str
    words: tuple[str, ...]
    equal: bool = True


def negated(one: Given) -> Given:
    """Return what holds where it does not."""
    return replace(one, equal=not one.equal)


def compared(node: Any) -> Given | None:
    """Return what the condition of an `if` or `elif` asks; None for anything more involved."""
    asked = [kid for kid in node.children if kid.is_named]
    if not asked or node.type == "else_clause":
        return None
    found = _COMPARED.match(asked[0].text.decode().strip())
    return Given(found[1], (found[2],)) if found is not None else None


def matched(node: Any, item: Any) -> Given | None:
    """Return what a branch of `case` stands for; None where it has a pattern."""
    subject = node.child_by_field_name("value")
    name = _SUBJECT.match(subject.text.decode()) if subject is not None else None
    words = [one.text.decode().strip("'\"") for one in item.children_by_field_name("value")]
    plain = bool(words) and all(_WORD.match(one) for one in words)
    return Given(name[1], tuple(words)) if name is not None and plain else None


def possible(given: Sequence[Given], value: Callable[[str], str | None]) -> bool:
    """Whether a branch can be taken; `value` is None for what is not known."""
    for one in given:
        known = value(one.name)
        if known is not None and (known in one.words) is not one.equal:
            return False
    return True
