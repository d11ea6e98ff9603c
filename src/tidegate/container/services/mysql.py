"""`mysql://`: the greeting, without logging in."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.services.stream import LONGEST_LINE, Stream, conversation, wrong_protocol
from tidegate.container.services.target import Target, parse
from tidegate.container.waiting import Dependency, Permanent, Transient

SCHEMES = {"mysql": 3306}
WITH_DRIVER = True  # `mysql+pymysql://` too


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that the URL names."""
    return conversation(parse(url, SCHEMES), talk)


# Client errors that pass: out of connections, shutting down, out of memory, user's connections.
_TRANSIENT = (1040, 1041, 1053, 1203, 1226)


def talk(target: Target, stream: Stream) -> str:
    """Read the server's greeting; it does not log in, so user, password and database go unchecked.

    The greeting comes when the server accepts logins. A greeting that is not answered counts
    towards `max_connect_errors` (100) of this host until its next real login
    (https://dev.mysql.com/doc/refman/8.4/en/host-cache.html); we stop at the first.
    """
    head = stream.read(4)
    size = int.from_bytes(head[:3], "little")
    if head[3] != 0 or not 0 < size <= LONGEST_LINE:
        raise wrong_protocol(target, "MySQL", target.quote(repr(head)))
    payload = stream.read(size)
    if payload[0] == 0xFF:
        raise _error(target, payload)
    if payload[0] != 10:  # protocol version 10, since MySQL 3.21
        raise wrong_protocol(target, "MySQL", target.quote(repr(payload[:20])))
    version = payload[1:].partition(b"\x00")[0].decode("utf-8", "replace").removeprefix("5.5.5-")
    maker, number = ("MariaDB" if "MariaDB" in version else "MySQL"), version.partition("-")[0]
    return f"{maker} {number}"


def _error(target: Target, payload: bytes) -> Transient | Permanent:
    """0xFF, a code of two bytes, a text."""
    code = int.from_bytes(payload[1:3], "little")
    said = target.quote(payload[3:].decode("utf-8", "replace"))
    if code in _TRANSIENT:
        return Transient(f"the server says: {said} ({code})")
    what = f"MySQL at {target.address} refuses this host: {said} ({code})."
    if code == 1129:
        return Permanent(
            what,
            "It counted too many interrupted connections from here (max_connect_errors).",
            "On the server: FLUSH HOSTS (MySQL 8: TRUNCATE performance_schema.host_cache).",
        )
    if code == 1130:
        return Permanent(
            what,
            "No user there may log in from this address.",
            "Create the user for this host: CREATE USER 'NAME'@'%' IDENTIFIED BY '…'.",
        )
    return Permanent(what, "The server will say the same again.", "See the server's log.")
