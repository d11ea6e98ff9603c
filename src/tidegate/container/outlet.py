"""Standard output is for the answer: what the project's own code prints goes to stderr.

Settings that print, an app's logger, what a migration's subprocess writes: none of them knows that
somebody reads our stdout as JSON. While project code may run, descriptor 1 is stderr's, for child
processes too, and only `answer` and `write` reach what descriptor 1 was.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class _Real:
    """Where the answer goes: a copy of descriptor 1, or -1 while nothing is diverted."""

    copy = -1
    inherited = True
    answered = False


def divert() -> None:
    """Send what is written to descriptor 1 to stderr, until `give_back`."""
    if _Real.copy >= 0:
        return
    sys.stdout.flush()
    _Real.inherited = os.get_inheritable(1)
    _Real.copy = os.dup(1)
    os.dup2(2, 1)


def give_back() -> None:
    """Make descriptor 1 what it was."""
    if _Real.copy < 0:
        return
    try:
        sys.stdout.flush()  # what project code left in the buffer is not the answer
    except (OSError, ValueError):
        pass
    os.dup2(_Real.copy, 1, _Real.inherited)
    os.close(_Real.copy)
    _Real.copy = -1


class Diverted:
    """Divert for the time of a `with`."""

    def __enter__(self) -> None:
        divert()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        give_back()


def answer(text: str) -> None:
    """Print the answer."""
    _Real.answered = True
    write(text + "\n")


def answered() -> bool:
    """Return whether the answer was printed."""
    return _Real.answered


def number() -> int:
    """Return the descriptor of what standard output really is."""
    return 1 if _Real.copy < 0 else _Real.copy


def write(text: str) -> None:
    """Write to what standard output really is."""
    if _Real.copy < 0:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    errors = sys.stdout.errors or "strict"  # a front end may know better ones
    how = "backslashreplace" if errors == "strict" else errors
    data = text.encode(sys.stdout.encoding or "utf-8", how)
    while data:
        data = data[os.write(_Real.copy, data) :]
