"""The snapshots of a database: what each is of, written as the comment of the copy itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.container.backup import restoring, swapping
from tidegate.container.backup.archive import Backup, NoBackup
from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

SCHEME = "snapshot:"
NAMED = re.compile(r"_snapshot_[0-9]{14,20}$")


def found(connection: Connection, environ: Mapping[str, str]) -> list[Backup]:
    """Return the snapshots of one database, oldest first."""
    if connection.vendor != "postgresql":
        return []
    source = PostgreSQL(connection, environ).direct()
    try:
        admin = swapping.maintenance(source, environ)
    except (Transient, Permanent):
        return []
    try:
        return listed(admin, source.connection.name)
    finally:
        admin.close()


def listed(admin: Session, name: str) -> list[Backup]:
    """Return the same, over a session of another database."""
    rows = admin.query(
        "SELECT datname, shobj_description(oid, 'pg_database'), "
        "current_setting('server_version') FROM pg_database "
        f"WHERE starts_with(datname, {quote_literal(restoring.cut(name))}) ORDER BY datname"
    )
    out = []
    for datname, text, version in rows:
        about = _read(text) if NAMED.search(str(datname)) else {}
        if about.get("database") == name:
            manifest = {**about, "vendor": "postgresql", "server": version, "snapshot": datname,
                        "tables": {}, "form": 1, "files": {}}  # fmt: skip
            seal = sha256(str(text).encode()).hexdigest()
            out.append(Backup(Path(f"{SCHEME}{datname}"), manifest, seal=seal))
    return sorted(out, key=lambda one: one.created)


def _read(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def named(word: str, connection: Connection, environ: Mapping[str, str]) -> Backup:
    """Return one snapshot by what its receipt calls it. Raises NoBackup where it is not there."""
    known = found(connection, environ)
    for one in known:
        if one.shown == word:
            return one
    names = ", ".join(one.shown for one in known) or "none"
    raise NoBackup(
        f"{connection.name} has no {word}", f"Its snapshots are: {names}. Nothing was changed.",
        "name one of them, or another backup",
    )  # fmt: skip
