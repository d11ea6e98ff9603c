"""The settings have several databases, and the start migrates one.

`manage.py migrate` raises `default` only; tables that a router sends elsewhere are never made.
Migrate each: `manage.py migrate --database NAME`; `tidegate boot` gates every alias that a router can write to.
It is silent without routers, and for replicas.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, words
from tidegate.reading.project.acts import shown
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"relation \"?[\w.]+\"? does not exist",
    r"no such table",
    r"Table '[\w.]+' doesn't exist",
)
PRINTED = 'relation "events_event" does not exist'
WHEN = "at the first query that a router sends to the other database"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nDATABASES = {\n    "default": {"ENGINE": "django.db.backends.postgresql", "HOST": "db"},\n    "events": {"ENGINE": "django.db.backends.postgresql", "HOST": "db2"},\n}\nDATABASE_ROUTERS = ["shop.routers.Events"]\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["sh", "-c", "python manage.py migrate && exec gunicorn shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "migrate &&", "migrate && python manage.py migrate --database events &&"
    ),
}
AT = "shop/settings.py:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield aliases that no start migrates."""
    settings = project.settings
    if settings is None or settings.last("DATABASE_ROUTERS") is None:
        return
    found, databases = settings.last("DATABASES"), settings.value("DATABASES")
    if found is None or not isinstance(databases, dict):
        return
    migrating = [
        act for one in facts.built(project) for act in project.start(one).acts if words.manage(act.words) == "migrate"
    ]  # fmt: skip
    said = " ".join(" ".join(act.words) for act in migrating)
    for alias in databases:
        if (
            not isinstance(alias, str)
            or alias == "default"
            or not migrating
            or alias in said
            or "$" in said
        ):
            continue
        if "replica" in alias or "read" in alias or "MIRROR" in str(databases[alias]):
            continue
        yield Problem(
            Place(found.path, found.line),
            f"Nothing migrates the database {alias}: the start runs `{shown(migrating[0].words)}`, which raises default only.",
            f"run python manage.py migrate --database {alias} too, or start with `tidegate boot -- COMMAND`",
            (migrating[0].place,),
        )
