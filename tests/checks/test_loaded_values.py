"""Values that were loaded decide, whatever the files seem to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.incidents.base import BUILT, COPIED, DB, DOCKERFILE, MANAGE, Tree
from checks.test_check_examples import written
from tidegate.reading.project.loaded import Loaded, Login
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story

COMPUTED = "from site import made\n\nSECRET_KEY = made.key()\n{} = made.it()\n"
CELERY = {
    "site/celery.py": 'from celery import Celery\n\napp = Celery("site")\napp.config_from_object("django.conf:settings", namespace="CELERY")\n',
    "Dockerfile": COPIED + 'CMD ["celery", "-A", "site", "worker"]\n',
    "compose.yaml": BUILT + "  redis:\n    image: redis:7\n",
}
STATIC = {
    "Dockerfile": COPIED
    + "RUN python manage.py collectstatic\n"
    + 'CMD ["gunicorn", "site.wsgi"]\n',
    "compose.yaml": BUILT + "    volumes: ['static:/srv/static']\nvolumes: {static: {}}\n",
}
MODELS = {
    "Dockerfile": DOCKERFILE,
    "todo/models.py": "from django.db import models\n\n\nclass Item(models.Model):\n    pass\n",
}
PROBE = '    healthcheck:\n      test: ["CMD", "curl", "-f", "http://localhost:8000/"]\n'
DATABASE = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": "localhost"}}

CASES: dict[str, tuple[Tree, dict[str, Any], str]] = {
    "DATABASES": ({"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + DB}, {"DATABASES": DATABASE}, "localhost-in-container"),
    "ALLOWED_HOSTS": ({"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + PROBE}, {"ALLOWED_HOSTS": ["a.org"], "DEBUG": False}, "probe-host-not-allowed"),
    "STATIC_ROOT": (STATIC, {"STATIC_ROOT": "/srv/static"}, "static-volume-keeps-old-files"),
    "CELERY_BROKER_URL": (CELERY, {"CELERY_BROKER_URL": "redis://cache:6379/"}, "broker-host-unknown"),
    "INSTALLED_APPS": (MODELS, {"INSTALLED_APPS": ["todo"]}, "models-without-migrations"),
}  # fmt: skip


def rules(root: Path, tree: Tree, loaded: Loaded | None = None) -> list[str]:
    written(root, tree)
    found = ProjectFiles(root, loaded={loaded.service: loaded} if loaded else None)
    return [one.rule for one in story.examine(found) if one.severity != "info"]


@pytest.mark.parametrize("name", CASES)
def test_a_value_that_a_function_makes(name: str, tmp_path: Path) -> None:
    """The files alone say nothing of it; its value makes the finding."""
    tree, values, rule = CASES[name]
    settings = COMPUTED.format(name)
    tree = {**tree, "manage.py": MANAGE, "site/__init__.py": "", "site/settings.py": settings}
    assert rule not in rules(tmp_path, tree)
    loaded = Loaded(
        "web", "django", "site.settings", {"ALLOWED_HOSTS": [], "DEBUG": True, **values}
    )
    assert rule in rules(tmp_path, tree, loaded)


def test_a_variable_that_the_settings_do_not_use(tmp_path: Path) -> None:
    """A host that stands in a variable, and that nobody connects to, is no finding."""
    compose = BUILT + "    environment:\n      OLD_DB_HOST: databse\n" + DB
    tree = {"Dockerfile": DOCKERFILE, "compose.yaml": compose, "manage.py": MANAGE,
            "site/settings.py": 'SECRET_KEY = "x"\n'}  # fmt: skip
    values = {"DATABASES": {"default": {**DATABASE["default"], "HOST": "db"}}}
    loaded = Loaded("web", "django", "site.settings", values)
    assert "database-host-unknown" in rules(tmp_path, tree)
    assert "database-host-unknown" not in rules(tmp_path, tree, loaded)


def test_a_setting_that_is_not_in_force(tmp_path: Path) -> None:
    """An assignment that a condition left out counts for nothing."""
    settings = 'SECRET_KEY = "x"\nSECURE_SSL_REDIRECT = True\n'
    compose = BUILT + PROBE.replace('"-f"', '"-fL"')
    tree = {"Dockerfile": DOCKERFILE, "compose.yaml": compose, "manage.py": MANAGE,
            "site/settings.py": settings}  # fmt: skip
    allowed = {"ALLOWED_HOSTS": ["*"], "DEBUG": False}
    loaded = Loaded("web", "django", "site.settings", allowed, ("SECURE_SSL_REDIRECT",))
    assert "probe-redirected-to-https" in rules(tmp_path, tree)
    assert rules(tmp_path, tree, loaded) == []


def test_the_login_of_env_py(tmp_path: Path) -> None:
    """Where env.py would connect is judged at the line that makes its engine."""
    tree = {
        "Dockerfile": COPIED + 'CMD ["sh", "-c", "alembic upgrade head && exec uvicorn app:app"]\n',
        "alembic.ini": "[alembic]\nscript_location = migrations\n",
        "migrations/env.py": "from app import url\nfrom sqlalchemy import create_engine\n\nengine = create_engine(url())\n",
        "compose.yaml": BUILT + "    depends_on: {db: {condition: service_healthy}}\n" + DB,
    }
    written(tmp_path, tree)
    loaded = Loaded("web", "alembic", logins=(Login("alembic", "postgresql", "127.0.0.1", "5432"),))
    found = story.examine(ProjectFiles(tmp_path, loaded={"web": loaded}))
    assert [(one.rule, one.problem.place.path, one.problem.place.line) for one in found] == [
        ("localhost-in-container", "migrations/env.py", 4)
    ]
