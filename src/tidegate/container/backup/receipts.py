"""Where the ledger's receipts say that backups are: one may be made anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.container.backup import places, shelf, snapshotlist
from tidegate.container.backup.archive import Backup
from tidegate.contracts.database import Session, TableMissing
from tidegate.errors import TidegateError
from tidegate.model.readiness import Permanent, Transient


def places_of(session: Session) -> list[str]:
    """Return the folders and addresses that the receipts name."""
    try:
        rows = session.query("SELECT DISTINCT backup FROM tidegate_run WHERE backup LIKE '{%'")
    except (TableMissing, Transient, Permanent):
        return []
    paths = [str(_receipt(str(row[0])).get("path") or "") for row in rows]
    kept = [path for path in paths if path and not path.startswith(snapshotlist.SCHEME)]
    return list(dict.fromkeys(path.rpartition("/")[0] for path in kept))


def _receipt(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def backups_at(where: str, alias: str, environ: Mapping[str, str]) -> list[Backup]:
    """Return the backups at a place; one that can't be reached from here has none for us."""
    if not places.is_remote(where):
        return shelf.backups(Path(where), alias)
    try:
        return places.found(Path(), where, alias, environ)
    except TidegateError:
        return []
