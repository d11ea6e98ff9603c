"""What undoing one step does: whether it can be done, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass

UNSEEN = ("AlterField: ", "RunPython: ", "a call of ", "alter_column with another type")


@dataclass(frozen=True, slots=True)
class Undo:
    """The reverse of one step, as its file tells it.

    `refused` says why there is none. `tables` and `columns` (of table, column) are dropped with
    their data. `hidden` is what can't be read: code, or SQL that loses something.
    """

    step: str
    refused: str = ""
    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    """What applying the step takes away, or may: no reverse brings that back."""

    @property
    def gone(self) -> tuple[str, ...]:
        """What applying the step takes away for certain; of the rest that can't be told."""
        return tuple(one for one in self.takes if not one.startswith(UNSEEN))

    @property
    def harmless(self) -> bool:
        """Whether nothing is lost by it, as far as can be seen."""
        return not (self.refused or self.tables or self.columns or self.hidden)


LOSING = ("DROP ", "DELETE ", "TRUNCATE ", "UPDATE ")


def loses(sql: str) -> bool:
    """Return whether SQL takes or changes data, as far as its words tell."""
    text = f" {' '.join(sql.upper().split())} "
    return any(f" {word}" in text or f";{word}" in text for word in LOSING)
