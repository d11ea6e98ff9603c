"""Alembic: found by its ini, pyproject table or Flask-Migrate folder, applied through env.py."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import CONNECT_LIMIT, Applying, StaticFiles
from tidegate.errors import UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.model.folders import looked_in
from tidegate.model.level import ancestors, heads
from tidegate.model.sessions import AppSession, cutter
from tidegate.model.step import Step
from tidegate.model.undoing import Undo, loses

VENDORS = {"postgresql": "postgresql", "sqlite": "sqlite"}
LIMITS = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout", "asyncpg": "timeout"}
NOT_DATABASES = ("logger", "handler", "formatter", "post_write_hooks")


def find(root: Path, environ: Mapping[str, str]) -> AlembicProject | None:
    """Return the Alembic project at `root`, or in a folder of it."""
    named = environ.get("ALEMBIC_CONFIG", "")
    if named:
        return AlembicProject(root, Path(root, named))
    for folder in looked_in(root):
        ini = folder / "alembic.ini"
        if ini.is_file():
            env = folder / "env.py"  # beside its ini: a folder that Flask-Migrate made
            flask = env.is_file() and "current_app" in env.read_text("utf-8", "replace")
            return AlembicProject(root if env.is_file() else folder, ini, flask)
        toml = folder / "pyproject.toml"
        if _has_table(toml):
            return AlembicProject(folder, toml)
    return None


def _has_table(toml: Path) -> bool:
    """Return whether a pyproject.toml has `[tool.alembic]`, which Alembic reads since 1.16."""
    if not toml.is_file() or "alembic" not in toml.read_text("utf-8", "replace"):
        return False
    import tomllib

    try:
        found = tomllib.loads(toml.read_text("utf-8"))
    except ValueError:
        return False
    return "alembic" in found.get("tool", {})


class Asked(BaseException):
    """Carries out of env.py the login that it was about to use."""

    def __init__(self, dialect: str, fields: Mapping[str, Any]) -> None:
        super().__init__(dialect)
        self.dialect = dialect
        self.fields = fields


class AlembicProject:
    """A source tree with an Alembic environment; an ini section is a database's alias."""

    framework = "alembic"
    ids_are_file_names = False

    def __init__(self, root: Path, config_file: Path, flask: bool = False) -> None:
        self.root = root
        self.config_file = config_file
        self.flask = flask
        self._app: Any = None

    def identity(self) -> dict[str, str]:
        """The configuration file is what makes this configuration."""
        return {"ALEMBIC_CONFIG": str(self.config_file)}

    def sections(self) -> list[str]:
        """Return every ini section with a script_location of its own, else `alembic`.

        Where only `[DEFAULT]` has one, each section that isn't about logging or hooks counts.
        """
        if self.config_file.suffix == ".toml":
            return ["alembic"]
        parser = ConfigParser(interpolation=None, default_section="(none)")
        try:
            parser.read(self.config_file, encoding="utf-8")
        except Error as error:
            raise UsageProblem(
                f"{self.config_file} can't be read: {error}",
                "Alembic's settings are an ini file.",
                "correct the line that is named",
            ) from None
        named = [name for name in parser.sections() if parser.has_option(name, "script_location")]
        if named == ["DEFAULT"]:
            named = [name for name in parser.sections() if not name.startswith(NOT_DATABASES)]
        return [name for name in named if name != "DEFAULT"] or ["alembic"]

    @contextlib.contextmanager
    def _config(self, alias: str) -> Iterator[Any]:
        """Give Alembic's Config inside the working directory and app context it expects."""
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        try:
            from alembic.config import Config
        except ImportError:
            raise UsageProblem(
                "Alembic is not installed for this Python",
                f"{self.root} is an Alembic project, and {sys.executable} can't import alembic.",
                "run tidegate from the project's own environment, or install tidegate into it",
            ) from None
        before = Path.cwd()
        os.chdir(self.root)
        try:
            if self.flask:
                with self._flask_app() as app:
                    folder = str(self.config_file.parent)
                    config = app.extensions["migrate"].migrate.get_config(folder)
                    _refuse_several(config, bool(app.config.get("SQLALCHEMY_BINDS")))
                    yield config
            else:
                config = Config(**self._files(), ini_section=alias)
                _refuse_several(config, bool(config.get_main_option("databases")))
                yield config
        finally:
            os.chdir(before)

    def _files(self) -> dict[str, Any]:
        """Return Config's arguments: the ini, or the pyproject.toml, or both as the CLI does."""
        toml = self.config_file.with_name("pyproject.toml")
        if self.config_file.suffix == ".toml":
            toml = self.config_file
        files: dict[str, Any] = {} if self.config_file == toml else {"file_": str(self.config_file)}
        if not _has_table(toml):
            return files
        from alembic import __version__

        if tuple(map(int, __version__.split(".")[:2])) >= (1, 16):
            return {**files, "toml_file": str(toml)}
        if files:
            return files
        raise UsageProblem(
            f"{toml} has [tool.alembic], and Alembic {__version__} does not read it",
            "Alembic reads its settings from pyproject.toml since 1.16.",
            "upgrade Alembic, or write an alembic.ini",
        )

    @contextlib.contextmanager
    def _flask_app(self) -> Iterator[Any]:
        """Find the app as the `flask` command does: its .env files, FLASK_APP, app.py, wsgi.py."""
        if self._app is None:
            cli: Any = importlib.import_module("flask.cli")
            if importlib.util.find_spec("dotenv") and cli.get_load_dotenv():
                cli.load_dotenv()
            self._app = cli.ScriptInfo(os.environ.get("FLASK_APP") or None).load_app()
        with self._app.app_context():
            yield self._app

    def connections(self) -> list[Connection]:
        """Run each section's env.py up to its connect, and read the login off it."""
        return [self._connection(alias) for alias in self.sections()]

    def _connection(self, alias: str) -> Connection:
        with self._config(alias) as config:
            script = _script(config)
            table, schema = version_table(Path(script.dir, "env.py"))
            try:
                with _asking():
                    _run_env(config, script, lambda rev, context: [])
            except Asked as asked:
                return _from_login(alias, asked.dialect, asked.fields, table, schema)
        raise UsageProblem(
            f"{Path(script.dir, 'env.py')} never connected to a database",
            "tidegate asks env.py which database it would use, by letting it run up to its "
            "first connect.",
            "connect in run_migrations_online(), as Alembic's templates do",
        )

    def steps(self, alias: str) -> list[Step]:
        """Return all revisions, oldest first."""
        with self._config(alias) as config:
            script = _script(config)
            return [_step(revision) for revision in reversed(list(script.walk_revisions()))]

    def step_folders(self) -> list[str]:
        """Return the version locations of every section."""
        out = []
        for alias in self.sections():
            with self._config(alias) as config:
                script = _script(config)
                places = getattr(script, "_version_locations", None) or [script.versions]
                out += [os.path.abspath(path) for path in places]
        return out

    def recorded_sql(self, connection: Connection) -> str:
        """Alembic records heads only."""
        schema = f'"{connection.version_schema}".' if connection.version_schema else ""
        return f'SELECT version_num FROM {schema}"{connection.version_table}"'

    def recorded_ids(self, steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
        """Add to the recorded heads all that they need."""
        return recorded_ids(steps, rows)

    def apply(self, connection: Connection, target: str, applying: Applying) -> None:
        """Run env.py as `alembic upgrade` does, and listen."""
        with self._config(connection.alias) as config:
            script = _script(config)

            def upgrade(rev: Any, context: Any) -> Iterable[Any]:
                _refuse_other_table(connection, context, script)
                for step in script._upgrade_revs(target or "heads", rev):
                    applying.start(step.revision.revision, _is_atomic(step.revision, context))
                    yield step
                    applying.finish()

            with _listening(connection, applying):
                _run_env(config, script, upgrade, target or "heads")

    def undoing(self, alias: str, steps: Sequence[Step]) -> list[Undo]:
        """Read each revision's downgrade function."""
        return [_undo_of(step) for step in steps]

    def undo(
        self,
        connection: Connection,
        steps: Sequence[Step],
        remaining: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Run env.py as `alembic downgrade` does, and listen."""
        needed = {need for step in remaining for need in step.needs}
        left = [step.id for step in remaining if step.id not in needed]
        if len(left) > 1:
            raise UsageProblem(
                f"after this {len(left)} heads would remain: {', '.join(left)}",
                "Alembic can only go down to one named revision at a time.",
                "undo it by Alembic itself: alembic downgrade",
            )
        target = left[0] if left else "base"
        with self._config(connection.alias) as config:
            script = _script(config)

            def downgrade(rev: Any, context: Any) -> Iterable[Any]:
                for step in script._downgrade_revs(target, rev):
                    applying.start(step.revision.revision, _is_atomic(step.revision, context))
                    yield step
                    applying.finish()

            with _listening(connection, applying):
                _run_env(config, script, downgrade, target)

    def record(
        self,
        connection: Connection,
        steps: Sequence[Step],
        level: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Run env.py as `alembic stamp` does."""
        tops = heads(level)
        with self._config(connection.alias) as config:
            script = _script(config)

            def stamp(rev: Any, context: Any) -> Iterable[Any]:
                _refuse_other_table(connection, context, script)
                found: Iterable[Any] = script._stamp_revs(tops, rev)
                return found

            with _listening(connection, applying):
                _run_env(config, script, stamp)

    def static_files(self) -> StaticFiles | None:
        """Alembic knows no static files."""
        return None

    def collect_static(self) -> str:
        """Alembic knows no static files."""
        return ""


def recorded_ids(steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return the recorded heads and all that they need."""
    return ancestors(steps, [row[0] for row in rows])


def _refuse_several(config: Any, more: bool) -> None:
    """Refuse an env.py that goes through several databases: we would look at the first only."""
    env = Path(config.get_main_option("script_location") or "", "env.py")
    text = env.read_text("utf-8", "replace") if more and env.is_file() else ""
    if "engine_name=" in text.replace(" ", ""):
        raise UsageProblem(
            f"{env} serves several databases (Alembic's or Flask-Migrate's `multidb`)",
            "Only the first that it connects to could be looked at, so nothing was changed.",
            "give each database an ini section and a script_location of its own, with an env.py "
            "for that one",
        )


def _undo_of(step: Step) -> Undo:
    """Say what a revision's downgrade does, as far as its calls tell."""
    tree = ast.parse(Path(step.path).read_text("utf-8", "replace"))
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    up, down = bodies.get("upgrade"), bodies.get("downgrade")
    if up is None or not _does_something(up):
        return Undo(step.id)
    takes = _takes(up)
    if down is None or not _does_something(down):
        return Undo(step.id, "its downgrade does nothing", takes=takes)
    if any(isinstance(node, ast.Raise) for node in down.body):
        return Undo(step.id, "its downgrade raises an error", takes=takes)
    tables, columns, hidden = _read_calls(down)
    return Undo(step.id, "", tuple(tables), tuple(columns), tuple(hidden), takes)


# What loses no data by itself; all that is neither here nor read in `_read_calls` can't be seen.
SAFE = ("add_column", "batch_alter_table", "create_check_constraint", "create_exclude_constraint",
        "create_foreign_key", "create_index", "create_primary_key", "create_table",
        "create_table_comment", "create_unique_constraint", "drop_constraint", "drop_index",
        "drop_table_comment", "f", "get_context", "autocommit_block", "rename_table")  # fmt: skip
VALUES = ("sa", "sqlalchemy", "postgresql", "mysql", "sqlite", "sqlmodel", "types", "text")


def _read_calls(
    function: ast.FunctionDef,
) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Return the tables and columns that a function drops, and what can't be seen of it."""
    tables: list[str] = []
    columns: list[tuple[str, str]] = []
    hidden: list[str] = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        owner, name = _callee(node.func)
        texts = [_text(one) for one in node.args]
        if owner in VALUES:
            continue
        if name == "drop_table" and texts:
            tables.append(texts[0])
        elif name == "drop_column" and len(texts) > 1:
            columns.append((texts[0], texts[1]))
        elif name == "execute" and owner == "op" and texts and texts[0] != "?":
            hidden += [texts[0]] if loses(texts[0]) else []
        elif name == "alter_column":
            changed = any(one.arg == "type_" for one in node.keywords)
            hidden += [f"alter_column with another type, line {node.lineno}"] if changed else []
        elif name not in SAFE:
            hidden.append(f"a call of {name or 'something'}, line {node.lineno}")
    return tables, columns, hidden


def _callee(node: ast.expr) -> tuple[str, str]:
    """Return the first and the last word of what is called: op.drop_table, sa.Column."""
    last = node.attr if isinstance(node, ast.Attribute) else ""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    first = node.id if isinstance(node, ast.Name) else ""
    return first, last or first


def _takes(up: ast.FunctionDef) -> tuple[str, ...]:
    """Return what applying a revision takes away."""
    tables, columns, hidden = _read_calls(up)
    found = [f"table {table}" for table in tables]
    return (*found, *(f"column {table}.{column}" for table, column in columns), *hidden)


def _does_something(function: ast.FunctionDef) -> bool:
    return any(
        not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _text(node: ast.expr) -> str:
    """Return a literal's text; "?" where it is made by code."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name):
        return _text(node.args[0])  # op.f("…"), sa.text("…")
    return str(node.value) if isinstance(node, ast.Constant) else "?"


def _script(config: Any) -> Any:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        return ScriptDirectory.from_config(config)
    except CommandError as error:
        raise UsageProblem(
            str(error), "Alembic can't find its revisions.", "set script_location in alembic.ini"
        ) from None


def _run_env(config: Any, script: Any, fn: Any, target: str = "heads") -> None:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.util import CommandError

    with EnvironmentContext(
        config, script, fn=fn, as_sql=False, starting_rev=None, destination_rev=target
    ):
        try:
            script.run_env()
        except CommandError as error:
            raise UsageProblem(
                str(error), "Alembic refuses to begin.", "see `alembic heads` and `alembic history`"
            ) from None


def _is_atomic(revision: Any, context: Any) -> bool:
    text = Path(revision.path).read_text("utf-8", "replace")
    return bool(context.impl.transactional_ddl) and "autocommit_block" not in text


def _step(revision: Any) -> Step:
    data = Path(revision.path).read_bytes()
    down = revision.down_revision
    downs = [down] if isinstance(down, str) else list(down or ())
    needs = {*downs, *_resolved(revision)}
    return Step(
        id=revision.revision,
        needs=tuple(sorted(needs)),
        path=str(Path(revision.path).resolve()),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _refuse_other_table(connection: Connection, context: Any, script: Any) -> None:
    """Refuse to apply what we would not see as applied: the level is kept in another table."""
    table, schema = context.version_table, context.version_table_schema or ""
    if (table, schema) == (connection.version_table, connection.version_schema):
        return
    raise UsageProblem(
        f"{Path(script.dir, 'env.py')} keeps the level in {'.'.join(filter(None, (schema, table)))}"
        f", and its text says {connection.version_table}",
        "tidegate reads version_table and version_table_schema off the text of env.py, where they "
        "are plain strings, or names of such at the top of the file. Nothing was applied.",
        f'write version_table="{table}"'
        + (f', version_table_schema="{schema}"' if schema else "")
        + " in both calls of context.configure()",
    )


def _resolved(revision: Any) -> Iterable[str]:
    return getattr(revision, "_resolved_dependencies", ()) or ()


def version_table(env: Path) -> tuple[str, str]:
    """Read version_table and version_table_schema off the calls of `configure` in env.py."""
    found = {"version_table": "alembic_version", "version_table_schema": ""}
    try:
        tree = ast.parse(env.read_text("utf-8"))
    except (OSError, SyntaxError):
        return found["version_table"], found["version_table_schema"]
    names: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            names[statement.targets[0].id] = statement.value
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        for keyword in node.keywords:
            value = keyword.value
            if isinstance(value, ast.Name):
                value = names.get(value.id, value)
            if keyword.arg in found and isinstance(value, ast.Constant):
                found[keyword.arg] = str(value.value or "")
    return found["version_table"], found["version_table_schema"]


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Stop any SQLAlchemy engine at the moment it would connect."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def stop(dialect: Any, record: Any, args: Any, fields: Any) -> None:
        database = args[0] if args else ""
        raise Asked(f"{dialect.name}+{dialect.driver}", {"database": database, **fields})

    event.listen(Engine, "do_connect", stop)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", stop)


def _from_login(
    alias: str, dialect: str, fields: Mapping[str, Any], table: str, schema: str
) -> Connection:
    name = str(fields.get("dbname") or fields.get("database") or "")
    vendor = dialect.split("+")[0]
    if vendor == "sqlite" and name not in ("", ":memory:"):
        name = str(Path(name).absolute()) if not name.startswith("file:") else name
    known = ("host", "port", "user", "username", "password", "dbname", "database")
    options = {
        key: value
        for key, value in fields.items()
        if key not in known and isinstance(value, str | int | float)
    }
    if isinstance(fields.get("server_settings"), dict):  # asyncpg's word for `options`
        pairs = fields["server_settings"].items()
        options["options"] = " ".join(f"-c {key}={value}" for key, value in pairs)
    if isinstance(fields.get("ssl"), str):  # asyncpg's word for `sslmode`
        options["sslmode"] = options.pop("ssl")
    return Connection(
        alias=alias,
        vendor=VENDORS.get(vendor, vendor),
        host=str(fields.get("host") or ""),
        port=str(fields.get("port") or ""),
        user=str(fields.get("user") or fields.get("username") or ""),
        password=Secret(fields.get("password") or ""),
        name=name,
        driver=dialect,
        options=options if vendor != "sqlite" else {},
        version_table=table,
        version_schema=schema,
    )


@contextlib.contextmanager
def _listening(connection: Connection, applying: Applying) -> Iterator[None]:
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
        applying.done(sql, _runner(_session(conn)))

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
        session = AppSession(_session(context.root_connection), connection.vendor)
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


def _session(conn: Any) -> Any:
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
