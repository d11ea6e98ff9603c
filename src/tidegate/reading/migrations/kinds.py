"""The kinds of values that an expression may have, beside plain ones."""

from __future__ import annotations

from typing import Any, NamedTuple

from tidegate.model.operation import Span


class Call(NamedTuple):
    """A call of something that is not run here. `receiver` is what a method was called on."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    span: Span
    receiver: Any = None

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


class Ref(NamedTuple):
    """A name that stands for something outside of this file."""

    name: str

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


class Unknown(NamedTuple):
    """A value that can't be told; `why` says what stands in the way."""

    why: str
    known: str = ""  # the part of a text that could be read, holes as {}


class Thing:
    """A value that a reader of code knows by a kind of its own; nothing in it is plain."""

    __slots__ = ()


class Choice(Thing):
    """One of several values: for some databases each, or, with none, nobody knows which."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[tuple[tuple[str, ...], Any], ...]) -> None:
        self.options = options


class Instance(Thing):
    """An object of a class of the file: what it was given."""

    __slots__ = ("given", "home", "name")

    def __init__(self, name: str, home: Any) -> None:
        self.name = name
        self.home = home
        self.given: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[Ref], tuple[str]]:
        """What is kept of a file has its name alone."""
        return Ref, (self.name,)


def is_made(value: Any) -> bool:
    """Whether it is one of this module's own tuples rather than a plain value."""
    return isinstance(value, Call | Ref | Unknown | Thing)


def is_known(value: Any) -> bool:
    """Whether nothing in a plain value is unknown."""
    if isinstance(value, list | tuple) and not is_made(value):
        return all(is_known(one) for one in value)
    if isinstance(value, dict):
        return all(is_known(one) for one in value.values())
    return not is_made(value)
