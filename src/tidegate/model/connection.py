"""How a database is reached: the fields that a login needs, from whichever framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Secret(str):
    """A string that prints as a mask; `reveal` gives the text to the one place that needs it."""

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def reveal(self) -> str:
        """Return the secret itself."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class Connection:
    """One database of a project.

    `alias` is Django's alias or Alembic's ini section; `vendor` is `postgresql`, `sqlite` or the
    driver's own word for another; `name` the database, or SQLite's file; `options` go to the
    driver (`sslmode`, `options`, …); `version_table` and `version_schema` say where Alembic keeps
    its rows, and `tenants` is the table that lists tenants, where each has a schema of its own.
    """

    alias: str
    vendor: str
    host: str = ""
    port: str = ""
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    name: str = ""
    driver: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version_table: str = "alembic_version"
    version_schema: str = ""
    tenants: str = ""

    @property
    def shown(self) -> str:
        """The connection as a user would name it, without the password."""
        if self.vendor == "sqlite":
            return self.name
        usual = "5432" if self.vendor == "postgresql" else "3306"
        where = f"{self.host or 'localhost'}:{self.port or usual}"
        return f"{self.user + '@' if self.user else ''}{where}/{self.name}"
