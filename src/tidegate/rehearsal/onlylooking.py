"""Whatever the project's code does to its database while it is loaded: it can't write there.

Some apps apply their own migrations in the function that makes the app. A rehearsal loads the app
to know its steps, and changes nothing: connections are read-only by the server's own setting (or
SQLite's), up to the moment when they are sent to the scratch database.
"""

from __future__ import annotations

import os
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidegate.errors import UsageProblem

READ_ONLY = "-c default_transaction_read_only=on"
SAYS_SO = ("read-only transaction", "readonly database")  # PostgreSQL and SQLite


def keep_read_only() -> None:
    """Make every libpq connection of this process read-only that doesn't ask for the other."""
    os.environ["PGOPTIONS"] = READ_ONLY


def was_refused(error: BaseException | None) -> bool:
    """Whether an error comes of a write that was refused."""
    while error is not None:
        if any(words in str(error) for words in SAYS_SO):
            return True
        error = error.__cause__ or error.__context__
    return False


def problem(error: BaseException, root: Path) -> UsageProblem:
    """Return what is said of an app that writes while it is loaded."""
    frames = [
        one
        for one in traceback.extract_tb(error.__traceback__)
        if Path(one.filename).is_relative_to(root) and "site-packages" not in one.filename
    ]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return UsageProblem(
        f"the app writes to its database while it is loaded{where}",
        "Its code has to be loaded for its steps to be known, and a rehearsal only reads the "
        "target: the write was refused, and nothing was changed.",
        "take it out of the loading, or put it behind a variable that you leave out here: an app "
        "that migrates itself needs nobody else who does",
    )


def of_sqlalchemy() -> Callable[[], None]:
    """Do the same for drivers that don't read PGOPTIONS; return what ends it."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def asked(dialect: Any, record: Any, args: Any, fields: Any) -> None:
        if dialect.driver == "asyncpg":
            fields["server_settings"] = {**(fields.get("server_settings") or {}),
                                         "default_transaction_read_only": "on"}  # fmt: skip
        elif dialect.name == "postgresql" and dialect.driver.startswith("psycopg"):
            given = str(fields.get("options") or "")
            fields["options"] = f"{given} {READ_ONLY}".strip()

    pooled: weakref.WeakSet[Any] = weakref.WeakSet()

    def made(connection: Any, record: Any) -> None:
        pooled.add(record)
        if "sqlite" in type(connection).__module__:
            _query_only(connection)

    event.listen(Engine, "do_connect", asked)
    event.listen(Engine, "connect", made)

    def end() -> None:
        event.remove(Engine, "do_connect", asked)
        event.remove(Engine, "connect", made)
        for record in list(pooled):  # the next who takes it from its pool gets a new one
            record.invalidate()

    return end


def of_django() -> Callable[[], None]:
    """Do the same for Django's SQLite; return what ends it."""
    from django.db.backends.signals import connection_created

    def made(connection: Any, **more: Any) -> None:
        if connection.vendor == "sqlite":
            _query_only(connection.connection)

    connection_created.connect(made, weak=False)

    def end() -> None:
        connection_created.disconnect(made)

    return end


def _query_only(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()
