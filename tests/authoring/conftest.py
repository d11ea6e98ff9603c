"""Projects whose models change: Alembic's with SQLAlchemy models, and Django's."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.gate import Database, Ended, Runner
from support.projects import POSTGRESQL

MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """\
import os
from urllib.parse import urlsplit
SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
url = urlsplit(os.environ["DATABASE_URL"])
if url.scheme == "sqlite":
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path[1:]}}
else:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": url.hostname, "PORT": url.port,
        "USER": url.username, "PASSWORD": url.password, "NAME": url.path[1:],
    }}
"""
ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
from shop import Base
import shop.models
HOOKS
url = os.environ["DATABASE_URL"].replace("postgresql://", "POSTGRESQL://")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, **more)
    with context.begin_transaction():
        context.run_migrations()
"""
BASE = "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
ALEMBIC_HEAD = """\
from sqlalchemy import (ARRAY, CheckConstraint, Column, Computed, Enum, ForeignKey, Index, Integer,
                        String, Table, Text, text)
from shop import Base
"""
DJANGO_HEAD = "from django.db import models\n"


def template() -> str:
    """Alembic's own template of a revision."""
    spec = find_spec("alembic")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "templates/generic/script.py.mako"
    return path.read_text()


@dataclass
class Authored:
    """One project and its database."""

    root: Path
    framework: str
    database: Database
    run: Runner
    cache: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def models(self, text: str, name: str = "shop/models.py") -> None:
        """Replace the models; the imports are put before them."""
        self.write(name, (DJANGO_HEAD if self.framework == "django" else ALEMBIC_HEAD) + text)

    def tidegate(self, *words: str, code: int = 0, **more: str) -> Ended:
        env = {**self.database.environ, "XDG_CACHE_HOME": str(self.cache), **more}
        env["VIRTUAL_ENV"] = str(Path(sys.executable).parent.parent)
        done = self.run(*words, cwd=self.root, env=env, timeout=120)
        assert done.code == code, done.said
        return done

    def make(self, *flags: str, code: int = 0) -> Ended:
        return self.tidegate("make", "-m", f"change {len(self.files())}", *flags, code=code)

    def made(self, *flags: str) -> str:
        """Make a migration, apply it, and return its text without the head."""
        before = self.files()
        self.make(*flags)
        (path,) = self.files() - before
        self.tidegate("migrate")
        text = Path(path).read_text()
        return text.partition("def upgrade")[2] or text.partition("operations = ")[2]

    def files(self) -> set[str]:
        folder = "shop/migrations" if self.framework == "django" else "migrations/versions"
        return {
            str(one) for one in (self.root / folder).glob("*.py") if one.name != "__init__.py"
        }

    def sql(self, text: str) -> None:
        """Change rows."""
        if self.database.server is not None:
            self.database.server.sql(text, self.database.name)
            return
        file = sqlite3.connect(self.database.name)
        with file:
            file.execute(text)
        file.close()

    def nothing(self) -> str:
        """There must be nothing left to make."""
        return self.make(code=1).err

    def alembic(self, *words: str) -> None:
        """Run Alembic's own command: what was generated is a revision like any other."""
        env = {**self.database.environ, "PYTHONPATH": str(self.root), "PATH": "/usr/bin:/bin",
               "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "alembic", *words], cwd=self.root, env=env,
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one cache for all: what is kept there is named by its content."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(
    tmp_path: Path, fresh: Callable[[str], Database], tidegate: Runner, home: Path
) -> Callable[..., Authored]:
    """Write a project of a framework on a database, with its first models applied."""

    def make(framework: str, which: str, models: str, env: str = "more = {}") -> Authored:
        one = Authored(tmp_path / "app", framework, fresh(which), tidegate, home)
        if framework == "django":
            one.write("manage.py", MANAGE)
            one.write("settings.py", SETTINGS)
            one.write("shop/__init__.py", "")
            one.write("shop/migrations/__init__.py", "")
        else:
            one.write("alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n")
            text = ENV.replace("POSTGRESQL", POSTGRESQL).replace("HOOKS", env)
            one.write("migrations/env.py", text)
            one.write("migrations/script.py.mako", template())
            (one.root / "migrations/versions").mkdir()
            one.write("shop/__init__.py", BASE)
        one.models(models)
        one.made()
        return one

    return make
