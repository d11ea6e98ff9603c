"""What a generated history is made of: its steps, and the tables that there are after each."""

from __future__ import annotations

import random
from typing import NamedTuple


class Step(NamedTuple):
    """One migration: its operation in both languages and the rules that should name it."""

    django: str
    alembic: str
    label: str = ""  # "" means harmless; several rules with + between
    atomic: bool = True
    back: str = "pass"  # Alembic's downgrade()
    head: str = ""  # functions of the Django file


class Tables:
    """The state: which tables, columns and indexes there are after each step."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.columns: dict[int, dict[str, str]] = {}
        self.sizes: dict[tuple[int, str], int] = {}
        self.checked: set[tuple[int, str]] = set()
        self.count = 0

    def name(self, kind: str) -> str:
        """Return a name that was not used before."""
        self.count += 1
        return f"{kind}{self.count}"

    def pick(self, type: str = "") -> tuple[int, str]:
        """Return a table, and a nullable column of it of that type, made where there is none."""
        found = [
            (table, name)
            for table, columns in self.columns.items()
            for name, kind in columns.items()
            if kind == type
        ]
        return self.random.choice(found) if found else (-1, "")
