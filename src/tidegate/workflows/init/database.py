"""Which database the project uses, told by drivers, Django's ENGINE and URLs; and who says so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import UNKNOWN

_DRIVERS = {
    "psycopg": "postgresql", "psycopg2": "postgresql", "psycopg2-binary": "postgresql",
    "asyncpg": "postgresql", "psycopg-binary": "postgresql", "pg8000": "postgresql",
    "mysqlclient": "mysql", "pymysql": "mysql", "asyncmy": "mysql", "aiomysql": "mysql",
}  # fmt: skip
_SCHEME = re.compile(r"\b(postgres(?:ql)?|mysql|mariadb|sqlite)(?:\+(\w+))?://")
_ENGINE = re.compile(r"(postgresql|postgis|mysql|sqlite3|spatialite)$")
_VENDOR = {"postgres": "postgresql", "postgis": "postgresql", "mariadb": "mysql",
           "sqlite3": "sqlite", "spatialite": "sqlite"}  # fmt: skip
_OF_DIALECT = {"mysqldb": "mysqlclient", "psycopg2": "psycopg2-binary"}
DATABASE = re.compile(r"(^|_)(DB|DATABASE|POSTGRES|POSTGRESQL|PG|MYSQL|MARIADB|SQL|SQLALCHEMY)")
# Readers that take DATABASE_URL without its name being written.
_READS_URL = re.compile(r"dj_database_url|\benv\.(db|db_url)\(|DatabaseURLValue")


@dataclass(frozen=True)
class Database:
    """The vendor, the driver with whether a file lists it, and how the app learns where it is."""

    vendor: str
    driver: str
    listed: bool  # a requirements file names the driver
    told: bool  # a variable decides where the database is
    path: str = ""  # the file that says it by itself, and the line
    line: int = 0
    engine: str = ""


def read(project: ProjectFiles, packages: Iterable[str], variables: Iterable[str]) -> Database:
    """Return the project's database."""
    named = set(packages)
    vendor, dialect, path, line, engine = _said(project)
    meant = {dialect, _OF_DIALECT.get(dialect, dialect)} & named
    driver = next((one for one in _DRIVERS if one in (meant or named)), "")
    if driver:
        vendor = _DRIVERS[driver]
    elif vendor in ("postgresql", "mysql"):
        driver = _OF_DIALECT.get(dialect, dialect) or _usual(project, vendor)
    told = _told(project, variables)
    return Database(vendor or "sqlite", driver, driver in named, told, path, line, engine)


def _usual(project: ProjectFiles, vendor: str) -> str:
    """Return the driver that a URL without one means: SQLAlchemy's default, or Django's."""
    if vendor == "mysql":
        return "mysqlclient"
    return "psycopg" if project.manage else "psycopg2-binary"


def _said(project: ProjectFiles) -> tuple[str, str, str, int, str]:
    """Return vendor, dialect, file, line and ENGINE as the settings or Alembic's files say them."""
    settings = project.settings
    if project.manage and settings is not None:
        path, line = settings.line("DATABASES")
        databases = settings.value("DATABASES")
        default = databases.get("default") if isinstance(databases, dict) else None
        engine = default.get("ENGINE", "") if isinstance(default, dict) else ""
        found = (
            _ENGINE.search(engine) if isinstance(engine, str) and engine is not UNKNOWN else None
        )
        if found and isinstance(engine, str):
            return _VENDOR.get(found[1], found[1]), "", path, line, engine
        return (*_in_text("\n".join(one.text for one in settings.modules)), path, line, "")
    for one in project.alembics:
        vendor, dialect = _in_text(one.url)
        if vendor:
            return vendor, dialect, one.ini, one.url_line, ""
        vendor, dialect = _in_text(one.module.text if one.module is not None else "")
        if vendor:
            return vendor, dialect, one.env, 0, ""
    for path in _others(project):
        vendor, dialect = _in_text(project.read(path) or "")
        if vendor:
            return vendor, dialect, "", 0, ""
    return "", "", "", 0, ""


def _others(project: ProjectFiles) -> list[str]:
    """Return the files in which a URL may stand as a default: code first, examples of .env last."""
    code = [path for path in project.paths if path.endswith(".py")
            and not re.search(r"(^|/)(tests?/|test_|conftest|versions/)", path)]  # fmt: skip
    return [*code, *project.named(".env.example", ".env.sample", ".env.dist", ".env")]


def _in_text(text: str) -> tuple[str, str]:
    """Return vendor and dialect of the URLs in a text; a server's before SQLite's."""
    found = [(_VENDOR.get(one[0], one[0]), one[1]) for one in _SCHEME.findall(text)]
    return next((one for one in found if one[0] != "sqlite"), found[0] if found else ("", ""))


def _told(project: ProjectFiles, variables: Iterable[str]) -> bool:
    """Whether what connects reads a variable: for Django its settings alone can."""
    settings = project.settings
    if not project.manage and any(
        one.takes_ini_url and _SCHEME.search(one.url) for one in project.alembics
    ):
        return False  # whatever the app reads, its migrations go where alembic.ini says
    if not project.manage or settings is None:
        return any(DATABASE.search(one) for one in variables)
    text = "\n".join(module.text for module in settings.modules)
    if _READS_URL.search(text) or any(DATABASE.search(one.name) for one in settings.reads):
        return True
    value = settings.value("DATABASES")
    default = value.get("default") if isinstance(value, dict) else UNKNOWN
    # What only running can tell may well come from outside.
    return not isinstance(default, dict) or default.get("HOST", default.get("NAME")) is UNKNOWN
