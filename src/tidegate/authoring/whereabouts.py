"""What the app's own environment tells of the databases it would reach."""

from __future__ import annotations

import os
from typing import Any

from tidegate import discovery
from tidegate.contracts.framework import Project
from tidegate.model.readiness import Permanent, Transient

NAMES = ("DJANGO_SETTINGS_MODULE", "ENVIRONMENT", "ENV", "APP_ENV", "DJANGO_ENV", "FLASK_ENV",
         "DEPLOY_ENV", "SENTRY_ENVIRONMENT", "TIDEGATE_ENV", "TIDEGATE_PRODUCTION")  # fmt: skip
CLIENTS = (
    "SELECT count(DISTINCT client_addr) FROM pg_stat_activity WHERE datname = current_database() "
    "AND client_addr IS DISTINCT FROM inet_client_addr() AND client_addr IS NOT NULL"
)


def look(project: Project) -> dict[str, Any]:
    """Return the databases, and the variables that name an environment."""
    rows = []
    for one in project.connections():
        rows.append({"alias": one.alias, "vendor": one.vendor, "host": one.host,
                     "name": one.name, "clients": _clients(one)})  # fmt: skip
    named = {name: os.environ[name] for name in NAMES if os.environ.get(name)}
    return {"databases": rows, "environment": named}


def _clients(connection: Any) -> int:
    """Return from how many other addresses clients are there now."""
    if connection.vendor != "postgresql":
        return 0
    try:
        session = discovery.database(connection, os.environ).session(5.0)
    except (Transient, Permanent):
        return 0  # what keeps it away is said by whoever needs it
    try:
        return int(session.query(CLIENTS)[0][0] or 0)
    except (Transient, Permanent):
        return 0
    finally:
        session.close()
