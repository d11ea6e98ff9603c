"""End what a driver's session waits for, from another thread and without asking the server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


def cutter(session: Any) -> Callable[[], None]:
    """Return a function that makes the running statement of `session` fail at once.

    SQLite's statement is interrupted (https://sqlite.org/c3ref/interrupt.html). A server's
    session is cut at its socket, for when the server doesn't answer any more: no driver can be
    interrupted while it waits in C. `session` may be in the coat that SQLAlchemy gives to async
    drivers. What is closed by then is left alone.
    """

    def cut() -> None:
        try:
            plain = getattr(session, "driver_connection", session)
            inner = getattr(plain, "_conn", plain)  # of aiosqlite
            if hasattr(inner, "interrupt"):
                inner.interrupt()
            else:
                _shut(plain)
        except Exception:
            return

    return cut


def _shut(plain: Any) -> None:
    if hasattr(plain, "fileno"):  # psycopg, psycopg2
        number = plain.fileno()
    else:  # asyncpg
        number = plain._transport.get_extra_info("socket").fileno()
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as copy:
        copy.shutdown(socket.SHUT_RDWR)
