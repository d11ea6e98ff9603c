"""How many backups are kept."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tidegate.container.backup import places, since
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.policy import Policy


def retire(chosen: Policy, alias: str, newest: Backup, environ: Mapping[str, str]) -> list[str]:
    """Remove what is over the count or the age; the newest stays whatever they say.

    Two projects, or a stage and production, may keep theirs in one place under one alias.
    """
    if not chosen.keep and not chosen.days:
        return []
    known = places.found(chosen.folder, chosen.remote, alias, environ)
    name, cluster = newest.manifest["database"], newest.manifest.get("cluster", "")
    found = [
        one for one in known
        if one.shown != newest.shown and not since.of_another(one.manifest, name, cluster)
    ]  # fmt: skip
    over = found[: max(0, len(found) - chosen.keep + 1)] if chosen.keep else []
    oldest = datetime.now(UTC) - timedelta(days=chosen.days)
    old = [one for one in found if chosen.days and one.created < oldest]
    gone = [one for one in found if one in over or one in old]
    for one in gone:
        if chosen.remote:
            places.store(chosen.remote, environ).remove(one)
        else:
            shutil.rmtree(one.path, ignore_errors=True)
    return [one.shown for one in gone]
