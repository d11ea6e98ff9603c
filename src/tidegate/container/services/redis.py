"""`redis://` and `rediss://`: login, database number, PING."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.services.stream import Stream, conversation, wrong_protocol
from tidegate.container.services.target import BadServiceUrl, Target, parse
from tidegate.container.waiting import Dependency, Permanent, Transient

SCHEMES = {"redis": 6379, "rediss": 6379}


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that the URL names."""
    target = parse(url, SCHEMES)
    _check(target)
    return conversation(target, talk, tls=target.scheme == "rediss")


def talk(target: Target, stream: Stream) -> str:
    """AUTH and SELECT as the URL says, then PING (https://redis.io/docs/latest/commands/ping/)."""
    for command in _commands(target):
        stream.send(_resp(command))
        reply = stream.line()
        if reply.startswith("-"):
            raise _error(target, command[0], reply[1:])
        expected = "+PONG" if command[0] == "PING" else "+OK"
        if reply != expected:
            raise wrong_protocol(target, "Redis", target.quote(reply))
    return "PONG"


def _commands(target: Target) -> list[list[str]]:
    commands = []
    if target.user:
        commands.append(["AUTH", target.user, target.password])
    elif target.password:
        commands.append(["AUTH", target.password])
    database = _database(target)
    if database:
        commands.append(["SELECT", database])
    return [*commands, ["PING"]]


def _database(target: Target) -> str:
    """`/N`, or `?db=N` as redis-py has it, which goes before."""
    return target.options.get("db") or target.path.strip("/")


def _check(target: Target) -> None:
    database = _database(target)
    if database and not database.isdecimal():
        raise BadServiceUrl(
            f"The URL {target.scheme}://{target.address}/… names a Redis database that is no"
            " number.",
            f"Write {target.scheme}://{target.address}/0.",
        )


def _resp(words: list[str]) -> bytes:
    """A command as an array of bulk strings (RESP)."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


# Codes of conditions that pass; see server.c (`createSharedObjects`) of Redis 7.
_TRANSIENT = {
    "LOADING": "Redis is loading its data set",
    "MASTERDOWN": "the replica has lost its master",
    "BUSY": "Redis is busy with a script",
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the cluster moves slots",
    "MISCONF": "Redis cannot write its snapshots to disk",
    "NOREPLICAS": "Redis has too few replicas",
}

_LOGIN = ("NOAUTH", "WRONGPASS", "NOPERM")


def _error(target: Target, command: str, reply: str) -> Transient | Permanent:
    code = reply.partition(" ")[0]
    if code in _TRANSIENT:
        return Transient(_TRANSIENT[code])
    if reply.startswith("ERR max number of clients"):
        return Transient("Redis has no free connection (max number of clients)")
    what = f"Redis at {target.address} refuses {command}: {target.quote(reply)}."
    if code in _LOGIN or command == "AUTH":
        return _refuses_login(code, what, target)
    if command == "SELECT":
        return Permanent(
            what,
            f'Database number "{_database(target)}" does not exist there (the setting'
            " `databases` is 16 by default; a cluster has only 0).",
            "Correct the number at the end of the URL.",
        )
    if code == "ERR" or code == "DENIED":
        return Permanent(what, "Waiting does not change this.", "See the server's settings.")
    return Transient(target.quote(reply))


def _refuses_login(code: str, what: str, target: Target) -> Permanent:
    example = f"{target.scheme}://[USER]:PASSWORD@{target.address}"
    if code == "NOAUTH":
        meaning, advice = "The server wants a password, the URL has none.", f"Write {example}."
    elif code == "NOPERM":
        meaning = "The login is right, but its access list lacks this command."
        advice = "Allow it with ACL SETUSER (+ping +select), which clients need as well."
    else:
        meaning = "The URL's user or password is not what the server has, or it has none set."
        advice = "Correct it in the URL, or requirepass / the ACL user on the server."
    return Permanent(what, meaning, advice)
