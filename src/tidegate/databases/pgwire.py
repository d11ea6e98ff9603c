"""PostgreSQL's protocol 3 with the standard library, for a few short queries at every start.

A start that has nothing to migrate must cost about as much as ``psql -c``, so nothing costly
is imported here. `pglogin` makes the session.
"""

from __future__ import annotations

import _socket
import time

from tidegate.databases.pgparams import (
    SOCKET_DIRS,
    BadUrl,
    Params,
    Unsupported,
    params_from_fields,
    params_from_url,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    Row = tuple[str | None, ...]

__all__ = [
    "SOCKET_DIRS", "BadUrl", "Connection", "Params", "PgError", "TlsRefused", "Unsupported",
    "params_from_fields", "params_from_url", "quote_identifier", "quote_literal",
]  # fmt: skip

_CANCEL_CODE = b"\x04\xd2\x16\x2e"
# A server whose host is gone is noticed within 11 s, also where nothing is on its way.
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))


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
        "_sock",
        "backend_pid",
        "key",
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
        self.key = b""

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
            close_socket(sock)

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
                kind, body = self.receive(deadline)
            except TimeoutError:  # what came of a message so far stays in the buffer
                return False
            if kind == b"A":
                return True
            if kind == b"E":
                self._drop()
                raise error_of(body)
            self.absorb(kind, body)

    def _query(self, sql: bytes, deadline: float | None) -> list[Row]:
        self.send(b"Q", sql + b"\0", deadline)
        rows: list[Row] = []
        error: PgError | None = None
        while True:
            try:
                kind, body = self.receive(deadline)
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
                error = error or error_of(body)
            elif kind == b"Z":
                self.status = body.decode()
                if error:
                    raise error
                return rows
            elif kind == b"G":
                self.send(b"f", b"no data\0", deadline)
            elif kind not in (b"C", b"I", b"H", b"d", b"c"):
                self.absorb(kind, body)

    def absorb(self, kind: bytes, body: bytes) -> None:
        """Messages that may come at any time."""
        if kind == b"S":
            name, value, _ = body.decode("utf-8", "replace").split("\0")
            self.parameters[name] = value
        elif kind == b"N":
            self.notices.append(error_of(body))
        elif kind != b"A":
            self._drop()
            raise ConnectionAbortedError(f"unexpected message {kind!r} from the server")

    def send(self, kind: bytes, body: bytes, deadline: float | None) -> None:
        """Send one message; the very first has no kind."""
        if self._sock is None:
            raise ConnectionResetError("the database connection is closed")
        self._sock.settimeout(left(deadline))
        try:
            self._sock.sendall(kind + sized(body))
        except TimeoutError:
            raise
        except OSError:
            pass  # the server has closed: why is still to be read

    def receive(self, deadline: float | None, limit: int = 1 << 30) -> tuple[bytes, bytes]:
        """Return the next message: its kind and its body."""
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
            close_socket(sock)

    def _cancel(self) -> None:
        """Give up a query: ask the server to stop it, as PQcancel does, and disconnect."""
        try:
            deadline = time.monotonic() + 1.0
            other = open_socket(self._family, self._address, deadline)
            try:
                pid = self.backend_pid.to_bytes(4, "big")
                other.sendall(sized(_CANCEL_CODE + pid + self.key))
                other.recv(1)
            finally:
                close_socket(other)
        except OSError:
            pass
        finally:  # not before: a pooler forgets the query with the connection
            self._drop()


def error_of(body: bytes) -> PgError:
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


def open_socket(family: int, address: object, deadline: float) -> _socket.socket:
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
        close_socket(sock)
        raise
    return sock


def close_socket(sock: _socket.socket) -> None:
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


def sized(body: bytes, counted: int = 4) -> bytes:
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
