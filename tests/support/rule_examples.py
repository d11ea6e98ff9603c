"""Turn a rule's example into migration files, and apply them to a real database."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.contracts.rule import Example
from tidegate.contracts.shop import SHOP
from tidegate.reading.migrations.record import TEMPORARY

NEXT = "# --- next file\n"
OPERATIONS = "# --- operations\n"
DOWNGRADE = "# --- downgrade\n"
NOT_ATOMIC = "# atomic = False\n"
DJANGO_HEAD = """\
import uuid

from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models

"""
ALEMBIC_HEAD = """\
import sqlalchemy as sa
from alembic import op

"""


class File(NamedTuple):
    """One migration; `lines` are the file's lines of the example's, `head` that of its class."""

    name: str
    text: str
    lines: tuple[int, ...]
    head: int

    def line(self, number: int) -> int:
        """Return the file's line of an example's `line`."""
        return self.lines[number - 1] if number else self.head


def files(example: Example, text: str) -> list[File]:
    """Return the files of the shop, of what comes before, and of `text`."""
    parts = [SHOP[example.framework], *([example.before] if example.before else []),
             *text.split(NEXT)]  # fmt: skip
    make = _django if example.framework == "django" else _alembic
    return [make(number, part) for number, part in enumerate(parts, 1)]


def count_before(example: Example) -> int:
    """How many of the files are not the example's own."""
    return 2 if example.before else 1


def _django(number: int, part: str) -> File:
    mark, part = _mark(part)
    code, _, operations = part.rpartition(OPERATIONS)
    not_atomic = operations.startswith(NOT_ATOMIC)
    depends = f'("shop", "{number - 1:04d}_step")' if number > 1 else ""
    head = mark + DJANGO_HEAD + code
    text = head + "\n\nclass Migration(migrations.Migration):\n"
    text += f"    dependencies = [{depends}]\n"
    text += "    initial = True\n" if number == 1 else ""
    text += "    atomic = False\n" if not_atomic else ""
    text += "    operations = [\n"
    before = (mark + DJANGO_HEAD).count("\n") + 1
    lines = [1] if mark else []
    lines += [before + number for number in range(code.count("\n"))]
    first = text.count("\n") + 1
    lines += [first - 1] if code else []
    lines += [first + number for number in range(operations.count("\n") + 1)]
    text += textwrap.indent(operations, " " * 8).rstrip() + "\n    ]\n"
    return File(f"{number:04d}_step", text, tuple(lines), head.count("\n") + 3)


def _mark(part: str) -> tuple[str, str]:
    """Return a first line that is the file's own, and the rest."""
    if not part.startswith(TEMPORARY):
        return "", part
    mark, _, rest = part.partition("\n")
    return mark + "\n", rest


def _alembic(number: int, part: str) -> File:
    mark, part = _mark(part)
    body, _, back = part.partition(DOWNGRADE)
    text = mark + ALEMBIC_HEAD
    down = f'"r{number - 1}"' if number > 1 else "None"
    text += f'revision = "r{number}"\ndown_revision = {down}\n\n\n'
    head = text.count("\n") + 1
    text += "def upgrade():\n"
    lines = (1,) if mark else ()
    lines += tuple(head + 1 + number for number in range(body.count("\n") + 1))
    text += textwrap.indent(body.rstrip() or "pass", " " * 4)
    text += "\n\n\ndef downgrade():\n"
    if back.strip() == "pass":
        head = text.count("\n")
    text += textwrap.indent(back.rstrip() or 'op.execute("SELECT 1")', " " * 4) + "\n"
    return File(f"r{number}", text, lines, head)


def write(example: Example, text: str, root: Path) -> list[tuple[str, File]]:
    """Write a project; return (relative path, file) of the example's own files."""
    settings = f'[check]\ndatabase = "{example.vendor}"\n'
    (root / "tidegate.toml").write_text(settings, "utf-8")
    if example.framework == "django":
        folder = root / "shop" / "migrations"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("", "utf-8")
    else:
        folder = root / "migrations" / "versions"
        folder.mkdir(parents=True)
        (root / "migrations" / "env.py").write_text("", "utf-8")
        (root / "migrations" / "script.py.mako").write_text("", "utf-8")
    made = files(example, text)
    for one in made:
        (folder / f"{one.name}.py").write_text(one.text, "utf-8")
    where = folder.relative_to(root).as_posix()
    return [(f"{where}/{one.name}.py", one) for one in made[count_before(example) :]]


def apply(example: Example, made: Sequence[File], url: str) -> None:
    """Apply the files to the database at `url`, which holds nothing."""
    if example.framework == "django":
        _apply_django(made, url)
    else:
        _apply_alembic(made, url)


def _namespace(one: File) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": one.name}
    exec(compile(one.text, one.name + ".py", "exec"), namespace)
    return namespace


@functools.cache
def _setup_django() -> None:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            INSTALLED_APPS=["django.contrib.postgres"],
            DATABASES={},
            USE_TZ=True,
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        )
        django.setup()


def _django_database(url: str) -> dict[str, Any]:
    from urllib.parse import unquote, urlsplit

    if url.startswith("sqlite"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:///")}
    parts = urlsplit(url)
    if url.startswith("mysql"):
        socket = parts.query.removeprefix("unix_socket=")
        return {"ENGINE": "django.db.backends.mysql", "NAME": parts.path.lstrip("/"),
                "HOST": socket, "PORT": "", "USER": "root", "PASSWORD": ""}  # fmt: skip
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname,
        "PORT": str(parts.port),
        "USER": parts.username,
        "PASSWORD": unquote(parts.password or ""),
    }


@contextmanager
def django_connection(url: str) -> Iterator[Any]:
    """Open Django's default connection to the database at `url`."""
    _setup_django()
    from django.db import connections

    connections.settings["default"] = {
        **_django_database(url), "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True,
        "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "OPTIONS": {}, "TIME_ZONE": None,
        "TEST": {"NAME": None, "MIRROR": None, "CHARSET": None, "COLLATION": None,
                 "MIGRATE": True},
    }  # fmt: skip
    if hasattr(connections["default"], "close"):
        connections["default"].close()
    del connections["default"]
    connection = connections["default"]
    try:
        yield connection
    finally:
        connection.close()


def _apply_django(made: Sequence[File], url: str) -> None:
    with django_connection(url) as connection:
        from django.db.migrations.state import ProjectState

        state = ProjectState()
        for one in made:
            migration = _namespace(one)["Migration"](one.name, "shop")
            with connection.schema_editor(atomic=migration.atomic) as editor:
                state = migration.apply(state, editor)


def _apply_alembic(made: Sequence[File], url: str) -> None:
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        for one in made:
            upgrade = _namespace(one)["upgrade"]
            with engine.connect() as connection:
                options = {"transaction_per_migration": True}
                context = MigrationContext.configure(connection, opts=options)
                with Operations.context(context), context.begin_transaction(_per_migration=True):
                    upgrade()
    finally:
        engine.dispose()


def texts(example: Example) -> Iterator[tuple[str, str]]:
    """Yield ("bad", text) and ("good", text)."""
    yield "bad", example.bad
    yield "good", example.good
