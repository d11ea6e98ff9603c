"""The app keeps its rows in an SQLite file, though a database server runs beside it.

Django's settings begin with SQLite, and variables such as `DATABASE_URL` do nothing by themselves: the settings have to read them.
The app starts well, the server's tables stay empty, and the rows are in a file of the container, which goes when the container is made anew.
Let the settings read the server's address.
It is silent where settings can't be read to their end, where other code of the project connects to the server, for services that have nothing to do with it, and for a development server whose file lies in the project's own folder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, hosts, pycode, sqlitefiles
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (r"Did not find any (relations|tables)", r"no such table")
PRINTED = "Did not find any relations."
WHEN = "when somebody looks for the rows in the server, or makes the container anew: they are gone"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'from pathlib import Path\n\nBASE_DIR = Path(__file__).resolve().parent.parent\nSECRET_KEY = "x"\nDATABASES = {\n    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}\n}\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://postgres:shop@db/postgres
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
""",
}
GOOD = {
    **BAD,
    "shop/settings.py": 'import dj_database_url\n\nSECRET_KEY = "x"\nDATABASES = {"default": dj_database_url.config()}\n',
}
AT = "shop/settings.py:5"
_MODULE = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\s*[,\]]\s*=?\s*['"]([\w.]+)""")
# Something else of the project that may speak to the server.
_OTHERS = re.compile(r"\b(psycopg2?|asyncpg|aiopg|pg8000|pymysql|MySQLdb|create_(async_)?engine)\b")
# What fills the environment while the settings load.
_FILLS = re.compile(r"load_dotenv|read_env|read_dotenv|\bdecouple\b|\benvirons?\.Env|FileAwareEnv")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield services that are told of a database server, and whose settings use SQLite alone."""
    for service in facts.built(project):
        if not facts.loads_settings(project, service):
            continue
        server, told = _server(project, service)
        settings = project.settings_for(service) if server is not None else None
        if server is None or settings is None or not _only_sqlite(project, service, settings):
            continue
        if not _these(project, service, settings) or _spoken_to(project, service):
            continue
        files = sqlitefiles.in_settings(project, service)
        path = files[0][0] if files else ""
        kept = not path or sqlitefiles.kept(service, path)
        if kept and facts.developing(project, service):
            continue
        place, line = settings.line("DATABASES")
        yield Problem(
            Place(place, line),
            f"{service.name} keeps its rows in SQLite{f' ({path})' if path else ''}, "
            f"and not in {server.name}: the settings name no other database.",
            _remedy(settings, service),
            (told,),
            severity="warning" if kept else "",
        )


def _server(project: ProjectFiles, service: Service) -> tuple[Service | None, Place]:
    """Return the database server that a service is told of, and where."""
    for server in facts.databases(project, service):
        for host in hosts.hosts(project, service):
            if not host.broker and host.given is not None and host.host in server.names:
                return server, host.place
        if server.name in service.depends_on:
            return server, service.depends_on[server.name][1].place
    return None, service.place


def _only_sqlite(project: ProjectFiles, service: Service, settings: Settings) -> bool:
    """Whether every database of the settings is surely a file, whatever the environment says."""
    value = settings.value("DATABASES", facts.values(service, project))
    engines = [_engine(one) for one in value.values()] if isinstance(value, dict) else []
    if not engines or not all(one.endswith(("sqlite3", "spatialite")) for one in engines):
        return False
    if settings.loaded is not None and "DATABASES" in settings.loaded.values:
        return True
    text = "\n".join(one.text for one in settings.modules)
    if settings.conditional("DATABASES") or hosts.PARSED.search(text) or settings.open_ended:
        return False
    return not (_chosen_by(settings) and _FILLS.search(text))


def _engine(one: Any) -> str:
    found = one.get("ENGINE") if isinstance(one, dict) else None
    return found if isinstance(found, str) else ""


def _chosen_by(settings: Settings) -> str:
    """Return the variable from which the engine is taken; empty where it is written down."""
    found = settings.last("DATABASES")
    for node in ast.walk(found.value) if found is not None else ():
        for key, value in _pairs(node):
            if pycode.literal(key) == "ENGINE":
                reads = [r for one in ast.walk(value) if (r := pycode.env_read(one)) is not None]
                return reads[0].name if reads else ""
    return ""


def _pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Dict):
        yield from ((k, v) for k, v in zip(node.keys, node.values, strict=True) if k is not None)


def _these(project: ProjectFiles, service: Service, settings: Settings) -> bool:
    """Whether no file of the start chooses other settings, as wsgi.py may do beside manage.py."""
    image = project.image(service)
    acts = project.start(service).acts
    if any("--settings" in word for act in acts for word in act.words):
        return False
    if "DJANGO_SETTINGS_MODULE" in service.environment or (
        image is not None and "DJANGO_SETTINGS_MODULE" in image.environ
    ):
        return True
    scripts = {act.script for act in acts if act.script}
    if any("DJANGO_SETTINGS_MODULE" in (project.read(one) or "") for one in scripts):
        return False
    texts = (project.read(one) or "" for one in project.paths if one.endswith(".py"))
    return all(name == settings.module for text in texts for name in _MODULE.findall(text))


def _spoken_to(project: ProjectFiles, service: Service) -> bool:
    """Whether other code connects to the server: Celery's results, a connection of its own."""
    values = [given.value or "" for given in service.environment.values()]
    if project.alembics or any(one.startswith("db+") for one in values):
        return True
    own = [one for one in project.paths if one.endswith(".py") and "/migrations/" not in one]
    return any(_OTHERS.search(project.read(one) or "") for one in own)


def _remedy(settings: Settings, service: Service) -> str:
    variable = _chosen_by(settings)
    if variable:
        return f"give {variable}: django.db.backends.postgresql to {service.name}"
    if "DATABASE_URL" in service.environment:
        return (
            "let the settings read it: pip install dj-database-url, and\n"
            'DATABASES = {"default": dj_database_url.config()}'
        )
    return (
        "let the settings read the server's address, as in\n"
        '"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"]'
    )
