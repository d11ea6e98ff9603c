"""Alembic: found by its ini, pyproject table or Flask-Migrate folder, applied through env.py."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import Applying, Noticed, StaticFiles
from tidegate.errors import UsageProblem
from tidegate.frameworks.alembic.environment import (
    Asked,
    asking,
    from_login,
    no_pool_left,
    refuse_other_table,
    refuse_several,
    run_env,
    script_of,
    version_table,
)
from tidegate.frameworks.alembic.listening import listening
from tidegate.frameworks.alembic.noticing import noticing
from tidegate.frameworks.alembic.tenants import refuse_schemas
from tidegate.frameworks.alembic.undoing import undo_of
from tidegate.model.connection import Connection
from tidegate.model.folders import looked_in
from tidegate.model.level import ancestors, heads
from tidegate.model.step import Step
from tidegate.model.undoing import Undo

NOT_DATABASES = ("logger", "handler", "formatter", "post_write_hooks")


def find(root: Path, environ: Mapping[str, str]) -> AlembicProject | None:
    """Return the Alembic project at `root`, or in a folder of it."""
    named = environ.get("ALEMBIC_CONFIG", "")
    if named:
        return AlembicProject(root, Path(root, named))
    for folder in looked_in(root):
        ini = folder / "alembic.ini"
        if ini.is_file():
            beside = (folder / "env.py").is_file()  # a folder that Flask-Migrate made
            return AlembicProject(root if beside else folder, ini, _is_flasks(folder))
        toml = folder / "pyproject.toml"
        if _has_table(toml):
            return AlembicProject(folder, toml)
    for folder in looked_in(root)[1:]:  # or made in the app's package
        if (folder / "migrations" / "alembic.ini").is_file() and _is_flasks(folder / "migrations"):
            return AlembicProject(root, folder / "migrations" / "alembic.ini", True)
    return None


def _is_flasks(folder: Path) -> bool:
    """Return whether env.py in this folder asks Flask's current app for its database."""
    env = folder / "env.py"
    return env.is_file() and "current_app" in env.read_text("utf-8", "replace")


def almost(root: Path) -> UsageProblem | None:
    """Alembic's project is there or not."""
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


class AlembicProject:
    """A source tree with an Alembic environment; an ini section is a database's alias."""

    framework = "alembic"
    ids_are_file_names = False

    def __init__(self, root: Path, config_file: Path, flask: bool = False) -> None:
        self.root = root
        self.config_file = config_file
        self.flask = flask
        self.noticed: list[Noticed] = []
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
    def configured(self, alias: str) -> Iterator[Any]:
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
                    refuse_several(config, bool(app.config.get("SQLALCHEMY_BINDS")))
                    yield config
            else:
                config = Config(**self._files(), ini_section=alias)
                refuse_several(config, bool(config.get_main_option("databases")))
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
            with no_pool_left(), noticing(self.root, self.sections()[0], self.noticed):
                self._app = cli.ScriptInfo(os.environ.get("FLASK_APP") or None).load_app()
        with self._app.app_context():
            yield self._app

    def load(self) -> Any:
        """Import Alembic; what env.py imports it imports itself, at each run."""
        importlib.import_module("alembic.runtime.environment")

    def connections(self) -> list[Connection]:
        """Run each section's env.py up to its connect, and read the login off it."""
        return [self._connection(alias) for alias in self.sections()]

    def _connection(self, alias: str) -> Connection:
        with self.configured(alias) as config:
            script = script_of(config)
            table, schema = version_table(Path(script.dir, "env.py"))
            try:
                with asking():
                    run_env(config, script, lambda rev, context: [])
            except Asked as asked:
                return from_login(alias, asked.dialect, asked.fields, table, schema)
        raise UsageProblem(
            f"{Path(script.dir, 'env.py')} never connected to a database",
            "tidegate asks env.py which database it would use, by letting it run up to its "
            "first connect.",
            "connect in run_migrations_online(), as Alembic's templates do",
        )

    def steps(self, alias: str) -> list[Step]:
        """Return all revisions, oldest first."""
        with self.configured(alias) as config:
            script = script_of(config)
            refuse_schemas(Path(script.dir, "env.py"))
            return [_step(revision) for revision in reversed(list(script.walk_revisions()))]

    def conflicts(self, steps: Sequence[Step]) -> dict[str, list[str]]:
        """Several heads are all applied: `heads` is what is upgraded to."""
        return {}

    def step_folders(self) -> list[str]:
        """Return the version locations of every section."""
        out = []
        for alias in self.sections():
            with self.configured(alias) as config:
                script = script_of(config)
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
        with self.configured(connection.alias) as config:
            script = script_of(config)

            def upgrade(rev: Any, context: Any) -> Iterable[Any]:
                refuse_other_table(connection, context, script)
                for step in script._upgrade_revs(target or "heads", rev):
                    applying.start(step.revision.revision, _is_atomic(step.revision, context))
                    yield step
                    applying.finish()

            with listening(connection, applying):
                run_env(config, script, upgrade, target or "heads")

    def undoing(self, alias: str, steps: Sequence[Step]) -> list[Undo]:
        """Read each revision's downgrade function."""
        return [undo_of(step) for step in steps]

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
        with self.configured(connection.alias) as config:
            script = script_of(config)

            def downgrade(rev: Any, context: Any) -> Iterable[Any]:
                for step in script._downgrade_revs(target, rev):
                    applying.start(step.revision.revision, _is_atomic(step.revision, context))
                    yield step
                    applying.finish()

            with listening(connection, applying):
                run_env(config, script, downgrade, target)

    def record(
        self,
        connection: Connection,
        steps: Sequence[Step],
        level: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Run env.py as `alembic stamp` does."""
        tops = heads(level)
        with self.configured(connection.alias) as config:
            script = script_of(config)

            def stamp(rev: Any, context: Any) -> Iterable[Any]:
                refuse_other_table(connection, context, script)
                found: Iterable[Any] = script._stamp_revs(tops, rev)
                return found

            with listening(connection, applying):
                run_env(config, script, stamp)

    def static_files(self) -> StaticFiles | None:
        """Alembic knows no static files."""
        return None

    def collect_static(self) -> str:
        """Alembic knows no static files."""
        return ""


def recorded_ids(steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return the recorded heads and all that they need."""
    return ancestors(steps, [row[0] for row in rows])


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


def _resolved(revision: Any) -> Iterable[str]:
    return getattr(revision, "_resolved_dependencies", ()) or ()
