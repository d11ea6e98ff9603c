"""What an engine keeps for everybody who uses it, from whichever account or machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidegate.model.command import Command


class Shared(Protocol):
    """A project's marks and records on its engine.

    A mark is a name that says something; it is there or it is not, and making one that is there
    already changes nothing. The records are one file; there may be several, each of a name.
    """

    def of(self, tag: str) -> Shared:
        """Return the same with the records of this name."""

    def seen(self) -> Mapping[str, Mapping[str, str]]:
        """Return the marks by name, with what each says; NotReady when that can't be told."""

    def making(self, name: str, says: Mapping[str, str]) -> Command:
        """Return the command that makes a mark."""

    def removing(self, names: Sequence[str]) -> Command:
        """Return the command that takes marks away."""

    def kept(self) -> str:
        """Return an id that changes with the records; empty where there are none."""

    def keeping(self, file: str) -> Command:
        """Return the command that keeps a tar archive as the records, in place of the former."""

    def fetching(self, file: str) -> Command:
        """Return the command that writes the records to a file; `unpacked` reads it."""

    def dropping(self, former: str) -> Command:
        """Return the command that removes what `keeping` has superseded, by its id."""

    def unpacked(self, file: str) -> Mapping[str, bytes]:
        """Return the members of the records that `fetching` wrote."""
