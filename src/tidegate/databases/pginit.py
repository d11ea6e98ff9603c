"""Tell the server that the official image runs while it initialises its volume from the real one.

On an empty volume the image starts a server of its own for the init scripts, with
`-c listen_addresses='' -p PORT`, and stops it again
(https://github.com/docker-library/postgres, docker-entrypoint.sh). TCP does not reach it; a shared
Unix socket does. The sign: it listens nowhere and its port is given, both by the command line, and
it was started within minutes of `initdb`, whose time stands in the system identifier. A server
that is meant to be so is told apart from its first restart on; until then a person reads the
reason.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REASON = (
    "the server is the one that initialises the volume, and will be restarted (it listens on no "
    "address, by its command line; if it is meant to, set listen_addresses in postgresql.conf)"
)
SOON = 600  # seconds between initdb and the start of the image's temporary server, at the most

_SIGNS = (
    "SELECT (SELECT count(*) FROM pg_catalog.pg_settings WHERE source = 'command line' "
    "AND (name = 'port' OR name = 'listen_addresses' AND setting = '')) = 2 "
    "AND extract(epoch FROM pg_postmaster_start_time()) - (system_identifier >> 32) "
    f"BETWEEN 0 AND {SOON} FROM pg_catalog.pg_control_system()"
)


def is_temporary(query: Callable[[str], Sequence[Sequence[str | None]]]) -> bool:
    """Return whether the server that answers `query` only initialises its volume."""
    if query("SELECT current_setting('listen_addresses', true)")[0][0] != "":
        return False
    return query(_SIGNS)[0][0] == "t"
