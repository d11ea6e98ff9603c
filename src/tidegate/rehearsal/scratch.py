"""Sends the project to the scratch database, and keeps it from every other one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What belongs to the way to the project's own server, and not to the scratch one.
OF_THE_SERVER = {"sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "ssl", "service",
                 "passfile", "host", "hostaddr", "port", "user", "password", "dbname", "pool",
                 "target_session_attrs", "channel_binding", "gssencmode", "assume_role",
                 "krbsrvname", "requirepeer", "direct_tls", "load_balance_hosts"}  # fmt: skip


class ReachedAway(Exception):
    """A step reached for another database than the one that is rehearsed."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where the rehearsal takes place. For SQLite `name` is the copy."""

    vendor: str
    name: str
    host: str = ""
    port: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def from_job(cls, raw: Mapping[str, Any]) -> Scratch:
        """Read it off the job."""
        return cls(**{key: str(raw.get(key, "")) for key in cls.__slots__})

    def connect(self) -> Any:
        """Open a session of our own, speaking the protocol ourselves."""
        from tidegate.databases import pglogin, pgwire

        params = pgwire.params_from_fields(
            self.host, self.port, self.user, self.password, self.name, {}, {}
        )
        params.application_name = "tidegate rehearsal"
        return pglogin.connect(params, 10.0)


def options_for_scratch(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the project's own connection options is kept."""
    kept = {key: value for key, value in options.items() if key not in OF_THE_SERVER}
    given = str(kept.get("options") or "")
    kept["options"] = f"{given} -c default_transaction_read_only=off".strip()
    return kept


def away(name: str) -> ReachedAway:
    """Return the error for a connection that is not the rehearsal's."""
    return ReachedAway(
        f"a step reached for database {name}, which is not the one that is rehearsed; "
        "a rehearsal touches nothing but its scratch database"
    )


def copy_sqlite(source: Path, copy: Path) -> None:
    """Copy by SQLite's own backup, so that a writer at work can't tear it."""
    import sqlite3
    from urllib.parse import quote

    old = sqlite3.connect(f"file:{quote(str(source.resolve()))}?mode=ro", uri=True)
    new = sqlite3.connect(copy)
    try:
        old.backup(new)
    finally:
        old.close()
        new.close()
