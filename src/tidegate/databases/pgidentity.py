"""Whether two logins reach one and the same database: what the servers say, not what URLs say.

A pooler may call a database by another name than its server does, so names prove nothing. The
database's own number and the moment at which its server started do: two servers never share both.
Where the project's session is at a standby, the cluster's identifier stands in for that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.contracts.database import Session, TableMissing
from tidegate.model.readiness import Permanent

VARIABLE = "TIDEGATE_DIRECT_URL"
_ASK = (
    "SELECT current_database(), (SELECT oid FROM pg_database WHERE datname = current_database()), "
    "extract(epoch FROM pg_postmaster_start_time()), pg_is_in_recovery()"
)
_CLUSTER = "SELECT system_identifier FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says of the database that a session is in."""

    name: str
    oid: str
    started: str
    standby: bool
    cluster: str

    def is_same(self, direct: Identity) -> bool:
        """Whether `direct`, the way round the pooler, ends in this very database."""
        if self.oid != direct.oid:
            return False
        if self.started == direct.started:
            return True
        return self.standby and bool(self.cluster) and self.cluster == direct.cluster


def identity(session: Session) -> Identity:
    """Ask a session where it is."""
    name, oid, started, standby = session.query(_ASK)[0]
    found = cluster(session)
    return Identity(str(name), str(oid), str(started), standby in ("t", "True"), found)


def cluster(session: Session) -> str:
    """Return the number that a cluster is given when it is made; nothing where that is hidden."""
    try:
        return str(session.query(_CLUSTER)[0][0] or "")
    except (Permanent, TableMissing):
        return ""  # not every server lets everybody ask


def variable(alias: str, environ: Mapping[str, str]) -> str:
    """Return the variable that names the direct way to a database; nothing where none does."""
    own = "".join(c if c.isalnum() else "_" for c in alias).upper()
    return next((name for name in (f"{VARIABLE}_{own}", VARIABLE) if environ.get(name)), "")


def refuse_other(
    said: str, ours: tuple[str, Identity], theirs: tuple[str, Identity], alias: str
) -> None:
    """Refuse a direct way that ends elsewhere; each side is (as it is shown, what it says)."""
    (shown, here), (there_shown, there) = ours, theirs
    if here.is_same(there):
        return
    raise Permanent(
        f"{said} names another database than the project's",
        f"The project's {alias} is {shown} (database {here.name}); {said} leads to {there_shown} "
        f"(database {there.name}), and the two servers say that these are not the same. Steps "
        "would have been applied to the wrong one; nothing was changed.",
        f"correct {said}, or remove it where no pooler stands before the database",
    )
