"""The sessions and statements of env.py, followed through SQLAlchemy's events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidegate.contracts.framework import CONNECT_LIMIT, Applying
from tidegate.model.connection import Connection
from tidegate.model.sessions import AppSession, cutter

LIMITS = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout", "asyncpg": "timeout"}


@contextlib.contextmanager
def listening(connection: Connection, applying: Applying) -> Iterator[None]:
    """Follow every session and statement while env.py runs."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    def redirect(dialect: Any, record: Any, args: Any, fields: Any) -> None:
        if dialect.driver in LIMITS:
            fields.setdefault(LIMITS[dialect.driver], CONNECT_LIMIT)
        if applying.redirect and str(fields.get("host") or "") == connection.host:
            name = "dbname" if "dbname" in fields else "database"
            fields.update(
                host=applying.redirect["host"],
                port=int(applying.redirect["port"] or 5432),
                user=applying.redirect["user"],
                password=applying.redirect["password"],
            )
            fields[name] = applying.redirect["name"]

    def opened(session: Any, record: Any) -> None:
        if applying.opened:
            applying.opened(_runner(session), cutter(session))
        if connection.vendor == "postgresql":
            session.commit()

    def sending(conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: bool) -> None:
        applying.sending(sql)

    def sent(conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: bool) -> None:
        applying.done(sql, _runner(session_of(conn)))

    def failed(context: Any) -> None:
        if context.statement:
            applying.failed(context.statement)

    hooks: list[tuple[Any, str, Callable[..., Any]]] = [
        (Engine, "do_connect", redirect),
        (Pool, "connect", opened),
        (Engine, "before_cursor_execute", sending),
        (Engine, "after_cursor_execute", sent),
        (Engine, "handle_error", failed),
    ]
    if applying.door is not None:
        hooks += [(Engine, name, hook) for name, hook in _doors(connection, applying)]
    for target, name, hook in hooks:
        event.listen(target, name, hook)
    try:
        yield
    finally:
        for target, name, hook in hooks:
            event.remove(target, name, hook)


def _doors(connection: Connection, applying: Applying) -> Iterator[tuple[str, Callable[..., bool]]]:
    """Yield the dialect's events that stand for sending a statement; True means: it is sent."""

    def through(context: Any, sql: str, send: Callable[[], Any]) -> bool:
        session = AppSession(session_of(context.root_connection), connection.vendor)
        applying.through(session, sql, send)
        return True

    for name in ("do_execute", "do_executemany"):

        def execute(cursor: Any, sql: str, params: Any, context: Any, name: str = name) -> bool:
            send = getattr(context.dialect, name)
            return through(context, sql, lambda: send(cursor, sql, params, context))

        yield name, execute

    def bare(cursor: Any, sql: str, context: Any) -> bool:
        return through(
            context, sql, lambda: context.dialect.do_execute_no_params(cursor, sql, context)
        )

    yield "do_execute_no_params", bare


def session_of(conn: Any) -> Any:
    """Return the driver's own connection; an async driver's comes in a synchronous coat."""
    return conn.connection.dbapi_connection


def _runner(session: Any) -> Callable[[str], Sequence[tuple[object, ...]]]:
    def run(sql: str) -> Sequence[tuple[object, ...]]:
        cursor = session.cursor()
        try:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    return run
