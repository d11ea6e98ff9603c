"""A schema for each tenant: what can't be done to all of them at once."""

from __future__ import annotations

from tidegate.errors import UsageProblem
from tidegate.model.connection import Connection

PARTLY = " (in "  # before "2 of 3 schemas)", in the name of a recorded step
WHY_NOT_DOWN = "each tenant has a schema of its own, and one may lack what another has"


def refuse_tenants(connection: Connection, what: str, instead: str) -> None:
    """Refuse what is made for one schema where each tenant has one."""
    if connection.tenants:
        raise UsageProblem(
            f"database {connection.alias} has a schema for each tenant, and {what}",
            "Its steps are applied once in each schema. Nothing was changed.",
            instead,
        )
