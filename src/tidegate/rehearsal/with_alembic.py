"""Alembic under rehearsal: its own env.py, each statement traced to the line of its revision."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidegate.contracts.framework import Applying
from tidegate.frameworks.alembic import AlembicProject
from tidegate.frameworks.alembic.environment import run_env, script_of
from tidegate.frameworks.alembic.listening import session_of
from tidegate.model.connection import Connection
from tidegate.rehearsal.onlylooking import of_sqlalchemy
from tidegate.rehearsal.ormodels import models
from tidegate.rehearsal.scratch import Scratch, away, options_for_scratch
from tidegate.rehearsal.session import AppSession
from tidegate.rehearsal.shapes import Shape
from tidegate.rehearsal.trace import Tracer, frame_line

WORDS = {"execute_sql": "execute", "exec_sql": "execute", "bulk_insert": "bulk_insert"}


class AlembicRehearsal:
    """Runs one Alembic project's revisions on the scratch database."""

    def __init__(self, project: AlembicProject) -> None:
        self.project = project
        self.tracer: Tracer | None = None
        self._running: list[str] = []
        self._paths: dict[str, str] = {}
        self._raw: Any = None
        self._alias = ""
        self._looked: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        """Before any code of the project's runs: what it reaches is read-only."""
        with contextlib.suppress(ImportError):  # that there is none is said when it is loaded
            self._looked = of_sqlalchemy()

    def redirect(self, connection: Connection, scratch: Scratch) -> None:
        """Send every SQLAlchemy engine that reaches for the database to the scratch one."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        self._looked()
        event.listen(Engine, "do_connect", _director(connection, scratch))
        self._alias = connection.alias
        self._paths = {one.id: one.path for one in self.project.steps(connection.alias)}

    def session(self, connection: Connection) -> AppSession:
        """Return the session that env.py uses now."""
        return AppSession(self._raw, connection.vendor)

    def build(self, connection: Connection, deployed: Sequence[str]) -> None:
        """Bring the empty scratch to the deployed level, untraced."""
        from tidegate.model.level import heads

        wanted = set(deployed)
        steps = [one for one in self.project.steps(connection.alias) if one.id in wanted]
        quiet = Applying(on_start=lambda step: None, on_done=lambda step, seconds: None)
        for head in heads(steps):
            self.project.apply(connection, head, quiet)

    def up(self, connection: Connection, applying: Applying) -> None:
        """Run `alembic upgrade heads`, traced where a tracer is set."""
        with self._traced(connection):
            self.project.apply(connection, "", applying)

    def again(self, connection: Connection, steps: Sequence[str], applying: Applying) -> None:
        """Apply revisions a second time."""
        self.up(connection, applying)

    def reversible(self, steps: Sequence[str]) -> dict[str, str]:
        """Return the revisions that raise instead of going down, or have no way down."""
        found = {}
        for step in steps:
            if why := _no_way_down(_read(self._paths.get(step, ""))):
                found[step] = why
        return found

    def folded(self, steps: Sequence[str]) -> list[str]:
        """Return nothing: revisions that were squashed are gone."""
        return []

    def code(self, steps: Sequence[str]) -> dict[str, list[Any]]:
        """Return the function of the way up of each revision."""
        with self.project.configured(self._alias) as config:
            script = script_of(config)
            found = {step: script.get_revision(step) for step in steps}
            return {step: [getattr(one.module, "upgrade", None)] for step, one in found.items()}

    def down(self, connection: Connection, steps: Sequence[str], applying: Applying) -> None:
        """Take revisions back, in the order given."""
        from alembic.runtime.migration import MigrationStep

        with self.project.configured(connection.alias) as config:
            script = script_of(config)

            def downgrade(rev: Any, context: Any) -> Iterator[Any]:
                for step in steps:
                    applying.start(step, True)
                    yield MigrationStep.downgrade_from_script(
                        script.revision_map, script.get_revision(step)
                    )
                    applying.finish()

            with self._traced(connection):
                run_env(config, script, downgrade, "base")

    def shapes(self, connection: Connection, deployed: Sequence[str]) -> list[Shape]:
        """Alembic keeps no models: the schema itself, before the first step, says them."""
        return []

    def models(self, connection: Connection) -> list[Shape]:
        """Return what this code's own models read and write."""
        return models(self.project, connection.alias)

    @contextlib.contextmanager
    def _traced(self, connection: Connection) -> Iterator[None]:
        from alembic.operations.base import AbstractOperations
        from alembic.operations.batch import BatchOperationsImpl
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        if self.tracer is not None:
            self.tracer.where = self._where
        invoke = AbstractOperations.invoke

        def named(operations: Any, operation: Any) -> Any:
            self._running.append(_word(operation))
            try:
                return invoke(operations, operation)
            finally:
                self._running.pop()

        flush = BatchOperationsImpl.flush

        def flushed(batch: Any) -> Any:
            self._running.append("batch_alter_table")
            try:
                return flush(batch)
            finally:
                self._running.pop()

        hooks = [(name, hook) for name, hook in self._hooks(connection).items()]
        AbstractOperations.invoke = named  # type: ignore[method-assign, assignment]
        BatchOperationsImpl.flush = flushed  # type: ignore[method-assign, assignment]
        for name, hook in hooks:
            event.listen(Engine, name, hook)
        try:
            yield
        finally:
            AbstractOperations.invoke = invoke  # type: ignore[method-assign]
            BatchOperationsImpl.flush = flush  # type: ignore[method-assign]
            for name, hook in hooks:
                event.remove(Engine, name, hook)

    def _hooks(self, connection: Connection) -> dict[str, Callable[..., Any]]:
        def around(context: Any, cursor: Any, sql: str, call: Callable[[], Any]) -> Any:
            self._raw = session_of(context.root_connection)
            if self.tracer is None or not self.tracer.on:
                return None  # SQLAlchemy goes on as always
            self.tracer.around(AppSession(self._raw, connection.vendor), sql, call)
            return True

        def execute(cursor: Any, sql: str, params: Any, context: Any) -> Any:
            return around(
                context,
                cursor,
                sql,
                lambda: context.dialect.do_execute(cursor, sql, params, context),
            )

        def many(cursor: Any, sql: str, params: Any, context: Any) -> Any:
            return around(
                context,
                cursor,
                sql,
                lambda: context.dialect.do_executemany(cursor, sql, params, context),
            )

        def bare(cursor: Any, sql: str, context: Any) -> Any:
            return around(
                context,
                cursor,
                sql,
                lambda: context.dialect.do_execute_no_params(cursor, sql, context),
            )

        return {"do_execute": execute, "do_executemany": many, "do_execute_no_params": bare}

    def _where(self, sql: str) -> tuple[str, str, str, int]:
        path = self._paths.get(self.tracer.step if self.tracer else "", "")
        name = self._running[0] if self._running else "get_bind().execute"
        return name, "", path, frame_line(path) if path else 0


def _director(connection: Connection, scratch: Scratch) -> Callable[..., None]:
    def direct(dialect: Any, record: Any, args: Any, fields: Any) -> None:
        if dialect.name == "sqlite":
            if connection.vendor != "sqlite":
                raise away(str(args[0] if args else fields.get("database", "")))
            if args:
                args[0] = scratch.name
            else:
                fields["database"] = scratch.name
            return
        name = "dbname" if "dbname" in fields else "database"
        wanted = str(fields.get(name) or "")
        if connection.vendor != "postgresql" or wanted != connection.name:
            raise away(wanted)
        kept = {key: value for key, value in fields.items() if key in ("options",)}
        asynchronous = dialect.driver == "asyncpg"
        settings = fields.get("server_settings")
        others = {k: v for k, v in fields.items() if k in (
            "statement_cache_size", "prepared_statement_cache_size", "command_timeout", "timeout",
            "cursor_factory", "row_factory", "prepare_threshold", "autocommit", "context",
            "application_name", "client_encoding")}  # fmt: skip
        fields.clear()
        fields.update(others)
        fields.update(host=scratch.host, port=int(scratch.port), user=scratch.user,
                      password=scratch.password)  # fmt: skip
        fields[name] = scratch.name
        if asynchronous:
            fields["server_settings"] = {
                **(settings or {}), "default_transaction_read_only": "off"}  # fmt: skip
        else:
            fields["options"] = options_for_scratch(kept)["options"]

    return direct


def _word(operation: Any) -> str:
    name = type(operation).__name__.removesuffix("Op")
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return WORDS.get(snake, snake)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _no_way_down(text: str) -> str:
    """Say why a revision's text has no way down; an empty string where it has one."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return ""  # the way up says so
    for one in body:
        if isinstance(one, ast.FunctionDef) and one.name == "downgrade":
            raises = any(isinstance(line, ast.Raise) for line in one.body)
            return "its downgrade() raises" if raises else ""
        names = one.names if isinstance(one, ast.Import | ast.ImportFrom) else ()
        targets = one.targets if isinstance(one, ast.Assign) else ()
        if any("downgrade" in (name.asname, name.name) for name in names) or any(
            isinstance(target, ast.Name) and target.id == "downgrade" for target in targets
        ):
            return ""
    return "it has no downgrade()"
