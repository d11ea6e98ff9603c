"""`tidegate health`: what a HEALTHCHECK runs, without curl. Imports are counted here as in boot.

Docker reserves every exit code but 0 and 1, so "not healthy" is 1 whatever the cause; a wrong
command line is 2 as everywhere.
"""

from __future__ import annotations

import os
import time

from tidegate.container import sealfile
from tidegate.container.report import Report, masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.container.entry import Globals

DEFAULT = 3.0  # seconds


class Wrong(Exception):
    """The command line can't be understood: what, and what to type instead."""


def probe(glob: Globals, argv: list[str], environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)
    try:
        options, rest = _options(argv)
        ways = [options["local"], options["file"], *rest]
        if len([way for way in ways if way]) != 1:
            raise Wrong("health takes one of: a URL, --local, --file FILE")
        timeout = _seconds(options["timeout"], "--timeout")
        if options["local"]:
            good, text = local(glob.root, environ, timeout)
        elif options["file"]:
            good, text = by_file(options["file"], _seconds(options["age"], "--age"))
        else:
            good, text = by_url(rest[0], timeout, options["host"], environ)
    except Wrong as wrong:
        report.error([str(wrong), "  next: tidegate health --help"], 2)
        return 2
    if not glob.quiet:
        os.write(1 if good else 2, (masked(text) + "\n").encode("utf-8", "replace"))
    return 0 if good else 1


def _options(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    out = {"local": "", "file": "", "timeout": str(DEFAULT), "host": "", "age": "30"}
    rest: list[str] = []
    index = 0
    while index < len(argv):
        word = argv[index]
        name, equals, value = word[2:].partition("=")
        if word == "--local":
            out["local"] = "yes"
        elif word[:2] == "--" and name in out:
            if not equals:
                index += 1
                if index >= len(argv):
                    raise Wrong(f"{word} has no value")
                value = argv[index]
            out[name] = value
        elif word[:1] == "-":
            raise Wrong(f"{word} is not an option here")
        else:
            rest.append(word)
        index += 1
    return out, rest


def _seconds(text: str, flag: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < 1e6:
        raise Wrong(f"{flag} is {text!r}; give seconds as a number, such as 3")
    return found


def by_file(path: str, age: float) -> tuple[bool, str]:
    """Healthy while the file is touched often enough: a worker's sign of life."""
    try:
        since = time.time() - os.stat(path).st_mtime
    except OSError as error:
        return False, f"{path}: {error.strerror}; the worker has not started, or writes elsewhere"
    if since > age:
        return False, f"{path} was last touched {since:.0f} s ago: the worker hangs or has ended"
    return True, f"alive {since:.0f} s ago"


def by_url(url: str, timeout: float, host: str, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Healthy when the answer's status is 2xx. A redirect is not followed."""
    tls, address, port, path = _split(url)
    shown = f"{address}:{port}{path}"
    token = environ.get("TIDEGATE_HEALTH_TOKEN", "")
    lines = [f"GET {path} HTTP/1.0", f"Host: {host or address}", "User-Agent: tidegate",
             "Connection: close"]  # fmt: skip
    if token:
        lines.append(f"Authorization: Bearer {token}")
    try:
        data = _exchange(tls, address, port, "\r\n".join([*lines, "", ""]).encode(), timeout)
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or error
        return False, f"{shown}: {why}"
    return _judged(data.decode("utf-8", "replace"), shown)


def _split(url: str) -> tuple[bool, str, int, str]:
    scheme, there, rest = url.partition("://")
    if not there:
        scheme, rest = "http", url
    if scheme not in ("http", "https"):
        raise Wrong(f"health speaks http and https, not {scheme}")
    where, _, path = rest.partition("/")
    if "@" in where:
        raise Wrong("a login in the URL is not sent; leave it out")
    address, colon, port = where.rpartition(":") if not where.endswith("]") else (where, "", "")
    if not colon:
        address, port = where, "443" if scheme == "https" else "80"
    if not port.isdecimal():
        raise Wrong(f"{masked(url)} has no valid port")
    address = address.strip("[]") or "127.0.0.1"
    return scheme == "https", address, int(port), f"/{path}" if path else "/readyz"


def _exchange(tls: bool, address: str, port: int, request: bytes, timeout: float) -> bytes:
    """Send and read to the end, all within `timeout` seconds."""
    until = time.monotonic() + timeout
    stream = _connect(address, port, timeout)
    try:
        if tls:
            import ssl

            context = ssl.create_default_context()
            if address in ("127.0.0.1", "localhost", "::1"):  # its certificate names another host
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            stream = context.wrap_socket(stream, server_hostname=address)
        stream.sendall(request)
        data = b""
        while len(data) < 65536:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            stream.settimeout(left)
            chunk = stream.recv(65536)
            if not chunk:
                break
            data += chunk
        return data
    finally:
        stream.close()


def _connect(address: str, port: int, timeout: float):  # type: ignore[no-untyped-def]
    """Connect; `_socket` has no module to load beside it, `socket` has several."""
    if not address.replace(".", "").isdecimal():
        import socket

        return socket.create_connection((address, port), timeout)
    import _socket

    stream = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout)
        stream.connect((address, port))
    except BaseException:
        stream.close()
        raise
    return stream


def _judged(text: str, shown: str) -> tuple[bool, str]:
    head, _, body = text.partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    words = first.split(" ")
    if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():
        return False, f"{shown} does not speak HTTP"
    status = int(words[1])
    said = " ".join(body.split())[:500]
    if 200 <= status < 300:
        return True, f"{status} {said}".rstrip()
    if 300 <= status < 400:
        to = next((line[9:].strip() for line in fields if line[:9].lower() == "location:"), "")
        return False, f"{shown}: {status}, a redirect to {to}; it is not followed"
    if status == 400:
        said += " (is the host allowed? --host NAME sends another)"
    return False, f"{shown}: {status} {said}".rstrip()


def local(root: str, environ: Mapping[str, str], timeout: float) -> tuple[bool, str]:
    """Healthy when every step that the code needs is applied; asks the database from here."""
    head = sealfile.read(sealfile.seal_path(root, environ))
    if head is not None and not sealfile.why_another(head, environ):
        from tidegate.container.fast import is_current

        files = sealfile.Files(head)
        said = [(alias, is_current(files, alias, environ)) for (alias,) in head.all("alias")]
        if said and all(text[0] == "=" for _, text in said):
            return True, "; ".join(f"{alias}: current, {text[1:]}" for alias, text in said)
    return _at_length(root, environ, timeout)


def _at_length(root: str, environ: Mapping[str, str], timeout: float) -> tuple[bool, str]:
    """The seal can't say: load what has to be loaded, and tell what is missing."""
    from pathlib import Path

    from tidegate import settings
    from tidegate.container.gate import open_gate
    from tidegate.container.health.checking import look
    from tidegate.errors import TidegateError
    from tidegate.model.readiness import Permanent, Transient

    said, good = [], True
    try:
        chosen = settings.effective(settings.from_file(root), settings.from_environ(environ))
        gate = open_gate(Path(root), environ, chosen)
        for connection in gate.connections:
            found = look(gate, connection, timeout)
            good = good and found.ready
            lacks = f", lacks {', '.join(found.missing[:5])}" if found.missing else ""
            said.append(f"{found.alias}: {found.state}{lacks}")
    except settings.BadSetting as error:
        raise Wrong(error.what) from None
    except Transient as error:
        return False, f"unreachable: {error.reason}"
    except (Permanent, TidegateError) as error:
        return False, f"unreachable: {error.what}"
    except Exception as error:  # out of the project's own files
        return False, f"the project can't be loaded: {type(error).__name__}: {error}"
    return good, "; ".join(said)
