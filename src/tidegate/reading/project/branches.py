"""Branches of a script that a variable chooses: `if [ "$ROLE" = worker ]`, `case`, guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_OPEN, _CLOSE = r"^(?:\[\[?|test)\s+", r"\s*(?:\]\]?)?$"
_VARIABLE = r"""["']?(?P<x>x?)\$\{?(?P<name>\w+)(?::?-(?P<default>[\w.:/-]*))?\}?["']?"""
_COMPARED = re.compile(
    rf"""{_OPEN}{_VARIABLE}\s*(?P<operator>==?|!=)\s*["']?(?P<word>[\w.:/-]*)["']?{_CLOSE}"""
)
_ASKED = re.compile(rf"{_OPEN}(?:(?P<operator>-[nz])\s+)?{_VARIABLE}{_CLOSE}")
_SUBJECT = re.compile(r"""^"?\$\{?(?P<name>\w+)(?::?-(?P<default>[\w.:/-]*))?\}?"?$""")
_WORD = re.compile(r"^[\w.:/-]+$")


@dataclass(frozen=True)
class Given:
    """A variable (`1` is the first argument) is one of these words, or is none of them.

    `default` is what stands for it where it is not set. Without a name it is something that nobody
    here can tell.
    """

    name: str
    words: tuple[str, ...]
    equal: bool = True
    default: str = ""


UNTOLD = Given("", ())


def negated(one: Given) -> Given:
    """Return what holds where it does not."""
    return replace(one, equal=not one.equal)


def compared(node: Any) -> Given:
    """Return what the condition of an `if` or `elif` asks; UNTOLD for anything more involved."""
    asked = [kid for kid in node.children if kid.is_named]
    return of(asked[0]) if asked and node.type != "else_clause" else UNTOLD


def of(node: Any) -> Given:
    """Return what a test asks of a variable."""
    text = node.text.decode().strip()
    found = _COMPARED.match(text)
    if found is not None:
        word = found["word"].removeprefix(found["x"])  # [ "x$ROLE" = xweb ]
        return Given(found["name"], (word,), found["operator"] != "!=", found["default"] or "")
    found = _ASKED.match(text)
    if found is not None:
        return Given(found["name"], ("",), found["operator"] == "-z", found["default"] or "")
    return UNTOLD


def matched(node: Any, item: Any) -> Given:
    """Return what a branch of `case` stands for; UNTOLD where it has a pattern."""
    subject = node.child_by_field_name("value")
    name = _SUBJECT.match(subject.text.decode()) if subject is not None else None
    words = [one.text.decode().strip("'\"") for one in item.children_by_field_name("value")]
    plain = bool(words) and all(_WORD.match(one) for one in words)
    if name is None or not plain:
        return UNTOLD
    return Given(name["name"], tuple(words), default=name["default"] or "")


def any_other(item: Any) -> bool:
    """Whether a branch of `case` takes what the others leave: `*)`."""
    return [one.text.decode() for one in item.children_by_field_name("value")] == ["*"]


def replaced(node: Any) -> bool:
    """Whether every branch of an `if` or a `case` ends with an exec: no shell is left behind it."""
    if node.type == "case_statement":
        items = [kid for kid in node.children if kid.type == "case_item"]
        return bool(items) and any_other(items[-1]) and all(map(_by_exec, items))
    others = [kid for kid in node.children if kid.type in ("elif_clause", "else_clause")]
    whole = bool(others) and others[-1].type == "else_clause"
    return whole and all(map(_by_exec, (node, *others)))


def _by_exec(branch: Any) -> bool:
    """Whether the last command of a branch is an exec of a program."""
    inner = ("elif_clause", "else_clause", "comment", "word")
    kids = [kid for kid in branch.children if kid.is_named and kid.type not in inner]
    return (
        bool(kids)
        and kids[-1].type == "command"
        and bool(re.match(r"exec\s+[^-<>\s]", kids[-1].text.decode()))
    )


Value = Callable[[str], str | None]


def possible(given: Sequence[Given], value: Value) -> bool:
    """Whether a branch can be taken; `value` is None for what is not known."""
    return not any(holds(one, value) is False for one in given)


def sure(given: Sequence[Given], value: Value) -> bool:
    """Whether a branch is taken in any case."""
    return bool(given) and all(holds(one, value) for one in given)


def holds(one: Given, value: Value) -> bool | None:
    """Whether it holds; None where that can't be told."""
    known = value(one.name) if one.name else None
    if known is None:
        return None
    return ((known or one.default) in one.words) is one.equal
