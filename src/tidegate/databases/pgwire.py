"""PostgreSQL's protocol 3 with the standard library, for a few short queries at every start.

A start that has nothing to migrate must cost about as much as ``psql -c``, so nothing costly
is imported here: TLS, SCRAM and name look-ups in a thread load what they need when needed.
"""

from __future__ import annotations

import _socket
import time

from tidegate.databases.pgparams import (
    SOCKET_DIRS,
    BadUrl,
    Params,
    Unsupported,
    find_password,
    params_from_fields,
    params_from_url,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tidegate.databases.pgscram import Scram

    Row = tuple[str | None, ...]

__all__ = [
    "SOCKET_DIRS", "BadUrl", "Connection", "Params", "PgError", "TlsRefused", "Unsupported",
    "connect", "params_from_fields", "params_from_url", "quote_identifier", "quote_literal",
]  # fmt: skip

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
_CANCEL_CODE = b"\x04\xd2\x16\x2e"
_PROTOCOL_3_0 = b"\0\x03\0\0"
# A server whose host is gone is noticed within 11 s, also where nothing is on its way.
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))

_UNSUPPORTED_AUTH = {2: "Kerberos V5", 6: "SCM", 7: "GSSAPI", 9: "SSPI"}


class PgError(Exception):
    """An error the server reported."""

    def __init__(
        self, sqlstate: str, message: str, severity: str = "FATAL", detail: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.severity = severity
        self.detail = detail
        self.hint = hint


class TlsRefused(Exception):
    """TLS was demanded and the server has none, or its certificate cannot be trusted."""


class Connection:
    """One session. Queries are simple-protocol; all values come back as text."""

    __slots__ = (
        "_address",
        "_buffer",
        "_family",
        "_key",
        "_sock",
        "backend_pid",
        "notices",
        "parameters",
        "status",
        "tls",
    )  # fmt: skip

    def __init__(self, sock: _socket.socket, tls: bool) -> None:
        self.backend_pid = 0
        self.parameters: dict[str, str] = {}
        self.notices: list[PgError] = []
        self.status = "I"  # of the last ReadyForQuery: 'I' idle, 'T' in a transaction, 'E' failed
        self.tls = tls
        self._sock: _socket.socket | None = sock
        self._family = sock.family
        self._address = sock.getpeername()
        self._buffer = bytearray()
        self._key = b""

    def fileno(self) -> int:
        """The socket's descriptor; -1 once closed."""
        return self._sock.fileno() if self._sock else -1

    def close(self) -> None:
        """Say goodbye and disconnect; never raises."""
        sock, self._sock = self._sock, None
        if sock:
            try:
                sock.settimeout(1.0)
                sock.sendall(b"X\0\0\0\x04")
            except OSError:
                pass
            _close(sock)

    def query(self, sql: str, timeout: float | None = None) -> list[Row]:
        """Run one or several statements; the rows of the last one that returns rows."""
        if "\0" in sql:
            raise ValueError("the SQL text holds a zero byte")
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            return self._query(encode(sql), deadline)
        except (PgError, ConnectionError):
            raise
        except BaseException:  # a time limit or a signal: the answer is still to come
            self._cancel()
            raise

    def heard(self, seconds: float) -> bool:
        """Wait up to `seconds` for a notification; the session holds nothing meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                kind, body = self._receive(deadline)
            except TimeoutError:  # what came of a message so far stays in the buffer
                return False
            if kind == b"A":
                return True
            if kind == b"E":
                self._drop()
                raise _error(body)
            self._common(kind, body)

    def _query(self, sql: bytes, deadline: float | None) -> list[Row]:
        self._send(b"Q", sql + b"\0", deadline)
        rows: list[Row] = []
        error: PgError | None = None
        while True:
            try:
                kind, body = self._receive(deadline)
            except ConnectionError:
                self._drop()
                if error:
                    raise error from None
                raise
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"T":
                rows = []
            elif kind == b"E":
                error = error or _error(body)
            elif kind == b"Z":
                self.status = body.decode()
                if error:
                    raise error
                return rows
            elif kind == b"G":
                self._send(b"f", b"no data\0", deadline)
            elif kind not in (b"C", b"I", b"H", b"d", b"c"):
                self._common(kind, body)

    def _common(self, kind: bytes, body: bytes) -> None:
        """Messages that may come at any time."""
        if kind == b"S":
            name, value, _ = body.decode("utf-8", "replace").split("\0")
            self.parameters[name] = value
        elif kind == b"N":
            self.notices.append(_error(body))
        elif kind != b"A":
            self._drop()
            raise ConnectionAbortedError(f"unexpected message {kind!r} from the server")

    def _send(self, kind: bytes, body: bytes, deadline: float | None) -> None:
        if self._sock is None:
            raise ConnectionResetError("the database connection is closed")
        self._sock.settimeout(left(deadline))
        try:
            self._sock.sendall(kind + _sized(body))
        except TimeoutError:
            raise
        except OSError:
            pass  # the server has closed: why is still to be read

    def _receive(self, deadline: float | None, limit: int = 1 << 30) -> tuple[bytes, bytes]:
        buffer = self._buffer
        self._fill(5, deadline)
        length = int.from_bytes(buffer[1:5], "big")
        if not 4 <= length <= limit:
            self._drop()
            raise ConnectionAbortedError("the server's answer is not PostgreSQL's protocol")
        self._fill(length + 1, deadline)
        kind, body = bytes(buffer[:1]), bytes(buffer[5 : length + 1])
        del buffer[: length + 1]
        return kind, body

    def _fill(self, size: int, deadline: float | None) -> None:
        while len(self._buffer) < size:
            if self._sock is None:
                raise ConnectionResetError("the database connection is closed")
            self._sock.settimeout(left(deadline))
            try:
                chunk = self._sock.recv(65536)
            except TimeoutError:
                raise
            except OSError as err:
                raise ConnectionResetError(f"lost the database connection: {err}") from None
            if not chunk:
                raise ConnectionResetError("the server closed the connection")
            self._buffer += chunk

    def _drop(self) -> None:
        sock, self._sock = self._sock, None
        if sock:
            _close(sock)

    def _cancel(self) -> None:
        """Give up a query: ask the server to stop it, as PQcancel does, and disconnect."""
        try:
            deadline = time.monotonic() + 1.0
            other = _open(self._family, self._address, deadline)
            try:
                pid = self.backend_pid.to_bytes(4, "big")
                other.sendall(_sized(_CANCEL_CODE + pid + self._key))
                other.recv(1)
            finally:
                _close(other)
        except OSError:
            pass
        finally:  # not before: a pooler forgets the query with the connection
            self._drop()


def connect(params: Params, timeout: float) -> Connection:
    """Connect to the first host that will have us, all within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    attrs = params.target_session_attrs
    passes = ("standby", "any") if attrs == "prefer-standby" else (attrs,)
    failure: Exception | None = None
    for wanted in passes:
        for number, (host, port) in enumerate(params.hosts):
            try:
                share = _share(deadline, len(params.hosts) - number)
                return _connect_host(params, host, port, wanted, share)
            except PgError as err:
                if err.sqlstate != "57P03":  # as libpq: only 'cannot connect now' moves on
                    raise
                failure = err
            except OSError as err:
                if not isinstance(failure, PgError):
                    failure = err
    assert failure is not None
    raise failure


def _connect_host(params: Params, host: str, port: int, wanted: str, deadline: float) -> Connection:
    failure: Exception | None = None
    addresses = _addresses(host, port, deadline)
    for number, (family, address) in enumerate(addresses):
        until = _share(deadline, len(addresses) - number)
        if params.connect_timeout:
            until = min(until, time.monotonic() + params.connect_timeout)
        try:
            connection = _negotiate(params, host, port, family, address, until)
            _check_session(connection, wanted, until)
            return connection
        except PgError as err:
            if err.sqlstate != "57P03":
                raise
            failure = err
        except OSError as err:
            if not isinstance(failure, PgError):
                failure = _locate(err, host, port)
    assert failure is not None
    raise failure


def _locate(err: OSError, host: str, port: int) -> OSError:
    """The same error, saying which server."""
    where = f"{host}/.s.PGSQL.{port}" if host[:1] in "/@" else f"{host}:{port}"
    if isinstance(err, TimeoutError):
        return TimeoutError(f"no answer in time ({where})")
    if err.errno is not None and err.strerror:
        return OSError(err.errno, f"{err.strerror} ({where})")
    if isinstance(err, ConnectionError):
        return type(err)(f"{err} ({where})")
    return err


def _addresses(host: str, port: int, deadline: float) -> list[tuple[int, object]]:
    if host[:1] in ("/", "@"):
        path = f"{host}/.s.PGSQL.{port}"
        return [(_socket.AF_UNIX, "\0" + path[1:] if host[0] == "@" else path)]
    # Bytes, because a str is encoded with 'idna', which is slow to import.
    name = host.encode() if host.isascii() else host
    stream = _socket.SOCK_STREAM
    try:
        found = _socket.getaddrinfo(name, port, 0, stream, 0, _socket.AI_NUMERICHOST)
        return [(entry[0], entry[4]) for entry in found]
    except (_socket.gaierror, UnicodeError):
        pass
    import _thread

    results: list[tuple[int, object]] = []
    errors: list[OSError] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look_up() -> None:  # in a thread: the resolver knows no deadline
        try:
            found = _socket.getaddrinfo(name, port, 0, stream)
            results.extend((entry[0], entry[4]) for entry in found)
        except UnicodeError:
            errors.append(_socket.gaierror(_socket.EAI_NONAME, f"not a host name: {host}"))
        except OSError as err:
            errors.append(_socket.gaierror(err.errno, f"{err.strerror}: {host}"))
        finally:
            done.release()

    _thread.start_new_thread(look_up, ())
    if not done.acquire(timeout=left(deadline) or 0):
        raise TimeoutError(f"no answer in time to the look-up of host name {host}")
    if errors:
        raise errors[0]
    return results


def _negotiate(
    params: Params, host: str, port: int, family: int, address: object, deadline: float
) -> Connection:
    """Log in with or without TLS, in the order sslmode says."""
    mode = params.sslmode
    if family == _socket.AF_UNIX or mode == "disable":
        tries = [False]
    else:
        tries = {"allow": [False, True], "prefer": [True, False]}.get(mode, [True])
    first: Exception | None = None
    while True:
        sock = _open(family, address, deadline)
        connection: Connection | None = None
        try:
            with_tls = tries.pop(0) and _server_has_tls(sock, mode, deadline)
            if with_tls:
                from tidegate.databases.pgtls import wrap

                sock = wrap(sock, params, host, deadline)
            elif mode == "prefer":
                tries.clear()  # the server has no TLS, so this is the only way
            connection = Connection(sock, with_tls)
            _authenticate(connection, params, host, port, deadline)
        except (TlsRefused, PgError, ConnectionError) as err:
            _close(sock)
            if tries:
                first = err
                continue
            if isinstance(first, PgError) and getattr(err, "sqlstate", "28000") == "28000":
                raise first from None  # 'no pg_hba.conf entry' for the other way says less
            raise
        except BaseException:
            _close(sock)
            raise
        try:
            _finish_startup(connection, deadline)
            return connection
        except BaseException:
            _close(sock)
            raise


def _server_has_tls(sock: _socket.socket, mode: str, deadline: float) -> bool:
    sock.settimeout(left(deadline))
    sock.sendall(_SSL_REQUEST)
    answer = sock.recv(1)  # one byte: what follows belongs to the TLS handshake
    if answer == b"S":
        sock.setblocking(False)
        try:
            sock.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return True
        # CVE-2021-23222: the server speaks first only if somebody in between does.
        raise Unsupported("the server sent unencrypted data after accepting TLS")
    if answer == b"N":
        if mode != "prefer":
            raise TlsRefused(f"the server does not speak TLS, and sslmode is {mode}")
        return False
    if not answer:
        raise ConnectionResetError("the server closed the connection")
    raise ConnectionAbortedError("the server's answer to the TLS request is not PostgreSQL's")


def _authenticate(
    connection: Connection, params: Params, host: str, port: int, deadline: float
) -> None:
    settings = {
        "user": params.user,
        "database": params.dbname,
        "client_encoding": "UTF8",
        "application_name": params.application_name,
        "options": params.options,
    }
    packet = "".join(f"{name}\0{value}\0" for name, value in settings.items() if value) + "\0"
    connection._send(b"", _PROTOCOL_3_0 + encode(packet), deadline)
    scram: Scram | None = None
    while True:
        kind, body = connection._receive(deadline, 1 << 16)
        if kind == b"E":
            raise _error(body)
        if kind == b"v":
            continue
        if kind != b"R":
            connection._common(kind, body)
            continue
        method = int.from_bytes(body[:4], "big")
        if method == 0:
            if scram and not scram.verified:
                raise PgError("08P01", "the server did not prove that it knows the password")
            return
        password = find_password(params, host, port) if method in (3, 5, 10) else "-"
        if not password:
            raise PgError("28P01", "the server asks for a password and none is known")
        if method == 3:
            connection._send(b"p", encode(password) + b"\0", deadline)
        elif method == 5:
            from tidegate.databases.pgscram import md5

            connection._send(b"p", md5(params.user, password, body[4:8]) + b"\0", deadline)
        elif method == 10:
            mechanisms = body[4:].split(b"\0")
            if b"SCRAM-SHA-256" not in mechanisms:
                raise Unsupported(f"SASL mechanisms {b', '.join(mechanisms[:-2]).decode()}")
            from tidegate.databases.pgscram import Scram

            scram = Scram(password)
            connection._send(b"p", b"SCRAM-SHA-256\0" + _sized(scram.first, 0), deadline)
        elif method == 11 and scram:
            connection._send(b"p", scram.answer(body[4:]), deadline)
        elif method == 12 and scram:
            scram.verify(body[4:])
        else:
            raise Unsupported(f"authentication by {_UNSUPPORTED_AUTH.get(method, method)}")


def _finish_startup(connection: Connection, deadline: float) -> None:
    while True:
        kind, body = connection._receive(deadline)
        if kind == b"Z":
            return
        if kind == b"E":
            raise _error(body)
        if kind == b"K":
            connection.backend_pid = int.from_bytes(body[:4], "big")
            connection._key = body[4:]
        else:
            connection._common(kind, body)


def _check_session(connection: Connection, wanted: str, deadline: float) -> None:
    if wanted == "any":
        return
    try:
        ((recovering, read_only),) = connection.query(
            "SELECT pg_catalog.pg_is_in_recovery(),"
            " pg_catalog.current_setting('transaction_read_only')",
            left(deadline),
        )
    except BaseException:
        connection.close()
        raise
    fits = {
        "read-write": read_only == "off",
        "read-only": read_only == "on",
        "primary": recovering == "f",
        "standby": recovering == "t",
    }
    if not fits[wanted]:
        connection.close()
        raise ConnectionError(f"the server is not {wanted}, as target_session_attrs demands")


def _error(body: bytes) -> PgError:
    """An ErrorResponse or NoticeResponse."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0")}
    return PgError(
        fields.get(b"C", ""),
        fields.get(b"M", ""),
        fields.get(b"V") or fields.get(b"S", ""),
        fields.get(b"D", ""),
        fields.get(b"H", ""),
    )


def _row(body: bytes) -> Row:
    values: list[str | None] = []
    position = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        size = int.from_bytes(body[position : position + 4], "big")
        position += 4
        if size == 0xFFFFFFFF:
            values.append(None)
        else:
            values.append(body[position : position + size].decode("utf-8", "surrogateescape"))
            position += size
    return tuple(values)


def _open(family: int, address: object, deadline: float) -> _socket.socket:
    sock = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        sock.settimeout(left(deadline))
        sock.connect(address)  # type: ignore[arg-type]
        if family != _socket.AF_UNIX:
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(_socket, name):
                    sock.setsockopt(_socket.IPPROTO_TCP, getattr(_socket, name), value)
    except BaseException:
        _close(sock)
        raise
    return sock


def _close(sock: _socket.socket) -> None:
    try:
        sock.close()
    except OSError:
        pass


def left(deadline: float | None) -> float | None:
    """What settimeout is to be told."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _share(deadline: float, candidates: int) -> float:
    """A deadline that leaves the remaining candidates as much time each."""
    now = time.monotonic()
    return now + (deadline - now) / candidates


def _sized(body: bytes, counted: int = 4) -> bytes:
    return (len(body) + counted).to_bytes(4, "big") + body


def encode(text: str) -> bytes:
    """Return the bytes; those that were no UTF-8 come back as they were."""
    return text.encode("utf-8", "surrogateescape")


def quote_literal(text: str) -> str:
    """As PQescapeLiteral: safe whatever standard_conforming_strings is."""
    if "\0" in text:
        raise ValueError("PostgreSQL text cannot hold a zero byte")
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def quote_identifier(name: str) -> str:
    """As PQescapeIdentifier."""
    if "\0" in name:
        raise ValueError("PostgreSQL names cannot hold a zero byte")
    return '"' + name.replace('"', '""') + '"'
