"""MySQL and MariaDB through the project's target: dumped and filled by the database's container.

The app's container knows the login and the framework's table. All else is done from here, by the
programs of the container that the database runs in, or by this machine's.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import Any

from tidegate.container.backup import making
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.mysql import client, programs, restoring, verbs
from tidegate.container.backup.mysql.client import Client
from tidegate.container.report import Report
from tidegate.contracts.target import Target
from tidegate.errors import NotReady, RefusedForGood
from tidegate.frontends.cli.serving import Asked
from tidegate.model.readiness import Transient


def login(asked: Asked, target: Target, environ: Mapping[str, str]) -> tuple[Client, str]:
    """Log in as the app does; the database's own container has the programs."""
    connection = asked.connection()
    docker = shutil.which("docker", path=environ.get("PATH")) or "docker"
    found = [
        programs.in_container(programs.as_an_app(docker, one.id), one.name)
        for one in target.containers()
        if one.service == target.database and one.up and not environ.get("TIDEGATE_MYSQL_BIN")
    ]
    here = [one for one in found if one] or programs.installed(environ)
    try:
        return client.chosen(here, connection, environ)
    except client.Failed as error:
        raise RefusedForGood(error.what, "", "correct the app's settings") from None
    except Transient as error:
        raise NotReady(
            f"{connection.shown} does not answer: {error.reason}", "",
            "see whether it runs: docker compose ps",
        ) from None  # fmt: skip


def keep(
    asked: Asked, found: Client, server: str, chosen: making.Policy, environ: Mapping[str, str],
    report: Report,
) -> dict[str, Any]:  # fmt: skip
    """Back up a database of which a container has told."""
    event = asked.event
    source = verbs.Source(found, server, str(event["framework"]), str(event["recorded"]))
    return verbs.kept(source, chosen, environ, report)


def bringing(
    backup: Backup, here: Backup, target: Target, environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Return the answers that a restore needs; `here` is the backup's plain files."""

    def loses(asked: Asked) -> Mapping[str, Any]:
        found, _ = login(asked, target, environ)
        return {"lost": restoring.loses(here, found)}

    def bring(asked: Asked) -> Mapping[str, Any]:
        began = time.monotonic()
        found, server = login(asked, target, environ)
        done = restoring.bring(here, found, server, environ, report)
        verbs.brought_back(backup, found.connection, done, environ, time.monotonic() - began)
        return {"name": done.name, "kept": done.kept}

    return {"loses": loses, "bring": bring}
