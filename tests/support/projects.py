"""Small projects for the end-to-end tests: steps are plain SQL, so both frameworks say the same.

Both read their database from DATABASE_URL (postgresql:// or sqlite:///) or from POSTGRES_*; with
`login="url"` from DATABASE_URL alone, which a seal learns in a tenth of the time.
"""

from __future__ import annotations

import re
from importlib.util import cache_from_source, find_spec
from pathlib import Path

# SQLAlchemy's name for whichever driver is installed.
POSTGRESQL = f"postgresql+{'psycopg' if find_spec('psycopg') else 'psycopg2'}"

FRAMEWORKS = ("django", "alembic", "alembic-async")

_DJANGO_SETTINGS = """\
import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
if os.environ.get("DATABASE_URL", "").startswith("sqlite"):
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE_URL"][len("sqlite:///"):],
    }}
elif "DATABASE_URL" in os.environ:
    _url = urlsplit(os.environ["DATABASE_URL"])
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _url.hostname, "PORT": _url.port or 5432, "USER": unquote(_url.username),
        "PASSWORD": unquote(_url.password or ""), "NAME": _url.path[1:],
    }}
else:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["POSTGRES_HOST"], "PORT": os.environ.get("POSTGRES_PORT", "5432"),
        "USER": os.environ["POSTGRES_USER"], "PASSWORD": os.environ["POSTGRES_PASSWORD"],
        "NAME": os.environ["POSTGRES_DB"],
    }}
"""

_MANAGE = """\
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

_URL = """\
import os
from alembic import context

def url(postgresql, sqlite):
    given = os.environ.get("DATABASE_URL")
    if not given:
        given = "postgresql://" + os.environ["POSTGRES_USER"] + ":" + \\
                os.environ["POSTGRES_PASSWORD"] + "@" + os.environ["POSTGRES_HOST"] + ":" + \\
                os.environ["POSTGRES_PORT"] + "/" + os.environ["POSTGRES_DB"]
    return given.replace("postgresql://", postgresql + "://").replace("sqlite://", sqlite + "://")
"""

_FROM_PARTS = re.compile(r"    if not given:\n.*?(?=    return)", re.DOTALL)

_ENV_SYNC = (
    _URL
    + """
from sqlalchemy import create_engine, pool

def run_migrations_online():
    engine = create_engine(url("POSTGRESQL", "sqlite"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=None,
                          transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()

run_migrations_online()
"""
)

_ENV_ASYNC = (
    _URL
    + """
import asyncio
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def do_run(connection):
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()

async def run_migrations_online():
    engine = create_async_engine(url("postgresql+asyncpg", "sqlite+aiosqlite"),
                                 poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(do_run)
    await engine.dispose()

asyncio.run(run_migrations_online())
"""
)


class SmallProject:
    """One project; ``add`` writes one more step and returns its id."""

    def __init__(self, root: Path, flavour: str, steps: int = 2, login: str = "either") -> None:
        self.root = root
        self.flavour = flavour
        self.framework = flavour.split("-")[0]
        self.ids: list[str] = []
        self.files: dict[str, Path] = {}
        if self.framework == "django":
            self._write("manage.py", _MANAGE)
            self._write("config/__init__.py", "")
            settings = _DJANGO_SETTINGS
            if login == "url":
                settings = settings.partition("else:\n")[0].replace(
                    'elif "DATABASE_URL" in os.environ', "else"
                )
            self._write("config/settings.py", settings)
            self._write("shop/__init__.py", "")
            self._write("shop/migrations/__init__.py", "")
        else:
            self._write("alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n")
            env = _ENV_ASYNC if flavour == "alembic-async" else _ENV_SYNC
            env = env.replace("POSTGRESQL", POSTGRESQL)
            if login == "url":
                env = _FROM_PARTS.sub("", env).replace(
                    'os.environ.get("DATABASE_URL")', 'os.environ["DATABASE_URL"]'
                )
            self._write("migrations/env.py", env)
            self._write("migrations/script.py.mako", "")
        for number in range(1, steps + 1):
            self.add(f"CREATE TABLE made_{number} (id integer)")

    def add(
        self, *sql: str, atomic: bool = True, name: str = "step", after: str | None = None
    ) -> str:
        """Write one more step of these statements; ``after`` is its parent, else the last one."""
        number = len(self.files) + 1
        parent = after if after is not None else (self.ids[-1] if self.ids else "")
        if self.framework == "django":
            step, file, text = self._django(number, name, sql, atomic, parent)
        else:
            step, file, text = self._alembic(number, name, sql, atomic, parent)
        self.files[step] = self._write(file, text)
        self.ids.append(step)
        return step

    def remove(self, step: str) -> None:
        """Take the step's file away, as an older image would not have it."""
        self.files[step].unlink()
        self.ids.remove(step)

    def heads(self) -> list[str]:
        """What the framework's own table holds when all is applied: rows for Django, the head."""
        return sorted(self.ids) if self.framework == "django" else self.ids[-1:]

    @property
    def recorded_sql(self) -> str:
        if self.framework == "django":
            return "SELECT app || '.' || name FROM django_migrations ORDER BY 1"
        return "SELECT version_num FROM alembic_version ORDER BY 1"

    def _django(
        self, number: int, name: str, sql: tuple[str, ...], atomic: bool, parent: str
    ) -> tuple[str, str, str]:
        own = f"{number:04}_{name}"
        needs = [tuple(parent.split("."))] if parent else []
        operations = "".join(f"        migrations.RunSQL({one!r}),\n" for one in sql)
        text = (
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            f"    atomic = {atomic}\n    dependencies = {needs}\n"
            f"    operations = [\n{operations}    ]\n"
        )
        return f"shop.{own}", f"shop/migrations/{own}.py", text

    def _alembic(
        self, number: int, name: str, sql: tuple[str, ...], atomic: bool, parent: str
    ) -> tuple[str, str, str]:
        own = f"r{number:04}{name}"
        margin = "    " if atomic else "        "
        lines = "".join(f"{margin}op.execute({one!r})\n" for one in sql)
        if not atomic:
            lines = "    with op.get_context().autocommit_block():\n" + lines
        text = (
            f"from alembic import op\n\nrevision = {own!r}\ndown_revision = {parent or None!r}\n"
            f"branch_labels = None\ndepends_on = None\n\n\ndef upgrade():\n{lines}\n\n"
            "def downgrade():\n    pass\n"
        )
        return own, f"migrations/versions/{own}.py", text

    def _write(self, name: str, text: str) -> Path:
        path = self.root / name
        put(path, text)
        return path


def put(path: Path, text: str) -> None:
    """Write a file, and forget its bytecode: a text of the same size, written within the same
    second, is one that Python would not look at again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    Path(cache_from_source(str(path))).unlink(missing_ok=True)
