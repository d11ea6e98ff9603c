"""What boot answers while it works, on the port that the app will have: alive, not ready, where.

A startup probe then sees the stage, a liveness probe does not kill a long migration, and a proxy
gets a clean 503. The port is free again before the app starts.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tidegate.container.health import answering
from tidegate.container.report import Report, masked

PATIENCE = 2.0  # seconds that a client has to say what it wants
LARGEST = 8192


class Stage:
    """Where boot is; listens to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._began = time.monotonic()
        self._at = ("start", "", "")

    def __call__(
        self, stage: str, subject: str, text: str, seconds: float | None, more: Mapping[str, object]
    ) -> None:
        """Note the stage."""
        self._at = (stage, subject, text)

    def answer(self, which: str, details: bool) -> tuple[int, dict[str, object]]:
        """Return status and JSON for one of the three paths, or for any other."""
        if which == answering.LIVE:
            return 200, {"status": "alive"}
        stage, subject, text = self._at
        found: dict[str, object] = {"status": "starting", "stage": stage}
        if details:
            found["subject"] = subject
            found["text"] = masked(text, self._report.secrets)
            found["seconds"] = round(time.monotonic() - self._began, 1)
        return 503, found


@contextmanager
def answering_on(port: int, report: Report, environ: Mapping[str, str]) -> Iterator[None]:
    """Answer on `port` while the body runs; a port that is taken is warned of, and no more."""
    stage = Stage(report)
    report.listeners.append(stage)
    try:
        listener = _listen(port)
    except OSError as error:
        report.warn(f"boot can't answer probes on port {port}: {error.strerror or error}")
        yield
        return
    token = environ.get("TIDEGATE_HEALTH_TOKEN", "")
    thread = threading.Thread(target=_serve, args=(listener, stage, token), daemon=True)
    thread.start()
    try:
        yield
    finally:
        report.listeners.remove(stage)
        _stop(listener)
        thread.join(PATIENCE + 1)


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError:
            pass  # a container without IPv6
    return socket.create_server(("", port))


def _stop(listener: socket.socket) -> None:
    try:
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
    except OSError:
        pass
    listener.close()


def _serve(listener: socket.socket, stage: Stage, token: str) -> None:
    while True:
        try:
            client, address = listener.accept()
        except OSError:
            return
        with client:
            try:
                _talk(client, str(address[0]), stage, token)
            except OSError:
                continue


def _talk(client: socket.socket, address: str, stage: Stage, token: str) -> None:
    """Read one request and answer it: one client at a time is enough for probes."""
    until = time.monotonic() + PATIENCE
    data = b""
    while b"\r\n\r\n" not in data and len(data) < LARGEST:
        client.settimeout(max(0.01, until - time.monotonic()))
        chunk = client.recv(LARGEST)
        if not chunk:
            return
        data += chunk
    first, *rest = data.decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")
    words = first.split(" ")
    if len(words) < 2:
        return
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in rest)
    }
    details = answering.trusted(address, headers, token)
    status, found = stage.answer(answering.kind(words[1].split("?")[0]), details)
    body = json.dumps(found).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Service Unavailable'}",
        *(f"{name}: {value}" for name, value in answering.HEADERS),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status != 200:
        lines.append("Retry-After: 2")
    sent = "\r\n".join([*lines, "", ""]).encode()
    client.sendall(sent if words[0] == "HEAD" else sent + body)
