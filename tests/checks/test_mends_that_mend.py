"""A mend is written in the project's own words, and looked at: its finding is gone, and no other came."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import BUILT, COPIED, DB, MANAGE, Tree
from checks.test_check_examples import seen, written
from tidegate.workflows.doctor import mending, story

SERVED = 'CMD ["gunicorn", "site.wsgi", "--bind=0.0.0.0:8000"]\n'
URL = "http://localhost:8000/livez"
PROBE = f"import urllib.request as u; u.urlopen('{URL}', timeout=3)"
PROBED = BUILT + f'    healthcheck:\n      test: ["CMD", "python", "-c", "{PROBE}"]\n'
SETTINGS = 'SECRET_KEY = "x"\nDEBUG = False\nALLOWED_HOSTS = ["shop.example"]\n'
DJANGO = {"manage.py": MANAGE, "Dockerfile": COPIED + SERVED}
DATABASES = 'import os\nSECRET_KEY = "x"\nDATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.getenv("PGHOST", "127.0.0.1")}}\n'
BASH = '#!/bin/bash\nset -euo pipefail\n[[ -n "$1" ]]\nexec "$@"\n'
WITH_SCRIPT = 'RUN chmod +x run.sh\nENTRYPOINT ["/app/run.sh"]\n' + SERVED
SHORT = (
    "services:\n  web:\n    build: .\n    depends_on: [db, cache]\n  cache:\n    image: redis:7\n"
    + DB
)

# The tree, the rule, the file, and what the file says afterwards.
MENDED: dict[str, tuple[Tree, str, str, str]] = {
    "the Host header of a probe in Python": (
        {**DJANGO, "site/settings.py": SETTINGS, "compose.yaml": PROBED},
        "probe-host-not-allowed", "compose.yaml",
        f"u.urlopen(u.Request('{URL}', headers={{'Host': 'shop.example'}}), timeout=3)",
    ),
    "the Host header of curl": (
        {**DJANGO, "site/settings.py": SETTINGS, "compose.yaml": BUILT + f'    healthcheck:\n      test: ["CMD", "curl", "-f", "{URL}"]\n'},
        "probe-host-not-allowed", "compose.yaml", '"curl", "-H", "Host: shop.example", "-f"',
    ),
    "the path that is not redirected": (
        {**DJANGO, "site/settings.py": SETTINGS.replace("shop.example", "*") + "SECURE_SSL_REDIRECT = True\n", "compose.yaml": PROBED},
        "probe-redirected-to-https", "site/settings.py", 'SECURE_SSL_REDIRECT = True\nSECURE_REDIRECT_EXEMPT = [r"^livez$"]\n',
    ),
    "the variable that the settings read": (
        {**DJANGO, "site/settings.py": DATABASES, "compose.yaml": BUILT + DB},
        "localhost-in-container", "compose.yaml", "    build: .\n    environment:\n      PGHOST: db\n",
    ),
    "bash for a script that needs it": (
        {"Dockerfile": COPIED.replace("python:3.12", "python:3.12-alpine") + WITH_SCRIPT, "run.sh*": BASH, "compose.yaml": BUILT},
        "interpreter-missing", "Dockerfile", "FROM python:3.12-alpine\nRUN apk add --no-cache bash\n",
    ),
    "the driver that is installed": (
        {"Dockerfile": COPIED + SERVED, "requirements.txt": "sqlalchemy==2.0.36\nasyncpg==0.30.0\n", "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://shop:word@db.example.org/shop\n"},
        "postgres-scheme", "compose.yaml", "DATABASE_URL: postgresql+asyncpg://shop:word@",
    ),
    "a password that ends early": (
        {"compose.yaml": BUILT.replace("build: .", "image: a:1") + "    environment:\n      DATABASE_URL: postgresql://shop:p#a/s@d@db.example.org/shop\n"},
        "url-password-not-escaped", "compose.yaml", "postgresql://shop:p%23a%2Fs%40d@db.example.org/shop\n",
    ),
    "a short list in brackets": (
        {"Dockerfile": COPIED + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn site.wsgi"]\n', "compose.yaml": SHORT},
        "nothing-waits-for-database", "compose.yaml",
        "depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}",
    ),
    "a message that hides a failure": (
        {"Dockerfile": COPIED + WITH_SCRIPT, "run.sh*": '#!/bin/sh\nset -e\npython manage.py migrate || echo "it failed"\nexec "$@"\n', "compose.yaml": BUILT},
        "failed-migration-is-ignored", "run.sh", 'migrate || { echo "it failed"; exit 1; }\n',
    ),
    "exec where the script hands on": (
        {"Dockerfile": COPIED + WITH_SCRIPT, "run.sh*": '#!/bin/sh\nset -e\nmain() {\n  "$@"\n}\nmain "$@"\n', "compose.yaml": BUILT},
        "app-never-gets-the-stop-signal", "run.sh", '  exec "$@"\n',
    ),
    "a wait in a list": (
        {"Dockerfile": COPIED + SERVED, "compose.yaml": BUILT + '    command: ["wait-for-it", "db:5432", "--", "gunicorn", "site.wsgi"]\n'},
        "wait-runs-command-anyway", "compose.yaml", '["wait-for-it", "--strict", "db:5432", "--",',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MENDED, ids=lambda one: one.replace(" ", "-"))
def test_a_mend_mends(case: str, tmp_path: Path) -> None:
    """What is written is the project's own: its variables, its driver, its tool, its line."""
    tree, rule, path, words = MENDED[case]
    project = written(tmp_path, tree)
    found = story.examine(project)
    assert rule in [one.rule for one in found]
    result = mending.apply(project, mending.plan(project, found), found)
    assert words in (tmp_path / path).read_text("utf-8")
    assert rule not in [one.rule for one in result.left]


def test_what_stands_behind_the_app_is_not_cut_off(tmp_path: Path) -> None:
    """An exec would keep the last command from running: the finding is left to a person."""
    files = {"Dockerfile": COPIED + "CMD gunicorn site.wsgi && echo over\n", "compose.yaml": BUILT}
    (one,) = story.examine(written(tmp_path, files))
    assert one.rule == "app-never-gets-the-stop-signal"
    assert not one.problem.edits


FLAGGED: dict[str, tuple[Tree, str, str]] = {
    "an nginx block on one line": (
        {"site.conf": "upstream a { server web:8080; } server { location / { proxy_pass http://a; } }\n", "compose.yaml": "services:\n  api:\n    image: example/api:1\n  edge:\n    image: nginx:1.27\n    volumes: ['./site.conf:/etc/nginx/conf.d/site.conf:ro']\n"},
        "proxy-host-unknown", "site.conf:1",
    ),
    "a user model that no migration makes": (
        {"manage.py": MANAGE, "site/settings.py": 'SECRET_KEY = "x"\nAUTH_USER_MODEL = "users.Member"\n', "users/models.py": "class Member(AbstractUser):\n    pass\n", "users/migrations/0001_initial.py": "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = []\n    operations = [migrations.CreateModel('Badge', fields=[])]\n"},
        "custom-user-without-migration", "site/settings.py:2",
    ),
    "arguments that only a function has": (
        {"Dockerfile": COPIED + WITH_SCRIPT, "run.sh*": '#!/bin/sh\nset -e\nmain() {\n  exec "$@"\n}\nmain python manage.py check\n', "compose.yaml": BUILT},
        "command-is-dropped", "run.sh:6",
    ),
    "a pod that waits in a loop of its own": (
        {"k8s/all.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: up\n  annotations:\n    helm.sh/hook: post-install\nspec:\n  template:\n    spec:\n      containers:\n        - name: up\n          image: a:1\n          command: [alembic, upgrade, head]\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          image: a:1\n          command: [sh, -c, 'until alembic current --check-heads; do sleep 2; done; exec uvicorn a:b']\n"},
        "migration-hook-after-start", "k8s/all.yaml:6",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FLAGGED, ids=lambda one: one.replace(" ", "-"))
def test_it_is_named(case: str, tmp_path: Path) -> None:
    """The rule speaks at its place."""
    tree, rule, place = FLAGGED[case]
    assert (rule, place) in seen(written(tmp_path, tree))
