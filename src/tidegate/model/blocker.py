"""A session that is in the way of a lock, as people are told of it."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model.sqltext import outline

# From weak to strong (https://www.postgresql.org/docs/current/explicit-locking.html).
MODES = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}


@dataclass(frozen=True, slots=True)
class Blocker:
    """One session, the transaction that it is in, and what we wait for because of it.

    Seconds are None, and texts empty, where the server doesn't tell them to our role.
    """

    pid: int
    transaction: str
    mode: str
    relation: str
    application: str = ""
    user: str = ""
    state: str = ""
    age: float | None = None  # of its transaction
    since: float | None = None  # its last statement began
    query: str = ""
    kind: str = ""  # of backend

    @property
    def key(self) -> tuple[int, str]:
        """What stays the same until its transaction ends."""
        return self.pid, self.transaction

    @property
    def is_vacuum(self) -> bool:
        """Whether it is an autovacuum worker: it makes way for whoever waits long enough."""
        return self.kind == "autovacuum worker"

    @property
    def wanted(self) -> str:
        """The lock that is asked for."""
        if self.relation in ("virtualxid", "transactionid"):
            return "the end of a transaction"
        return f"{MODES.get(self.mode, self.mode)} on {self.relation}"

    @property
    def sentence(self) -> str:
        """Who it is and what it does, without any value of its query."""
        if not self.pid:
            return "a prepared transaction (see pg_prepared_xacts)"
        who = f"server process {self.pid}"
        named = " of ".join(one for one in (self.application, self.user) if one)
        words = [f"{who} ({named})" if named else who]
        if self.is_vacuum:
            words.append("autovacuum")
        elif self.state:
            words.append(self.state)
        if self.age is not None:
            words.append(f"its transaction began {self.age:.1f} s ago")
        shown = outline(self.query)
        if shown and not self.query.startswith("<insufficient"):
            verb = "runs" if self.state == "active" else "last ran"
            began = f" ({self.since:.1f} s ago)" if self.since is not None else ""
            words.append(f"{verb}{began}: {shown}")
        return ", ".join(words)

    def document(self) -> dict[str, object]:
        """Return the machine's form."""
        return {"pid": self.pid, "application": self.application, "user": self.user,
                "state": self.state, "seconds": self.age, "query_seconds": self.since,
                "query": outline(self.query), "wanted": self.wanted}  # fmt: skip
