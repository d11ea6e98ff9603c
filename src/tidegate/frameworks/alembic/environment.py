"""env.py: run as Alembic runs it, asked for its database, and what its text says of the table."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.model.connection import Connection, Secret

VENDORS = {"postgresql": "postgresql", "sqlite": "sqlite"}


class Asked(BaseException):
    """Carries out of env.py the login that it was about to use."""

    def __init__(self, dialect: str, fields: Mapping[str, Any]) -> None:
        super().__init__(dialect)
        self.dialect = dialect
        self.fields = fields


def refuse_several(config: Any, more: bool) -> None:
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


def script_of(config: Any) -> Any:
    """Return the ScriptDirectory of a Config. Raises UsageProblem when there is none."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        return ScriptDirectory.from_config(config)
    except CommandError as error:
        raise UsageProblem(
            str(error), "Alembic can't find its revisions.", "set script_location in alembic.ini"
        ) from None


def run_env(config: Any, script: Any, fn: Any, target: str = "heads") -> None:
    """Run env.py with `fn` as its migration function, as Alembic's commands do."""
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


def refuse_other_table(connection: Connection, context: Any, script: Any) -> None:
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
def asking() -> Iterator[None]:
    """Stop any SQLAlchemy engine at the moment it would connect."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def stop(dialect: Any, record: Any, args: Any, fields: Any) -> None:
        database = args[0] if args else ""
        raise Asked(f"{dialect.name}+{dialect.driver}", {"database": database, **fields})

    event.listen(Engine, "do_connect", stop, insert=True)  # before anybody changes the login
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", stop)


@contextlib.contextmanager
def no_pool_left() -> Iterator[None]:
    """Close what engines keep open afterwards: env.py must connect anew to be asked where to."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    engines: set[Any] = set()

    def connected(connection: Any, *more: Any) -> None:
        engines.add(connection.engine)

    event.listen(Engine, "engine_connect", connected)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", connected)
        for engine in engines:
            engine.dispose()


def from_login(
    alias: str, dialect: str, fields: Mapping[str, Any], table: str, schema: str
) -> Connection:
    """Return the connection that a driver was about to open with these fields."""
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
