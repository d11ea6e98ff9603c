"""What a function of a script, or a file that it sources, does at the place of its call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.reading.project.branches import Given
    from tidegate.reading.project.shellcommand import Command

ALL = ("$@", "$*", "${@}", "${*}")
_ONE = re.compile(r"\$\{?([1-9])\}?$")
_REST = re.compile(r"\$\{@:(\d)\}$")


def inlined(call: Command, body: Sequence[Command]) -> Iterator[Command]:
    """Yield a function's commands as they run for this call, with its arguments."""
    arguments = list(call.bare.words[1:])
    for one in body:
        if one.name == "shift" and one.always and arguments and arguments[0] not in ALL:
            count = one.words[1:2]
            del arguments[: int(count[0]) if count and count[0].isdigit() else 1]
        yield replace(
            placed(call, one),
            words=tuple(_words(one.words, arguments)),
            given=(*call.given, *_given(one.given, arguments)),
        )


def placed(call: Command, one: Command) -> Command:
    """Return a command as it stands below another: a failure is what both of them make of it."""
    looked_at = bool(one.after_failure) or one.then == "&&" or "condition" in one.inside
    strict = one.errexit or (call.errexit and not looked_at and not one.piped)
    return replace(
        one,
        inside=call.inside + one.inside,
        given=call.given + one.given,
        errexit=strict and not call.after_failure,
        after_failure=one.after_failure or call.after_failure,
        called=one.called
        if one.after_failure or not call.after_failure
        else call.called
        if call.called[1]
        else (call.path, call.line),
        only_said=one.only_said if one.after_failure else call.only_said,
        env=call.env + one.env,
    )


def _words(words: Sequence[str], arguments: Sequence[str]) -> Iterator[str]:
    """Put a call's arguments in the place of `$1` and `"$@"`."""
    whole = not any(one in ALL for one in arguments)
    for word in words:
        single, rest = _ONE.match(word), _REST.match(word)
        if word in ALL:
            yield from arguments
        elif rest and whole:
            yield from arguments[int(rest[1]) - 1 :]
        elif single and whole and len(arguments) >= int(single[1]):
            yield arguments[int(single[1]) - 1]
        else:
            yield word


def _given(given: Sequence[Given], arguments: Sequence[str]) -> Iterator[Given]:
    """Keep what is asked of variables, and of arguments that are the script's own."""
    passed = list(arguments[:1]) == ["$@"]
    for one in given:
        if not one.name.isdigit() or passed:
            yield one
        elif _ONE.match((list(arguments) + [""] * 10)[int(one.name) - 1]):
            there = _ONE.match(arguments[int(one.name) - 1])
            yield replace(one, name=there[1]) if there else one
        else:
            yield replace(one, name="")  # an argument of the function's own
