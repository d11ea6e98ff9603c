"""What `--wait-for URL` looks at: one probe for each scheme.

Each probe goes as far as the application would have to go (login, database number, virtual host),
except `tcp://` (an open port only) and `mysql://` (the greeting, without logging in). An attempt
has one time limit for everything: name, connection, TLS and conversation.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from tidegate.container.waiting import Dependency, Permanent, Transient, classify_os_error

if TYPE_CHECKING:
    import ssl

    from tidegate.databases.pgwire import Params

__all__ = ["BadServiceUrl", "dependency"]

_LONGEST_LINE = 8192


class BadServiceUrl(ValueError):
    """A `--wait-for` URL that cannot be understood; no text of it holds a password."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(f"{what} {next}")
        self.what = what
        self.next = next


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """The dependency that a `--wait-for` URL names.

    `environ` completes a `postgresql://` URL as libpq would (PGPASSWORD, PGSSLMODE, …).
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme.partition("+")[0] in _POSTGRESQL:
        return _postgresql(url, environ)
    target = parse(url)
    talk = _CONVERSATIONS[target.scheme].talk

    def probe(timeout: float) -> str:
        with Stream.open(target, timeout) as stream:
            return talk(target, stream)

    return Dependency(target.name, probe)


# ------------------------------------------------------------------------------------- the URL


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; what is secret stays out of `repr`."""

    scheme: str
    host: str
    port: int
    path: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    query: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For display: without user, password and query."""
        return f"{self.scheme}://{self.address}{self.path}"

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """The query as names and values; the last of a name wins."""
        return dict(parse_qsl(self.query))

    def quote(self, said: str) -> str:
        """A server's words, on one short line and without the password."""
        if self.password:
            said = said.replace(self.password, "***")
        return "".join(c if c.isprintable() else " " for c in said).strip()[:200]


def parse(url: str) -> Target:
    """Take a service URL apart, or say why not."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    scheme = scheme.partition("+")[0] if scheme.startswith("mysql+") else scheme
    if scheme not in _CONVERSATIONS:
        raise _unknown_scheme(scheme)
    shown = f"{scheme}://…"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
        host.encode("idna")  # also finds empty and too long labels
    except ValueError:  # its text quotes the URL, so it is not chained
        raise _unreadable(shown) from None
    if any(c <= " " or c == "\x7f" for c in url) or "@" in _after_authority(parts):
        raise _unreadable(shown)
    if not host:
        raise BadServiceUrl(f"The URL {shown} names no host.", f"Write {scheme}://HOST:PORT.")
    port = port if port is not None else _CONVERSATIONS[scheme].port
    if not port:
        raise BadServiceUrl(
            f"The URL {scheme}://{host} names no port.", f"Write {scheme}://{host}:PORT."
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    target = Target(scheme, host, port, parts.path, user, password, parts.query)
    _CONVERSATIONS[scheme].check(target)
    return target


def _after_authority(parts: SplitResult) -> str:
    """Where the rest of a password ends up that holds an unencoded '/', '?' or '#'."""
    return parts.path + parts.query + parts.fragment


def _unreadable(shown: str) -> BadServiceUrl:
    return BadServiceUrl(
        f"The URL {shown} cannot be read.",
        "Percent-encode reserved characters in user, password and path: '@' is %40, '/' is %2F,"
        " ':' is %3A, '#' is %23, '?' is %3F, '[' is %5B, a space is %20.",
    )


def _unknown_scheme(scheme: str) -> BadServiceUrl:
    known = ", ".join(f"{name}://" for name in (*_CONVERSATIONS, "postgresql"))
    plain = scheme.replace("+", "").replace("-", "")
    what = f"scheme {scheme}://" if plain.isalnum() and len(scheme) < 20 else "a value without one"
    return BadServiceUrl(f"--wait-for has a URL with an unknown scheme: {what}.", f"Use {known}.")


# ------------------------------------------------------------------------------- the connection


class Stream:
    """A connection whose every operation ends by the same moment; errors come classified."""

    def __init__(self, sock: socket.socket, host: str, end: float) -> None:
        self._sock = sock
        self._host = host
        self._end = end

    @classmethod
    def open(cls, target: Target, timeout: float) -> Stream:
        """Connect, with TLS where the scheme says so."""
        end = time.monotonic() + timeout
        sock = _connect(target.host, target.port, end)
        if not _CONVERSATIONS[target.scheme].tls:
            return cls(sock, target.host, end)
        try:
            context = _tls_context(target)
            sock.settimeout(_left(end))
            return cls(context.wrap_socket(sock, server_hostname=target.host), target.host, end)
        except OSError as error:
            sock.close()
            raise classify_os_error(error, target.host) from error
        except BaseException:
            sock.close()
            raise

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._sock.settimeout(_left(self._end))
            self._sock.sendall(data)
        except OSError as error:
            raise classify_os_error(error, self._host) from error

    def read(self, size: int) -> bytes:
        """Exactly that many bytes."""
        data = b""
        while len(data) < size:
            data += self._some(size - len(data))
        return data

    def line(self) -> str:
        """A line without its end; cut off at 8 KiB."""
        data = b""
        while not data.endswith(b"\n") and len(data) < _LONGEST_LINE:
            data += self._some(1)
        return data.decode("utf-8", "replace").rstrip("\r\n")

    def _some(self, size: int) -> bytes:
        try:
            self._sock.settimeout(_left(self._end))
            data = self._sock.recv(size)
        except OSError as error:
            raise classify_os_error(error, self._host) from error
        if not data:
            raise Transient("the server closed the connection")
        return data


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(host: str, port: int, end: float) -> socket.socket:
    """Try the name's addresses in the system's order, each with its share of the time.

    The first address's error is raised: the system sorts the likeliest first (RFC 6724).
    """
    first: OSError | None = None
    addresses = _resolve(host, port, end)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(_left(end) / (len(addresses) - number))
            sock.connect(address)
            return sock
        except OSError as error:
            first = first or error
            if sock:
                sock.close()
    raise classify_os_error(first or TimeoutError(), host)


_Address = tuple[int, int, int, str, tuple[object, ...]]


def _resolve(host: str, port: int, end: float) -> list[_Address]:
    """Addresses of a host, looked up in a thread: `getaddrinfo` has no time limit of its own."""
    try:
        return [*_look_up(host, port, socket.AI_NUMERICHOST)]
    except OSError:
        pass  # a name, not an address
    box: queue.SimpleQueue[list[_Address] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            box.put(_look_up(host, port, 0))
        except OSError as error:
            box.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = box.get(timeout=max(0.0, end - time.monotonic()))
    except queue.Empty:
        raise Transient(f"name {host} cannot be looked up (DNS does not answer)") from None
    if isinstance(found, OSError):
        raise classify_os_error(found, host) from found
    return found


def _look_up(host: str, port: int, flags: int) -> list[_Address]:
    return [*socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, flags)]


def _tls_context(target: Target) -> ssl.SSLContext:
    """The system's authorities, unless the URL says otherwise in the words of redis-py.

    `ssl_cert_reqs=none` (managed Redis with self-signed certificates), `ssl_ca_certs=FILE`,
    `ssl_certfile=FILE` and `ssl_keyfile=FILE`; not for `https://`, whose query is the server's.
    """
    import ssl

    options = {} if target.scheme == "https" else target.options
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    except OSError as error:
        raise Permanent(
            f"A certificate file that the URL {target.name} names cannot be used ({error}).",
            "Without it the connection cannot be made as the URL asks for.",
            "Correct ssl_ca_certs, ssl_certfile or ssl_keyfile, or mount the file.",
        ) from error
    if options.get("ssl_cert_reqs", "").lower().removeprefix("cert_") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _wrong_protocol(target: Target, wanted: str, said: str) -> Permanent:
    return Permanent(
        f"What listens at {target.address} does not speak {wanted}: it answered {said!r}.",
        "Another service has this host and port.",
        f"Correct the host or port in {target.name}.",
    )


# ------------------------------------------------------------------------------------------ tcp


def _talk_tcp(target: Target, stream: Stream) -> str:
    """An open port is all; a proxy in front (Docker's own included) may open it too early."""
    return "port open"


# ----------------------------------------------------------------------------------------- http


def _talk_http(target: Target, stream: Stream) -> str:
    """Ready is any final status below 400; a redirect is an answer and is not followed.

    All else is Transient: 5xx comes from a proxy whose application starts, 401, 403 and 404 from
    an application whose routes are not mounted yet. The last reason names the status, so that a
    wrong path shows at the deadline.
    """
    stream.send(_http_request(target))
    status = _http_status(target, stream.line())
    while 100 <= status < 200:  # RFC 9110, 15.2: interim answers precede the final one
        while stream.line():
            pass
        status = _http_status(target, stream.line())
    if status < 400:
        return f"HTTP {status}"
    raise Transient(f"HTTP {status} for {target.path or '/'}")


def _http_request(target: Target) -> bytes:
    path = target.path or "/"
    default = _CONVERSATIONS[target.scheme].port
    host = target.address.removesuffix(f":{default}")
    lines = [
        f"GET {path}{'?' + target.query if target.query else ''} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: tidegate",
        "Accept: */*",
        "Connection: close",
    ]
    if target.user or target.password:
        from base64 import b64encode

        login = b64encode(f"{target.user}:{target.password}".encode()).decode()
        lines.append(f"Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


def _http_status(target: Target, line: str) -> int:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdecimal():
        raise _wrong_protocol(target, "HTTP", target.quote(line))
    return int(rest[:3])


# ---------------------------------------------------------------------------------------- redis


def _talk_redis(target: Target, stream: Stream) -> str:
    """AUTH and SELECT as the URL says, then PING (https://redis.io/docs/latest/commands/ping/)."""
    for command in _redis_commands(target):
        stream.send(_resp(command))
        reply = stream.line()
        if reply.startswith("-"):
            raise _redis_error(target, command[0], reply[1:])
        expected = "+PONG" if command[0] == "PING" else "+OK"
        if reply != expected:
            raise _wrong_protocol(target, "Redis", target.quote(reply))
    return "PONG"


def _redis_commands(target: Target) -> list[list[str]]:
    commands = []
    if target.user:
        commands.append(["AUTH", target.user, target.password])
    elif target.password:
        commands.append(["AUTH", target.password])
    database = _redis_database(target)
    if database:
        commands.append(["SELECT", database])
    return [*commands, ["PING"]]


def _redis_database(target: Target) -> str:
    """`/N`, or `?db=N` as redis-py has it, which goes before."""
    return target.options.get("db") or target.path.strip("/")


def _check_redis(target: Target) -> None:
    database = _redis_database(target)
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
_REDIS_TRANSIENT = {
    "LOADING": "Redis is loading its data set",
    "MASTERDOWN": "the replica has lost its master",
    "BUSY": "Redis is busy with a script",
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the cluster moves slots",
    "MISCONF": "Redis cannot write its snapshots to disk",
    "NOREPLICAS": "Redis has too few replicas",
}

_REDIS_LOGIN = ("NOAUTH", "WRONGPASS", "NOPERM")


def _redis_error(target: Target, command: str, reply: str) -> Transient | Permanent:
    code = reply.partition(" ")[0]
    if code in _REDIS_TRANSIENT:
        return Transient(_REDIS_TRANSIENT[code])
    if reply.startswith("ERR max number of clients"):
        return Transient("Redis has no free connection (max number of clients)")
    what = f"Redis at {target.address} refuses {command}: {target.quote(reply)}."
    if code in _REDIS_LOGIN or command == "AUTH":
        return _redis_refuses_login(code, what, target)
    if command == "SELECT":
        return Permanent(
            what,
            f'Database number "{_redis_database(target)}" does not exist there (the setting'
            " `databases` is 16 by default; a cluster has only 0).",
            "Correct the number at the end of the URL.",
        )
    if code == "ERR" or code == "DENIED":
        return Permanent(what, "Waiting does not change this.", "See the server's settings.")
    return Transient(target.quote(reply))


def _redis_refuses_login(code: str, what: str, target: Target) -> Permanent:
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


# ----------------------------------------------------------------------------------------- amqp

# Method ids of class 10 (connection), AMQP 0-9-1, https://www.rabbitmq.com/amqp-0-9-1-reference.
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = 10, 11, 30, 31, 40, 41, 50
_METHOD_FRAME, _HEARTBEAT_FRAME, _FRAME_END = 1, 8, 0xCE
_LARGEST_FRAME = 1 << 20

# Reply codes that speak of the broker's condition: connection forced, resource error, internal
# error (RabbitMQ: "vhost is down").
_AMQP_TRANSIENT = (320, 506, 541)


def _talk_amqp(target: Target, stream: Stream) -> str:
    """Log in and open the virtual host, then close properly.

    We declare `authentication_failure_close`, so RabbitMQ says that the password is wrong rather
    than just closing (https://www.rabbitmq.com/docs/auth-notification).
    """
    stream.send(b"AMQP\x00\x00\x09\x01")
    start = _amqp_method(target, stream, _START, first=True)
    mechanisms = _long_string(start, 2 + 4 + int.from_bytes(start[2:6], "big"))
    if "PLAIN" not in mechanisms.split():
        raise _no_plain(target, mechanisms)
    stream.send(_method(_START_OK, _start_ok(target)))
    try:
        tune = _amqp_method(target, stream, _TUNE)
    except Transient as error:
        raise Transient(f"{error.reason} at the login") from None
    stream.send(_method(_TUNE_OK, tune[:6] + b"\x00\x00"))  # its limits, without heartbeats
    stream.send(_method(_OPEN, _short(_vhost(target)) + b"\x00\x00"))
    _amqp_method(target, stream, _OPEN_OK)
    stream.send(_method(_CLOSE, (200).to_bytes(2, "big") + b"\x00" + bytes(4)))
    try:
        stream.read(12)  # Close-Ok: going earlier leaves a warning in the broker's log
    except Transient:
        pass
    return _amqp_product(start)


def _vhost(target: Target) -> str:
    """`/name` is "name"; none, `/` and Celery's `//` all are "/"."""
    return unquote(target.path[1:]) or "/"


def _check_amqp(target: Target) -> None:
    """Names travel as short strings of at most 255 bytes."""
    if len(_vhost(target).encode()) > 255:
        raise BadServiceUrl(
            f"The virtual host in {target.scheme}://{target.address}/… is too long.",
            "AMQP allows 255 bytes.",
        )


def _method(number: int, arguments: bytes) -> bytes:
    payload = b"\x00\x0a" + number.to_bytes(2, "big") + arguments
    size = len(payload).to_bytes(4, "big")
    return bytes([_METHOD_FRAME]) + b"\x00\x00" + size + payload + bytes([_FRAME_END])


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _start_ok(target: Target) -> bytes:
    capabilities = _short("authentication_failure_close") + b"t\x01"
    properties = _short("product") + b"S" + _long(b"tidegate")
    properties += _short("capabilities") + b"F" + _long(capabilities)
    user = target.user or "guest"
    password = target.password if target.user else target.password or "guest"
    login = b"\x00" + user.encode() + b"\x00" + password.encode()
    return _long(properties) + _short("PLAIN") + _long(login) + _short("en_US")


def _amqp_method(target: Target, stream: Stream, wanted: int, *, first: bool = False) -> bytes:
    """The arguments of the method that must come next."""
    while True:
        head = stream.read(7) if not first else _amqp_first(target, stream)
        first = False
        size = int.from_bytes(head[3:7], "big")
        if head[0] not in (_METHOD_FRAME, _HEARTBEAT_FRAME) or size > _LARGEST_FRAME:
            raise _wrong_protocol(target, "AMQP 0-9-1", repr(head))
        payload = stream.read(size + 1)[:-1]
        if head[0] == _METHOD_FRAME:
            break
    method, arguments = int.from_bytes(payload[2:4], "big"), payload[4:]
    if payload[:2] == b"\x00\x0a" and method == _CLOSE:
        raise _amqp_closed(target, arguments)
    if payload[:2] != b"\x00\x0a" or method != wanted:
        raise _wrong_protocol(target, "AMQP 0-9-1 as expected", f"method {method}")
    return arguments


def _amqp_first(target: Target, stream: Stream) -> bytes:
    """The first frame's head, or the header that a server sends which wants another protocol."""
    head = stream.read(1)
    if head[0] not in (_METHOD_FRAME, ord("A")):
        raise _wrong_protocol(target, "AMQP", target.quote(repr(head)))
    head += stream.read(6)
    if head.startswith(b"AMQP"):
        version = ".".join(str(number) for number in head[4:] + stream.read(1))
        raise _wrong_protocol(target, "AMQP 0-9-1", f"AMQP {version}")
    return head


def _amqp_closed(target: Target, arguments: bytes) -> Transient | Permanent:
    code = int.from_bytes(arguments[:2], "big")
    said = target.quote(arguments[3 : 3 + arguments[2]].decode("utf-8", "replace"))
    # RabbitMQ has one code, 530, for a vhost that is not there and for one that is full.
    if code in _AMQP_TRANSIENT or (code == 530 and "limit" in said):
        return Transient(f"the broker closes the connection: {said} ({code})")
    what = f"The broker at {target.address} refuses the connection: {said} ({code})."
    user, vhost = target.user or "guest", _vhost(target)
    if code == 403:
        return Permanent(
            what,
            f'User "{user}" does not exist there or has another password; "guest" may only log in'
            " from the broker's own host.",
            "Correct user and password in the URL, or create the user: rabbitmqctl add_user.",
        )
    if code == 530:
        return Permanent(
            what,
            f'The login is right. The virtual host "{vhost}" does not exist, or "{user}" has no'
            " permission in it.",
            f"Correct the path of the URL ('/' is %2F), or: rabbitmqctl add_vhost '{vhost}' and"
            f" rabbitmqctl set_permissions -p '{vhost}' '{user}' '.*' '.*' '.*'.",
        )
    return Permanent(what, "The broker will say the same again.", "See the broker's log.")


def _no_plain(target: Target, mechanisms: str) -> Permanent:
    return Permanent(
        f"The broker at {target.address} offers no login by password (it has: {mechanisms}).",
        "The user and password of a URL need the mechanism PLAIN.",
        f"Allow PLAIN in the broker, or wait for the port only: tcp://{target.address}.",
    )


def _long_string(data: bytes, start: int) -> str:
    size = int.from_bytes(data[start : start + 4], "big")
    return data[start + 4 : start + 4 + size].decode("utf-8", "replace")


def _amqp_product(start: bytes) -> str:
    """ "RabbitMQ 3.10.8", from the text fields of Start's table; good enough for a label."""
    found = []
    for key in (b"\x07productS", b"\x07versionS"):
        _, there, rest = start.partition(key)
        found.append(_long_string(rest, 0) if there else "")
    return " ".join(found).strip() or "AMQP 0-9-1"


# ---------------------------------------------------------------------------------------- mysql

# Client errors that pass: out of connections, shutting down, out of memory, user's connections.
_MYSQL_TRANSIENT = (1040, 1041, 1053, 1203, 1226)


def _talk_mysql(target: Target, stream: Stream) -> str:
    """Read the server's greeting; it does not log in, so user, password and database go unchecked.

    The greeting comes when the server accepts logins. A greeting that is not answered counts
    towards `max_connect_errors` (100) of this host until its next real login
    (https://dev.mysql.com/doc/refman/8.4/en/host-cache.html); we stop at the first.
    """
    head = stream.read(4)
    size = int.from_bytes(head[:3], "little")
    if head[3] != 0 or not 0 < size <= _LONGEST_LINE:
        raise _wrong_protocol(target, "MySQL", target.quote(repr(head)))
    payload = stream.read(size)
    if payload[0] == 0xFF:
        raise _mysql_error(target, payload)
    if payload[0] != 10:  # protocol version 10, since MySQL 3.21
        raise _wrong_protocol(target, "MySQL", target.quote(repr(payload[:20])))
    version = payload[1:].partition(b"\x00")[0].decode("utf-8", "replace").removeprefix("5.5.5-")
    maker, number = ("MariaDB" if "MariaDB" in version else "MySQL"), version.partition("-")[0]
    return f"{maker} {number}"


def _mysql_error(target: Target, payload: bytes) -> Transient | Permanent:
    """0xFF, a code of two bytes, a text."""
    code = int.from_bytes(payload[1:3], "little")
    said = target.quote(payload[3:].decode("utf-8", "replace"))
    if code in _MYSQL_TRANSIENT:
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


# ----------------------------------------------------------------------------------- postgresql

_POSTGRESQL = ("postgresql", "postgres", "psql", "pgsql", "postgis")


def _postgresql(url: str, environ: Mapping[str, str]) -> Dependency:
    """A real login, and with it `database exists` and `accepts connections`."""
    from tidegate.databases import pgwire

    try:
        params = pgwire.params_from_url(url, environ)
    except (pgwire.BadUrl, pgwire.Unsupported) as error:
        advice = "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, percent-encoded."
        raise BadServiceUrl(f"A postgresql:// URL cannot be used: {error}.", advice) from None
    hosts = ",".join(_pg_host(host, port) for host, port in params.hosts)

    def probe(timeout: float) -> str:
        return _probe_postgresql(params, hosts, timeout)

    return Dependency(f"postgresql://{hosts}/{params.dbname}", probe)


def _pg_host(host: str, port: int) -> str:
    if host.startswith(("/", "@")):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _probe_postgresql(params: Params, hosts: str, timeout: float) -> str:
    from tidegate.databases import pginit, pgstates, pgwire

    try:
        connection = pgwire.connect(params, timeout)
        if params.hosts[0][0][:1] == "/" and pginit.is_temporary(connection.query):
            connection.close()
            raise Transient(pginit.REASON)
    except pgwire.PgError as error:
        said = str(error).replace(params.password, "***") if params.password else str(error)
        raise pgstates.explain(
            error.sqlstate, said, user=params.user, dbname=params.dbname, host=hosts
        ) from None
    except (pgwire.TlsRefused, pgwire.Unsupported) as error:
        raise Permanent(
            f"PostgreSQL at {hosts} cannot be reached in the way the URL asks for: {error}.",
            "The server answers; client and server do not agree on TLS or on the way to log in.",
            "Check sslmode and sslrootcert in the URL, and pg_hba.conf on the server.",
        ) from None
    except OSError as error:
        raise classify_os_error(error, params.hosts[0][0]) from error
    version = connection.parameters.get("server_version", "").partition(" ")[0]
    connection.close()
    return f"PostgreSQL {version}".strip()


# ------------------------------------------------------------------------------------ the table


def _check_nothing(target: Target) -> None:
    """The URL has no part of its own that could be wrong."""


@dataclass(frozen=True, slots=True)
class _Conversation:
    talk: Callable[[Target, Stream], str]
    port: int = 0
    tls: bool = False
    check: Callable[[Target], None] = _check_nothing


_CONVERSATIONS = {
    "tcp": _Conversation(_talk_tcp),
    "http": _Conversation(_talk_http, 80),
    "https": _Conversation(_talk_http, 443, tls=True),
    "redis": _Conversation(_talk_redis, 6379, check=_check_redis),
    "rediss": _Conversation(_talk_redis, 6379, tls=True, check=_check_redis),
    "amqp": _Conversation(_talk_amqp, 5672, check=_check_amqp),
    "amqps": _Conversation(_talk_amqp, 5671, tls=True, check=_check_amqp),
    "mysql": _Conversation(_talk_mysql, 3306),
}
