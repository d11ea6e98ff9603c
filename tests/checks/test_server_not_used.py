"""A database server beside an app that keeps its rows in a file: named where it is sure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.test_check_examples import FILE_CHECKS, written
from tidegate.workflows.doctor import story

RULE = "database-server-not-used"
CHECK: Any = FILE_CHECKS[RULE]
SETTINGS, COMPOSE = CHECK.BAD["shop/settings.py"], CHECK.BAD["compose.yaml"]
TUTORIAL = SETTINGS.replace(
    '"django.db.backends.sqlite3"',
    'os.environ.get("SQL_ENGINE", "django.db.backends.sqlite3")',
)
TUTORIAL = "import os\n" + TUTORIAL


NAMES = {
    "settings": "shop/settings.py", "compose": "compose.yaml", "wsgi": "shop/wsgi.py",
    "other": "shop/reports.py", "start": "start.sh", "Dockerfile": "Dockerfile",
}  # fmt: skip


def said(tmp_path: Path, **files: str) -> list[tuple[str, str]]:
    tree = {**CHECK.BAD, **{NAMES[name]: text for name, text in files.items()}}
    found = story.examine(written(tmp_path, tree))
    return [(one.severity, one.finding.remedy) for one in found if one.rule == RULE]


def test_the_engine_that_nobody_chooses(tmp_path: Path) -> None:
    """The settings take the engine from a variable that the service is not given."""
    ((severity, remedy),) = said(tmp_path, settings=TUTORIAL)
    assert (severity, remedy) == ("error", "give SQL_ENGINE: django.db.backends.postgresql to web")
    given = COMPOSE.replace(
        "    environment:\n      DATABASE", "    environment:\n      SQL_ENGINE: django.db.backends.postgresql\n      DATABASE", 1
    )  # fmt: skip
    assert said(tmp_path, settings=TUTORIAL, compose=given) == []


def test_rows_that_are_kept_are_a_warning(tmp_path: Path) -> None:
    """The file lies in a folder of the host: nothing is lost, and the server is not used."""
    mounted = COMPOSE.replace("    build: .\n", "    build: .\n    volumes: ['.:/app']\n", 1)
    ((severity, _),) = said(tmp_path, compose=mounted)
    assert severity == "warning"


def test_a_dependency_tells_of_the_server_too(tmp_path: Path) -> None:
    """The app waits for a server that it never asks for anything."""
    waiting = COMPOSE.replace(
        "    environment:\n      DATABASE_URL: postgresql://shop:shop@db/shop\n", "    depends_on: [db]\n", 1
    )  # fmt: skip
    assert [severity for severity, _ in said(tmp_path, compose=waiting)] == ["error"]


QUIET = {
    "a server of somebody else": {"compose": COMPOSE.replace(
        "    environment:\n      DATABASE_URL: postgresql://postgres:shop@db/postgres\n", "", 1)},
    "a condition decides": {"settings": SETTINGS + "import os\nif os.environ.get('DB_HOST'):\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n"},
    "it is changed later": {"settings": SETTINGS + "import os\nDATABASES['default']['ENGINE'] = os.environ['X']\n"},
    "a local file may say otherwise": {"settings": SETTINGS + "from .local_settings import *\n"},
    "wsgi.py chooses other settings": {"wsgi": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.production')\n"},
    "a start script chooses them": {
        "start": "#!/bin/sh\nexport DJANGO_SETTINGS_MODULE=shop.production\nexec gunicorn shop.wsgi\n",
        "Dockerfile": CHECK.BAD["Dockerfile"].replace('["gunicorn", "shop.wsgi"]', '["sh", "/app/start.sh"]'),
    },
    "a second database is the server": {"settings": SETTINGS.replace('"NAME": BASE_DIR / "db.sqlite3"}', '"NAME": BASE_DIR / "db.sqlite3"},\n    "big": {"ENGINE": "django.db.backends.postgresql", "HOST": "db"}')},
    "other code asks the server": {"other": "import psycopg\n"},
    "a development server with a file in the project": {"compose": COMPOSE.replace(
        "    build: .\n", "    build: .\n    command: python manage.py runserver\n    volumes: ['.:/app']\n", 1)},
    "a .env file in the image": {"settings": "from dotenv import load_dotenv\nload_dotenv()\n" + TUTORIAL},
}  # fmt: skip


@pytest.mark.parametrize("case", QUIET, ids=lambda one: one.replace(" ", "-"))
def test_it_is_quiet_where_it_is_not_sure(case: str, tmp_path: Path) -> None:
    """Nothing is said of what only running can tell, nor of a server that others use."""
    assert said(tmp_path, **QUIET[case]) == []
