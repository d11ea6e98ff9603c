"""What is asked of a rehearsal, and what the project's own Python told of the project."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.frameworks import alembic, django
from tidegate.model.connection import Connection, Secret
from tidegate.model.step import Step
from tidegate.workflows.plan.runner import Event


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: flags of the verb. `against` is a URL; `start` a level in words."""

    root: Path
    environ: Mapping[str, str]
    database: str = ""
    against: str = ""
    start: str = ""
    since: str = ""
    server: str = ""
    python: str = ""
    framework: str = ""
    rows: str = ""
    online: bool = False
    place: tuple[str, str] = ("", "")  # host and port, with the project's own login


@dataclass(slots=True)
class Project:
    """What the project's own Python told of it."""

    framework: str = ""
    root: Path = Path()
    connections: list[Event] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take one event in."""
        if event["event"] == "connection":
            self.connections.append(event)
        elif event["event"] == "step":
            self.steps.setdefault(event["alias"], []).append(Step.from_dict(event))
        elif event["event"] == "project":
            self.framework, self.root = event["framework"], Path(event["root"])

    def connection(self, alias: str) -> tuple[Connection, str]:
        """Return one database's login and the SELECT that reads its level."""
        found = [one for one in self.connections if alias in ("", one["alias"])]
        if not found:
            known = ", ".join(one["alias"] for one in self.connections)
            raise UsageProblem(f"{alias} is not a database of this project",
                               f"It has: {known or 'none'}.", "correct --database")  # fmt: skip
        one = found[0]
        fields = ("alias", "vendor", "host", "port", "user", "name", "options", "driver",
                  "version_table", "version_schema")  # fmt: skip
        connection = Connection(password=Secret(one["password"]), **{f: one[f] for f in fields})
        return connection, one["recorded_sql"]

    def applied(self, alias: str, rows: Sequence[Sequence[str]]) -> frozenset[str]:
        """Return the ids that rows of the framework's own table mean."""
        ids = django.recorded_ids if self.framework == "django" else alembic.recorded_ids
        return ids(self.steps.get(alias, []), [tuple(row) for row in rows])


def refuse_vendor(connection: Connection) -> None:
    """Raise RefusedForGood for a database that steps can't be rehearsed on."""
    if connection.vendor not in ("postgresql", "sqlite"):
        raise RefusedForGood(
            f"database {connection.alias} is on {connection.vendor or 'nothing'}",
            "Steps are rehearsed on PostgreSQL and on SQLite.",
            "",
        )


class Clock:
    """Notes what each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, part: str) -> None:
        """Note the end of a part."""
        now = time.monotonic()
        self.seconds[part] = round(now - self._last, 3)
        self._last = now
