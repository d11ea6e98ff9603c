"""The database URL means a driver that the project does not install.

SQLAlchemy takes the driver from the URL: `postgresql+asyncpg://` means asyncpg, and a plain `postgresql://` means psycopg2 up to 2.0 and psycopg from 2.1 on.
A list without an upper bound gets 2.1 at its next build, and the app that ran yesterday asks for a module that nobody installed.
Name the driver in the URL.
It is silent where the code names a driver itself, and where no list names any driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.facts import Url
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.requirements import Requirement

SEVERITY = "error"
ERRORS = (
    r"No module named '(psycopg2?|asyncpg|pg8000|MySQLdb|pymysql|asyncmy|aiomysql)'",
    r"Error loading psycopg2? module",
)
PRINTED = "ModuleNotFoundError: No module named 'psycopg'"
WHEN = "when the engine is made: at the start, or at the first migration"
BAD = {
    "requirements.txt": "flask-sqlalchemy\npsycopg2-binary\nsqlalchemy==2.1.3\n",
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop:app"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    environment:\n      DATABASE_URL: postgresql://shop:shop@db.example.org/shop\n",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("sql:", "sql+psycopg2:")}
AT = "compose.yaml:5"
# A dialect's drivers as a URL names them: the packages that bring each, and the module.
_DRIVERS = {
    "psycopg2": (("psycopg2", "psycopg2-binary"), "psycopg2"),
    "psycopg": (("psycopg", "psycopg-binary", "psycopg-c"), "psycopg"),
    "asyncpg": (("asyncpg",), "asyncpg"),
    "pg8000": (("pg8000",), "pg8000"),
    "pymysql": (("pymysql",), "pymysql"),
    "mysqldb": (("mysqlclient",), "MySQLdb"),
    "asyncmy": (("asyncmy",), "asyncmy"),
    "aiomysql": (("aiomysql",), "aiomysql"),
}
_AWAITED = ("asyncpg", "asyncmy", "aiomysql")
_USERS = ("sqlalchemy", "flask-sqlalchemy", "alembic", "flask-migrate")
_BEFORE_2_1 = re.compile(r"(<|<=|==|~=|\^|~)\s*(1\.|2\.0(\D|$))|<\s*(2\.1(\.0)*|2)\s*(\D|$)")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield URLs of services whose driver no list names."""
    listed = project.requirements
    user = next((listed[one] for one in _USERS if one in listed), None)
    if user is None or project.manage or "sqlmodel" in listed or "sqlalchemy-utils" in listed:
        return
    for service in facts.built(project):
        for given in service.environment.values():
            url = facts.url(given)
            if url is None or given.unknown:
                continue
            driver = url.scheme.partition("+")[2] or _usual(url, listed.get("sqlalchemy", user))
            packages, module = _DRIVERS.get(driver, ((), ""))
            image = project.image(service)
            brought = {*listed, *(image.installed if image is not None else ())}
            if not packages or set(packages) & brought or not _others(url, brought):
                continue
            if _named(project):
                continue
            yield Problem(
                given.place,
                f"{given.name} of {service.name} means the driver {driver}, and nothing installs that.",
                _remedy(url, driver, listed),
                (Place(user.path, user.line),),
                _mend(project, url, listed),
                "" if "+" in url.scheme or user.version >= (2, 1) else "warning",
                printed=f"ModuleNotFoundError: No module named '{module}'",
            )


def _usual(url: Url, sqlalchemy: Requirement) -> str:
    """Return what a URL without a driver means to the newest SQLAlchemy that the list allows."""
    if url.scheme != "postgresql":
        return ""
    return "psycopg2" if _BEFORE_2_1.search(sqlalchemy.spec) else "psycopg"


def _named(project: ProjectFiles) -> bool:
    """Whether the code writes a driver into URLs itself."""
    return any(
        re.search(r"postgresql\+|mysql\+|drivername|psycopg", project.read(path) or "")
        for path in project.paths
        if path.endswith(".py") and "/versions/" not in path
    )


def _others(url: Url, brought: set[str]) -> list[str]:
    """Return the drivers of the URL's dialect that are there: without one, who knows the list?"""
    mine = ("pymysql", "mysqldb", "asyncmy", "aiomysql")
    if url.dialect == "postgresql":
        mine = ("psycopg2", "psycopg", "pg8000", "asyncpg")
    return [one for one in mine if set(_DRIVERS[one][0]) & brought]


def _there(url: Url, listed: dict[str, Requirement]) -> str:
    """Return the one driver that a plain URL can only mean; empty where it is unclear."""
    found = _others(url, set(listed))
    return found[0] if len(found) == 1 and found[0] not in _AWAITED else ""


def _remedy(url: Url, driver: str, listed: dict[str, Requirement]) -> str:
    there = _there(url, listed)
    named = f"write {url.dialect}+{there}:// in it,\nor " if there else ""
    return f"{named}install {_DRIVERS[driver][0][0]}"


def _mend(project: ProjectFiles, url: Url, listed: dict[str, Requirement]) -> tuple[Edit, ...]:
    there, given = _there(url, listed), url.given
    if not there or "+" in url.scheme:
        return ()
    text = project.read(given.place.path) or ""
    old, new = f"{url.scheme}://", f"{url.scheme}+{there}://"
    if given.item is not None:
        return edits.within(given.item, text, old, new)
    return edits.swap(given.place.path, text, given.place.line, old, new)
