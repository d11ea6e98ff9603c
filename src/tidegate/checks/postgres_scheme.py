"""The URL begins with `postgres://`, which SQLAlchemy no longer takes.

SQLAlchemy 1.4 dropped the short spelling; hosting platforms still hand it out, and Django's readers accept it.
Write `postgresql://`, with the driver if it is not psycopg2: `postgresql+psycopg://`.
It is silent where the code replaces the scheme.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Given

SEVERITY = "error"
ERRORS = (r"Can't load plugin: sqlalchemy\.dialects:postgres\b", r"NoSuchModuleError")
PRINTED = "sqlalchemy.exc.NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:postgres"
WHEN = "at the first use of the database"
BAD = {
    "requirements.txt": "sqlalchemy==2.0.36\n",
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    environment:\n      DATABASE_URL: postgres://shop:shop@db.example.org/shop\n",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("postgres://", "postgresql://")}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield variables of services that use SQLAlchemy, with the short scheme."""
    needed = (
        project.requirements.get("sqlalchemy")
        or project.requirements.get("flask-sqlalchemy")
        or project.requirements.get("sqlmodel")
    )
    if (
        needed is None
        or (needed.name == "sqlalchemy" and () < needed.version < (1, 4))
        or project.manage
    ):
        return
    for service in facts.built(project):
        for given in service.environment.values():
            found = facts.url(given)
            if found is None or found.scheme != "postgres" or _normalised(project):
                continue
            yield Problem(
                given.place,
                f"{given.name} begins with postgres://, and SQLAlchemy knows no dialect of that name.",
                f"write {_scheme(project)}",
                (Place(needed.path, needed.line),),
                _mend(project, given),
            )


def _normalised(project: ProjectFiles) -> bool:
    """Whether the code itself names the short scheme, which it does to replace it."""
    return any(
        "postgres://" in (project.read(path) or "")
        for path in project.paths
        if path.endswith(".py")
        and "tests/" not in path
        and not path.rpartition("/")[2].startswith("test_")
    )


def _mend(project: ProjectFiles, given: Given) -> tuple[Edit, ...]:
    text = project.read(given.place.path) or ""
    if given.item is not None:
        return edits.within(given.item, text, "postgres://", _scheme(project))
    return edits.swap(given.place.path, text, given.place.line, "postgres://", _scheme(project))


def _scheme(project: ProjectFiles) -> str:
    """Return the scheme of the driver that is installed; without its name, psycopg2 is meant."""
    named = set(project.requirements)
    if not named & {"psycopg2", "psycopg2-binary"}:
        for driver in ("psycopg", "asyncpg", "pg8000"):
            if driver in named:
                return f"postgresql+{driver}://"
    return "postgresql://"
