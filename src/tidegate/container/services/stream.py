"""A connection with one time limit for everything: name, connection, TLS and conversation."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from tidegate.container.services.target import Target
from tidegate.container.waiting import Dependency, Permanent, Transient, classify_os_error

if TYPE_CHECKING:
    import ssl

LONGEST_LINE = 8192


def conversation(target: Target, talk: Talk, tls: bool = False) -> Dependency:
    """Return the dependency that connects and talks at each look."""

    def probe(timeout: float) -> str:
        with Stream.open(target, timeout, tls) as stream:
            return talk(target, stream)

    return Dependency(target.name, probe)


class Stream:
    """A connection whose every operation ends by the same moment; errors come classified."""

    def __init__(self, sock: socket.socket, host: str, end: float) -> None:
        self._sock = sock
        self._host = host
        self._end = end

    @classmethod
    def open(cls, target: Target, timeout: float, tls: bool) -> Stream:
        """Connect, with TLS where the scheme says so."""
        end = time.monotonic() + timeout
        sock = _connect(target.host, target.port, end)
        if not tls:
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
        while not data.endswith(b"\n") and len(data) < LONGEST_LINE:
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


Talk = Callable[[Target, Stream], str]


def wrong_protocol(target: Target, wanted: str, said: str) -> Permanent:
    """Return the error for a server that speaks something else."""
    return Permanent(
        f"What listens at {target.address} does not speak {wanted}: it answered {said!r}.",
        "Another service has this host and port.",
        f"Correct the host or port in {target.name}.",
    )
