"""What `tidegate init` lets the image say: settings of the server, the code's folder, the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story
from tidegate.workflows.init.detect import detect
from workflows.test_init_strangers import alembic, made, tidegate

FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"
FLASK = "from flask import Flask\n\n\ndef create_app():\n    return Flask(__name__)\n"
FLASK_MIGRATE = {
    "migrations/alembic.ini": "[alembic]\n", "migrations/env.py": "",
    "requirements.txt": "flask\nflask-migrate\npsycopg\n",
}  # fmt: skip
CHOOSES = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings.{}")\n'
FILE = '{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}'
SERVER = '{"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"]}'
PACKAGE = {
    "manage.py": CHOOSES.format("dev"),
    "site_/__init__.py": "",
    "site_/wsgi.py": CHOOSES.format("production"),
    "site_/settings/__init__.py": "",
    "site_/settings/base.py": 'SECRET_KEY = "x"\nROOT_URLCONF = "site_.urls"\n',
    "site_/settings/dev.py": f'from .base import *\n\nDATABASES = {{"default": {FILE}}}\n',
    "site_/settings/production.py": "import os\n\nfrom .base import *\n\n"
    f'MAIL_TOKEN = os.environ["MAIL_TOKEN"]\nDATABASES = {{"default": {SERVER}}}\n',
    "requirements.txt": "django\npsycopg\n",
}


def test_the_image_loads_what_its_server_loads(tmp_path: Path) -> None:
    """wsgi.py has other settings than manage.py: theirs hold for migrations and for the list of
    variables; the development override keeps those of manage.py."""
    made(tmp_path, PACKAGE)
    done = tidegate(tmp_path, "init", "--yes")
    assert "django on postgresql" in done.stdout + done.stderr
    assert (
        "ENV DJANGO_SETTINGS_MODULE=site_.settings.production\n"
        in (tmp_path / "Dockerfile").read_text()
    )
    assert "MAIL_TOKEN=" in (tmp_path / ".env.example").read_text()
    assert (
        "DJANGO_SETTINGS_MODULE: site_.settings.dev" in (tmp_path / "compose.dev.yaml").read_text()
    )
    assert story.examine(ProjectFiles(tmp_path)) == []


@pytest.mark.parametrize(
    ("tree", "app", "given"),
    [
        ({**alembic(""), "src/shop/main.py": FASTAPI}, "shop.main:app", {"PYTHONPATH": "/app/src"}),
        ({**alembic(""), "src/main.py": FASTAPI, "src/api.py": "from src.main import app\n"},
         "src.main:app", {}),
        ({**alembic(""), "main.py": FASTAPI}, "main:app", {}),
        ({**FLASK_MIGRATE, "shop/__init__.py": FLASK}, "shop:create_app()",
         {"FLASK_APP": "shop:create_app"}),
        ({**FLASK_MIGRATE, "shop/__init__.py": FLASK, ".flaskenv": "FLASK_APP=shop.wsgi\n"},
         "shop:create_app()", {"FLASK_APP": "shop.wsgi"}),
        ({**FLASK_MIGRATE, "app.py": FLASK}, "app:create_app()", {}),
    ],
    ids=["src", "src is a name of the code", "flat", "flask", "flaskenv", "app.py"],
)  # fmt: skip
def test_the_app_is_found_in_the_image(
    tree: dict[str, str], app: str, given: dict[str, str], tmp_path: Path
) -> None:
    """The server, the migration and the `flask` command import it from the folder they work in."""
    found = detect(ProjectFiles(made(tmp_path, tree)))
    assert (found.app, dict(found.given)) == (app, given)
