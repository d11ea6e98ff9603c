"""The two ways in which something that is asked for can be "not there".

`Transient` goes away by itself (a server that is starting), `Permanent` does not (a wrong
password). Plain exceptions, so that `databases/` and `container/` share them and importing them
costs nothing.
"""

from __future__ import annotations


class Transient(Exception):
    """Not ready yet; asking again later can succeed. `where` is what did not answer, if known."""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where


class Permanent(Exception):
    """Refused for good; waiting does not help, a person has to change something."""

    def __init__(self, what: str, meaning: str, next: str) -> None:
        super().__init__(what, meaning, next)
        self.what = what
        self.meaning = meaning
        self.next = next

    def __str__(self) -> str:
        return f"{self.what} {self.meaning} {self.next}"
