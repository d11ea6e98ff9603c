"""A step is one migration: a Django migration or an Alembic revision."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One migration as its file tells it.

    `id` is `app.0002_name` for Django and the revision for Alembic; `needs` are the ids that come
    before it; `replaces` the ids a squashed migration stands for; `path` the absolute file;
    `digest` the SHA-256 of the file's bytes (hex).
    """

    id: str
    needs: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    path: str = ""
    digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Step:
        """Read back what `as_dict` wrote."""
        return cls(
            id=raw["id"],
            needs=tuple(raw["needs"]),
            replaces=tuple(raw["replaces"]),
            path=raw["path"],
            digest=raw["digest"],
        )
