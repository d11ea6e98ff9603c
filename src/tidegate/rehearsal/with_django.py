"""Django under rehearsal: its own `migrate`, each statement traced to its operation and line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidegate.contracts.framework import Applying
from tidegate.frameworks.django import DjangoProject
from tidegate.model.connection import Connection
from tidegate.rehearsal.onlylooking import of_django
from tidegate.rehearsal.rendering import Rendering
from tidegate.rehearsal.scratch import Scratch, away, options_for_scratch
from tidegate.rehearsal.session import AppSession
from tidegate.rehearsal.shapes import Shape
from tidegate.rehearsal.states import States, below
from tidegate.rehearsal.trace import Tracer, frame_line


class DjangoRehearsal:
    """Runs one Django project's steps on the scratch database."""

    def __init__(self, project: DjangoProject) -> None:
        self.project = project
        self.tracer: Tracer | None = None
        self._running: list[Any] = []
        self._deferred: dict[str, Any] = {}
        self._paths: dict[str, str] = {}
        self._rendering = Rendering()
        self._states = States()
        self._bottom: Any = None  # the state that the way down has led to
        self._alias = "default"
        self._looked: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        """Before any migration is imported: remember the line that makes each operation."""
        self.project.load_settings()
        self._looked = of_django()
        self.project.load()
        from django.db.migrations.operations.base import Operation

        made = Operation.__new__

        def remember(cls: Any, *args: Any, **kwargs: Any) -> Any:
            operation = made(cls, *args, **kwargs)
            operation._tidegate_at = _made_at(sys._getframe(1))
            return operation

        Operation.__new__ = remember
        self._rendering.install()

    def redirect(self, connection: Connection, scratch: Scratch) -> None:
        """Send the alias to the scratch database; any other alias refuses to connect."""
        from django.db import connections

        self._alias = connection.alias
        self._looked()
        for alias in connections:
            one = connections[alias]
            one.close()
            if alias != connection.alias:
                one.get_new_connection = _refusing(alias)
                continue
            settings = one.settings_dict
            settings["NAME"] = scratch.name
            if scratch.vendor == "postgresql":
                settings.update(HOST=scratch.host, PORT=scratch.port, USER=scratch.user,
                                PASSWORD=scratch.password)  # fmt: skip
                settings["OPTIONS"] = options_for_scratch(settings.get("OPTIONS") or {})

    def session(self, connection: Connection) -> AppSession:
        """Return the session that Django uses now."""
        from django.db import connections

        one = connections[connection.alias]
        one.ensure_connection()
        return AppSession(one.connection, connection.vendor)

    def build(self, connection: Connection, deployed: Sequence[str]) -> None:
        """Bring the empty scratch to the deployed level, untraced."""
        from django.core.management.sql import emit_post_migrate_signal
        from django.db import connections
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connections[connection.alias])
        leaves = executor.loader.graph.leaf_nodes()
        wanted = {_key(step) for step in deployed}
        whole = executor.migration_plan(leaves, clean_start=True)
        plan = [one for one in whole if (one[0].app_label, one[0].name) in wanted]
        if plan:
            state = executor.migrate(leaves, plan=plan)
            with contextlib.suppress(AttributeError, TypeError):  # other signature in old versions
                emit_post_migrate_signal(0, False, connection.alias, apps=state.apps, plan=[])

    def up(self, connection: Connection, applying: Applying) -> None:
        """Run Django's own `migrate`, traced where a tracer is set."""
        self.project.load()
        from django.db import connections

        database = connections[connection.alias]
        with self._named(), database.execute_wrapper(self._around(connection.vendor)):
            self.project.apply(connection, "", applying)

    def again(self, connection: Connection, steps: Sequence[str], applying: Applying) -> None:
        """Apply steps a second time, without what the command does around them."""
        state, self._bottom = self._bottom, None
        self._migrate(connection, steps, False, applying, state)
        self._states.forget()

    def reversible(self, steps: Sequence[str]) -> dict[str, str]:
        """Return the steps that Django can't take back, with the operation that forbids it."""
        from django.db.migrations.loader import MigrationLoader

        loader = MigrationLoader(None)
        found: dict[str, str] = {}
        for step in steps:
            migration = loader.disk_migrations.get(_key(step))
            for operation in migration.operations if migration else ():
                if not operation.reversible:
                    found[step] = operation.describe()
        return found

    def folded(self, steps: Sequence[str]) -> list[str]:
        """Return the applied steps that count as their squash by now: Django takes that back."""
        from django.db import connections
        from django.db.migrations.loader import MigrationLoader

        graph = MigrationLoader(connections[self._alias]).graph
        return [step for step in steps if _key(step) not in graph.nodes]

    def code(self, steps: Sequence[str]) -> dict[str, list[Any]]:
        """Return the functions that the way up of each step runs."""
        from django.db.migrations.loader import MigrationLoader

        loader = MigrationLoader(None)
        found: dict[str, list[Any]] = {}
        for step in steps:
            migration = loader.disk_migrations.get(_key(step))
            for one in migration.operations if migration else ():
                own = type(one).database_forwards
                of_django = str(own.__module__).startswith("django.")
                function = getattr(one, "code", None) if of_django else own
                found.setdefault(step, []).extend([function] if callable(function) else [])
        return found

    def down(self, connection: Connection, steps: Sequence[str], applying: Applying) -> None:
        """Take steps back, in the order given."""
        self._bottom = self._migrate(connection, steps, True, applying)

    def _migrate(
        self,
        connection: Connection,
        steps: Sequence[str],
        back: bool,
        applying: Applying,
        state: Any = None,
    ) -> Any:
        from django.db import connections
        from django.db.migrations.executor import MigrationExecutor

        def progress(action: str, migration: Any = None, fake: bool = False) -> None:
            if action in ("unapply_start", "apply_start"):
                applying.start(f"{migration.app_label}.{migration.name}", bool(migration.atomic))
            elif action in ("unapply_success", "apply_success"):
                applying.finish()

        database = connections[connection.alias]
        executor = MigrationExecutor(database, progress)
        nodes = executor.loader.graph.nodes
        plan = [(nodes[_key(step)], back) for step in steps if _key(step) in nodes]
        around = database.execute_wrapper(self._around(connection.vendor))
        with self._rendering.sharing(), self._states.remembering(), self._named(), around:
            return executor.migrate(None, plan=plan, state=state)

    def shapes(self, connection: Connection, deployed: Sequence[str]) -> list[Shape]:
        """Return what the deployed release's models read and write."""
        from django.db.migrations.loader import MigrationLoader

        loader = MigrationLoader(None)
        if any(_key(step) not in loader.graph.nodes for step in deployed):
            loader.replace_migrations = False  # a squash of which a part is deployed
            loader.build_graph()
        nodes = [key for step in deployed if (key := _key(step)) in loader.graph.nodes]
        if not nodes:
            return []
        state = loader.graph.make_state(nodes=nodes, at_end=True, real_apps=loader.unmigrated_apps)
        found = []
        with self._rendering.keeping():
            apps = state.apps
        for model in apps.get_models(include_auto_created=True):
            meta = model._meta
            if meta.proxy or meta.swapped:
                continue
            fields = [f for f in meta.concrete_fields if not _generated(f)]
            found.append(Shape(
                f"{meta.app_label}.{meta.object_name}", "", meta.db_table,
                tuple(f.column for f in meta.concrete_fields),
                tuple(f.column for f in fields if not _filled_by_database(f)),
                is_view=not meta.managed,
            ))  # fmt: skip
        return found

    def _around(self, vendor: str) -> Callable[..., Any]:
        def around(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            tracer = self.tracer
            raw = context["connection"].connection
            if tracer is None or raw is None:
                return execute(sql, params, many, context)
            session = AppSession(raw, vendor)
            return tracer.around(session, str(sql), lambda: execute(sql, params, many, context))

        return around

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Know which operation runs: each class's own methods are wrapped, and unwrapped after."""
        from django.db.migrations.operations.base import Operation

        wrapped: list[tuple[Any, str, Any]] = []
        for cls in below(Operation):
            for name in ("database_forwards", "database_backwards"):
                if name in cls.__dict__:
                    original = cls.__dict__[name]
                    wrapped.append((cls, name, original))
                    setattr(cls, name, self._wrapper(original))
        if self.tracer is not None:
            self.tracer.where = self._where
        try:
            yield
        finally:
            for cls, name, original in wrapped:
                setattr(cls, name, original)
            self._running.clear()

    def _wrapper(self, original: Any) -> Any:
        def call(operation: Any, app_label: str, editor: Any, *states: Any) -> Any:
            if self._running and self._running[-1] is operation:  # super() of the same one
                return original(operation, app_label, editor, *states)
            before = {str(one) for one in getattr(editor, "deferred_sql", ())}
            self._running.append(operation)
            try:
                return original(operation, app_label, editor, *states)
            finally:
                self._running.pop()
                for one in getattr(editor, "deferred_sql", ()):
                    if str(one) not in before:
                        self._deferred[str(one)] = operation

        return call

    def _where(self, sql: str) -> tuple[str, str, str, int]:
        step = self.tracer.step if self.tracer else ""
        operation = self._running[-1] if self._running else self._deferred.get(sql)
        path, line = getattr(operation, "_tidegate_at", ("", 0))
        own = self._path_of(step)
        inside = frame_line(own) if own else 0
        if inside:
            path, line = own, inside
        name = type(operation).__name__ if operation is not None else ""
        describe = operation.describe() if operation is not None else ""
        if operation is not None and not self._running:
            describe += " (deferred to the end of the step)"
        return name, describe, path or own, line

    def _path_of(self, step: str) -> str:
        if not self._paths:
            self._paths = {one.id: one.path for one in self.project.steps("default")}
        return self._paths.get(step, "")


def _key(step: str) -> tuple[str, str]:
    app, _, name = step.partition(".")
    return app, name


def _made_at(frame: Any) -> tuple[str, int]:
    """Return the file and line that an operation is made at: where a helper of the file is called.

    The class's body is the outermost frame below the module's own.
    """
    path = frame.f_code.co_filename
    while frame.f_back is not None and frame.f_back.f_code.co_filename == path:
        if frame.f_back.f_code.co_name == "<module>":
            break
        frame = frame.f_back
    return path, frame.f_lineno


def _refusing(alias: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise away(alias)

    return refuse


def _generated(field: Any) -> bool:
    return bool(getattr(field, "generated", False))


def _filled_by_database(field: Any) -> bool:
    """Whether Django leaves the column out of an INSERT, or sends DEFAULT for it."""
    from django.db.models import NOT_PROVIDED, AutoField

    try:
        from django.db.models.fields import AutoFieldMixin
    except ImportError:
        AutoFieldMixin = AutoField
    has_default = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    return isinstance(field, AutoFieldMixin) or has_default
