"""Django's own `migrate`, called, followed and fenced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import CONNECT_LIMIT, Applying
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.frameworks.django import tenants
from tidegate.model.connection import Connection
from tidegate.model.sessions import AppSession, cutter


def directed(connection: Connection, applying: Applying) -> Any:
    """Return Django's own connection of the alias, on the way that the election asks for."""
    from django.db import connections

    database = connections[connection.alias]
    _redirect(database.settings_dict, applying.redirect)
    if connection.vendor == "postgresql":
        database.settings_dict["OPTIONS"].setdefault("connect_timeout", CONNECT_LIMIT)
    return database


@contextlib.contextmanager
def listening(database: Any, applying: Applying) -> Iterator[None]:
    """Fence each session that Django opens meanwhile."""
    from django.db.backends.signals import connection_created

    def opened(sender: Any, connection: Any, **kwargs: Any) -> None:
        if applying.opened and connection.alias == database.alias:
            applying.opened(_runner(connection), cutter(connection.connection))

    database.close()
    connection_created.connect(opened, weak=False)
    try:
        yield
    finally:
        connection_created.disconnect(opened)
        database.close()


def _redirect(settings: dict[str, Any], redirect: Mapping[str, str]) -> None:
    for key in ("host", "port", "user", "password", "name"):
        if redirect.get(key):
            settings[key.upper()] = redirect[key]


def _runner(connection: Any) -> Callable[[str], Sequence[tuple[object, ...]]]:
    def run(sql: str) -> Sequence[tuple[object, ...]]:
        with connection.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    return run


def refuse_unfound(error: ModuleNotFoundError, settings: str, said: str, root: Path) -> None:
    """Refuse a settings module that isn't there; another module's absence is its own affair."""
    missing = error.name or ""
    if missing != settings and not settings.startswith(f"{missing}."):
        return
    raise UsageProblem(
        f"there is no settings module {settings}: Python finds no {missing}",
        f"The name comes from {said}; it was looked for at {root}.",
        "correct the name there, or run tidegate in the project's folder",
    ) from None


def refuse_half_squash(database: Any) -> None:
    """Refuse a squash of which a part is applied where the files of the rest are gone.

    Django would leave out the squash and what it lacks, and go on behind it.
    """
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder

    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    disk = loader.disk_migrations or {}
    if not any(migration.replaces for migration in disk.values()):
        return
    applied = set(MigrationRecorder(database).applied_migrations())
    for key, migration in disk.items():
        olds = set(migration.replaces)
        lost = sorted(olds - applied - disk.keys())
        if lost and olds & applied and key not in applied:
            raise UsageProblem(
                f"{'.'.join(key)} replaces {'.'.join(lost[0])}, which this database lacks and the "
                "code no longer has",
                "Other steps that it replaces are applied, so the squash as a whole can't be. "
                "Nothing was changed.",
                "bring this database up to date with a release that still has the replaced files",
            )


@contextlib.contextmanager
def telling(applying: Applying) -> Iterator[None]:
    """Listen to the command's executor, and let the command listen as well.

    A command of somebody else's may make several executors, one for each schema of a tenant's.
    """
    from django.db.migrations.executor import MigrationExecutor

    begin = MigrationExecutor.__init__

    def init(self: Any, connection: Any, progress_callback: Any = None) -> None:
        if not applying.step:  # or it is a step's own affair
            progress_callback = _progress(connection, progress_callback, applying)
        begin(self, connection, progress_callback)

    MigrationExecutor.__init__ = init
    try:
        yield
    finally:
        MigrationExecutor.__init__ = begin


def _progress(database: Any, original: Any, applying: Applying) -> Callable[..., None]:
    def progress(action: str, migration: Any = None, fake: bool = False) -> None:
        if action in ("apply_start", "unapply_start"):
            atomic = bool(migration.atomic and database.features.can_rollback_ddl)
            applying.where = tenants.schema_of(database)
            applying.start(f"{migration.app_label}.{migration.name}", atomic)
        elif action in ("apply_success", "unapply_success"):
            applying.finish()
        if original:
            original(action, migration, fake)

    return progress


def wrapper(applying: Applying) -> Callable[..., Any]:
    """Return what Django calls around each statement."""

    def watch(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        session = AppSession(context["connection"].connection, context["connection"].vendor)
        return applying.around(session, str(sql), lambda: execute(sql, params, many, context))

    return watch


def call(command: Any, connection: Connection, target: str, applying: Applying) -> None:
    """Call the command; its refusals become errors of ours."""
    with contextlib.ExitStack() as quietly:
        if connection.tenants:  # django-tenants says much, and stdout belongs to results
            quietly.enter_context(contextlib.redirect_stdout(StringIO()))
        _call(command, connection, target, applying)


def _call(command: Any, connection: Connection, target: str, applying: Applying) -> None:
    from django.core.management import call_command
    from django.core.management.base import CommandError
    from django.db import NotSupportedError

    args = target.split(".", 1) if target else []
    more = {"executor": "standard"} if connection.tenants else {}
    try:
        call_command(
            command, *args, database=connection.alias, interactive=False, verbosity=1,
            stdout=StringIO(), **more,
        )  # fmt: skip
    except CommandError as error:
        raise UsageProblem(str(error), "Django's migrate refuses to begin.", "") from None
    except NotSupportedError as error:
        if applying.step:
            raise
        raise RefusedForGood(
            f"Django refuses the server of {connection.alias}: {error}",
            "Each Django release works with certain versions of a server. Nothing was applied.",
            "upgrade the server, or keep the Django release that supports it",
        ) from None
