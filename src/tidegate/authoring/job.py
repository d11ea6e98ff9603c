"""What is asked of autogenerate, and what came of it: values that travel as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Answers:
    """What the user said. Names are as long as they have to be: `note`, or `orders.note`."""

    message: str = ""
    app: str = ""
    empty: bool = False
    merge: bool = False
    renumber: bool = False
    renames: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    used: set[str] = field(default_factory=set)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Answers:
        """Read them off the job."""
        lists = {name: tuple(raw.get(name) or ()) for name in ("dropped", "filled")}
        words = {name: str(raw.get(name) or "") for name in ("message", "app")}
        flags = {name: bool(raw.get(name)) for name in ("empty", "merge", "renumber")}
        return cls(**words, **flags, **lists, renames=dict(raw.get("renames") or {}))

    def new_name(self, old: str, added: Iterable[str]) -> str:
        """Return which of the added things the user said `old` became, or ""."""
        for word, new in self.renames.items():
            if means(word, old):
                for name in added:
                    if means(new, name):
                        self.used.add(word)
                        return name
        return ""

    def is_dropped(self, old: str) -> bool:
        """Whether the user said that it really goes."""
        return self._says(self.dropped, old)

    def is_filled(self, name: str) -> bool:
        """Whether the user said that no row lacks a value in it."""
        return self._says(self.filled, name)

    def _says(self, words: Iterable[str], name: str) -> bool:
        found = [word for word in words if means(word, name)]
        self.used.update(found)
        return bool(found)

    def unused(self) -> list[str]:
        """Return the words that named nothing."""
        return [one for one in (*self.renames, *self.dropped, *self.filled) if one not in self.used]


def means(word: str, name: str) -> bool:
    """Whether the word is the name, or its end: `note` means `shop.Order.note`."""
    short, whole = word.lower().split("."), name.lower().split(".")
    return whole[-len(short) :] == short


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a thing that goes may have become, and what speaks for it."""

    new: str
    why: tuple[str, ...]
    likeness: float


@dataclass(frozen=True, slots=True)
class Question:
    """Something goes and something like it comes."""

    kind: str  # column, table, field, model, value
    old: str
    candidates: tuple[Candidate, ...]
    lost: str = ""
    rename_writes: str = ""
    drop_writes: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that can't be generated right, with the reason."""

    what: str
    meaning: str
    next: str


@dataclass(slots=True)
class Outcome:
    """What came of it. With a question or a refusal no file was written."""

    questions: list[Question] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    error: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    said: str = ""

    @property
    def stopped(self) -> bool:
        """Whether no file may be written."""
        return bool(self.questions or self.refusals or self.unused)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return names in one line, the first ones where there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
