"""The election's locks in PostgreSQL, as SQL: shared by the long way and the fast path's line.

Imports nothing: the fast path reads it.
"""

from __future__ import annotations

LOCK = (0x7469_6465, 1)  # "tide": the election
FENCE = (0x7469_6465, 2)
CHANNEL = "tidegate"  # whoever lets go of the election tells those who stand in line

TRY_LOCK = f"pg_try_advisory_lock({LOCK[0]}, {LOCK[1]})"
LET_GO = f"SELECT pg_advisory_unlock_all(); NOTIFY {CHANNEL}"
HOLDER = (
    "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a "
    f"USING (pid) WHERE l.locktype = 'advisory' AND l.classid = {LOCK[0]} "
    f"AND l.objid = {LOCK[1]} AND l.granted AND l.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
)

# All of these may be set by any user (context `user`); names a server lacks are left out.
# tcp_user_timeout is what frees the lock when the host is gone while a result is on its way.
DEATH_BOUNDS = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "6000",
    "client_connection_check_interval": "2s",
}


def set_known(settings: dict[str, str]) -> str:
    """Return SQL that sets those of `settings` that this server has; plain words only."""
    pairs = ", ".join(f"('{name}', '{value}')" for name, value in settings.items())
    return (
        "SELECT set_config(wanted.name, wanted.value, false) "
        f"FROM (VALUES {pairs}) AS wanted(name, value) "
        "JOIN pg_catalog.pg_settings USING (name)"
    )


def own_name() -> str:
    """Return what a session of the election calls itself: `holder_name` reads it."""
    import _socket
    import os

    return f"tidegate {_socket.gethostname()} {os.getpid()}"[:63]


def holder_name(rows: list[tuple[str | None, ...]]) -> str:
    """Return the holder for people, from the rows of `HOLDER`."""
    if not rows:
        return "nobody"
    name, pid = rows[0]
    words = (name or "").split()
    if len(words) == 3 and words[0] == "tidegate":
        return f"{words[1]} (process {words[2]}, server process {pid})"
    return f"server process {pid}"
