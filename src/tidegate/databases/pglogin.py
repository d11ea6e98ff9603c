"""How a session at PostgreSQL comes to be: host after host, TLS, the password, the session's kind.

TLS, SCRAM and name look-ups in a thread load what they need when needed: see `pgwire`.
"""

from __future__ import annotations

import _socket
import time

from tidegate.databases.pgparams import Params, Unsupported, find_password
from tidegate.databases.pgwire import (
    Connection,
    PgError,
    TlsRefused,
    close_socket,
    encode,
    error_of,
    left,
    open_socket,
    sized,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tidegate.databases.pgscram import Scram

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"

_PROTOCOL_3_0 = b"\0\x03\0\0"

_UNSUPPORTED_AUTH = {2: "Kerberos V5", 6: "SCM", 7: "GSSAPI", 9: "SSPI"}


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
        sock = open_socket(family, address, deadline)
        connection: Connection | None = None
        try:
            with_tls = tries.pop(0) and _server_has_tls(sock, params, deadline)
            if with_tls:
                from tidegate.databases.pgtls import wrap

                sock = wrap(sock, params, host, deadline)
            elif mode == "prefer":
                tries.clear()  # the server has no TLS, so this is the only way
            connection = Connection(sock, with_tls)
            until = _authenticate(connection, params, host, port, deadline)
        except (TlsRefused, PgError, ConnectionError) as err:
            close_socket(sock)
            if tries:
                first = err
                continue
            if isinstance(first, PgError) and getattr(err, "sqlstate", "28000") == "28000":
                raise first from None  # 'no pg_hba.conf entry' for the other way says less
            raise
        except BaseException:
            close_socket(sock)
            raise
        try:
            _finish_startup(connection, until)
            return connection
        except BaseException:
            close_socket(sock)
            raise


def _get_ready(params: Params) -> None:
    """Load OpenSSL, which takes milliseconds, while the server makes itself ready."""
    if params.password is not None:
        from tidegate.databases import pgscram  # noqa: F401


def _meanwhile(params: Params, deadline: float) -> float:
    """Do the caller's work while the server lets us in; its seconds don't count."""
    work, params.meanwhile = params.meanwhile, None
    if work is None:
        return deadline
    began = time.monotonic()
    work()
    return deadline + time.monotonic() - began


def _server_has_tls(sock: _socket.socket, params: Params, deadline: float) -> bool:
    mode = params.sslmode
    sock.settimeout(left(deadline))
    sock.sendall(_SSL_REQUEST)
    _get_ready(params)
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
) -> float:
    """Prove who we are; return the deadline for what follows."""
    settings = {
        "user": params.user,
        "database": params.dbname,
        "client_encoding": "UTF8",
        "application_name": params.application_name,
        "options": params.options,
    }
    packet = "".join(f"{name}\0{value}\0" for name, value in settings.items() if value) + "\0"
    connection.send(b"", _PROTOCOL_3_0 + encode(packet), deadline)
    _get_ready(params)
    scram: Scram | None = None
    while True:
        kind, body = connection.receive(deadline, 1 << 16)
        if kind == b"E":
            raise error_of(body)
        if kind == b"v":
            continue
        if kind != b"R":
            connection.absorb(kind, body)
            continue
        method = int.from_bytes(body[:4], "big")
        if method == 0:
            if scram and not scram.verified:
                raise PgError("08P01", "the server did not prove that it knows the password")
            return _meanwhile(params, deadline)
        password = find_password(params, host, port) if method in (3, 5, 10) else "-"
        if not password:
            raise PgError("28P01", "the server asks for a password and none is known")
        if method == 3:
            connection.send(b"p", encode(password) + b"\0", deadline)
        elif method == 5:
            from tidegate.databases.pgscram import md5

            connection.send(b"p", md5(params.user, password, body[4:8]) + b"\0", deadline)
        elif method == 10:
            mechanisms = body[4:].split(b"\0")
            if b"SCRAM-SHA-256" not in mechanisms:
                raise Unsupported(f"SASL mechanisms {b', '.join(mechanisms[:-2]).decode()}")
            from tidegate.databases.pgscram import Scram

            scram = Scram(password)
            connection.send(b"p", b"SCRAM-SHA-256\0" + sized(scram.first, 0), deadline)
        elif method == 11 and scram:
            connection.send(b"p", scram.answer(body[4:]), deadline)
            deadline = _meanwhile(params, deadline)
        elif method == 12 and scram:
            scram.verify(body[4:])
        else:
            raise Unsupported(f"authentication by {_UNSUPPORTED_AUTH.get(method, method)}")


def _finish_startup(connection: Connection, deadline: float) -> None:
    while True:
        kind, body = connection.receive(deadline)
        if kind == b"Z":
            return
        if kind == b"E":
            raise error_of(body)
        if kind == b"K":
            connection.backend_pid = int.from_bytes(body[:4], "big")
            connection.key = body[4:]
        else:
            connection.absorb(kind, body)


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


def _share(deadline: float, candidates: int) -> float:
    """A deadline that leaves the remaining candidates as much time each."""
    now = time.monotonic()
    return now + (deadline - now) / candidates
