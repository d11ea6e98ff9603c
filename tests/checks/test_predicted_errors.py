"""The error that a check predicts is the one that the engine or the program then prints."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from checks.engine import BASE, remove
from checks.test_check_examples import CHECKS, Tree, seen, written

WAIT = 60.0
APP = f"FROM {BASE}\nWORKDIR /app\nCOPY . .\n"
SLIM = "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
WEB = "services:\n  web:\n    build: .\n"
DB = "  db:\n    image: postgres:15\n    environment:\n      POSTGRES_PASSWORD: shop\n"
MANAGE = """import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
SETTINGS = 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nDATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/db"}}\n'
ON_POSTGRES = 'SECRET_KEY = "x"\nDATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "PASSWORD": "shop", "HOST": __import__("os").environ.get("DB_HOST", "db")}}\n'
MODELS = (
    "from django.db import models\n\n\nclass Item(models.Model):\n    text = models.TextField()\n"
)
NODE = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [{}]\n"
ENV_PY = """import os
from alembic import context
from sqlalchemy import create_engine, pool

config = context.config
config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"])
with create_engine(config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
INI = "[alembic]\nscript_location = migrations\n"
REVISION = 'revision = "1"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n'
# It goes on once another container has logged in, and has had a moment to read the old version.
OVERLAPPING = """    import time

    from alembic import op

    op.execute("CREATE TABLE a (id int)")
    others = "SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND pid <> pg_backend_pid()"
    for _ in range(300):
        op.execute("SELECT pg_stat_clear_snapshot()")
        if op.get_bind().exec_driver_sql(others).scalar():
            break
        time.sleep(0.1)
    time.sleep(3)"""
WSGI = """import os

os.environ["DJANGO_SETTINGS_MODULE"] = "site_.settings"
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""
HEALTHY = '    healthcheck:\n      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"]\n      interval: 1s\n      retries: 60\n'


@dataclass(frozen=True)
class Case:
    """A faulty project, and what to type to meet the fault."""

    rule: str
    tree: Tree
    how: str = "up"
    services: tuple[str, ...] = ()
    then: tuple[str, ...] = field(default=())


CASES = (
    Case(
        "windows-line-endings",
        {
            "Dockerfile": SLIM + 'RUN chmod +x run.sh\nENTRYPOINT ["/app/run.sh"]\n',
            "run.sh": "#!/bin/sh\r\necho hello\r\n",
            "compose.yaml": WEB,
        },
    ),
    Case(
        "script-not-executable",
        {
            "Dockerfile": SLIM + 'ENTRYPOINT ["/app/run.sh"]\n',
            "run.sh": "#!/bin/sh\necho hello\n",
            "compose.yaml": WEB,
        },
    ),
    Case(
        "script-without-shebang",
        {
            "Dockerfile": SLIM + 'RUN chmod +x run.sh\nENTRYPOINT ["/app/run.sh"]\n',
            "run.sh": "echo hello\n",
            "compose.yaml": WEB,
        },
    ),
    Case(
        "mount-hides-entrypoint",
        {
            "Dockerfile": 'FROM python:3.11-slim\nWORKDIR /app\nCOPY --chmod=755 docker/run.sh /app/run.sh\nENTRYPOINT ["/app/run.sh"]\n',
            "docker/run.sh": "#!/bin/sh\necho hello\n",
            "compose.yaml": WEB + "    volumes:\n      - .:/app\n",
        },
    ),
    Case(
        "started-file-not-in-image",
        {
            "Dockerfile": 'FROM python:3.11-slim\nWORKDIR /app\nCMD ["python", "manage.py", "check"]\n',
            "manage.py": MANAGE,
            "compose.yaml": WEB,
        },
    ),
    Case(
        "app-never-gets-the-stop-signal",
        {
            "Dockerfile": APP + "CMD gunicorn app:app\n",
            "app.py": "def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n",
            "compose.yaml": WEB + "    stop_grace_period: 1s\n",
        },
        then=("stop",),
    ),
    Case(
        "dollar-cuts-value",
        {
            ".env": "SHOP_PASSWORD=pa$word\n",
            "compose.yaml": "services:\n  web:\n    image: python:3.11-slim\n    environment:\n      SHOP_PASSWORD: ${SHOP_PASSWORD}\n",
        },
        "config",
    ),
    Case(
        "compose-file-unreadable",
        {
            "compose.yaml": "services:\n  web:\n    image: python:3.11-slim\n    command: [run\n  db:\n    image: postgres:15\n"
        },
        "config",
    ),
    Case(
        "database-password-missing", {"compose.yaml": "services:\n  db:\n    image: postgres:15\n"}
    ),
    Case(
        "pg-isready-without-user",
        {
            "compose.yaml": "services:\n  db:\n    image: postgres:15\n    environment:\n      POSTGRES_PASSWORD: shop\n    healthcheck:\n      test: pg_isready\n      interval: 1s\n"
        },
    ),
    Case(
        "cmd-shell-ignores-words",
        {
            "compose.yaml": 'services:\n  db:\n    image: postgres:15\n    environment:\n      POSTGRES_PASSWORD: shop\n    healthcheck:\n      test: ["CMD-SHELL", "pg_isready", "-U", "postgres"]\n      interval: 1s\n'
        },
    ),
    Case(
        "probe-tool-missing",
        {
            "Dockerfile": SLIM + 'CMD ["sleep", "60"]\n',
            "compose.yaml": WEB
            + '    healthcheck:\n      test: ["CMD", "wget", "-q", "http://localhost:8000/"]\n      interval: 1s\n      retries: 1\n',
        },
    ),
    Case(
        "one-shot-restarts",
        {
            # A run of more than ten seconds would begin the engine's growing pauses anew: on a busy
            # machine Django takes that long, and a pause is then over before anyone has looked.
            "Dockerfile": APP,
            "manage.py": "print('No migrations to apply.')\n",
            "site_/settings.py": SETTINGS,
            "compose.yaml": WEB + "    command: python manage.py migrate\n    restart: always\n",
        },
    ),
    Case(
        "database-host-unknown",
        {
            "Dockerfile": APP + 'CMD ["python", "manage.py", "migrate"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES,
            "compose.yaml": WEB + "    environment:\n      DB_HOST: databse\n" + DB,
        },
        services=("web",),
    ),
    Case(
        "localhost-in-container",
        {
            "Dockerfile": APP + 'CMD ["python", "manage.py", "migrate"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES,
            "compose.yaml": WEB + "    environment:\n      DB_HOST: localhost\n" + DB,
        },
        services=("web",),
    ),
    Case(
        "nothing-waits-for-database",
        {
            "Dockerfile": APP
            + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn app:app"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES,
            "compose.yaml": WEB + "    depends_on:\n      - db\n" + DB,
        },
    ),
    Case(
        "database-needed-at-build",
        {
            "Dockerfile": APP
            + 'RUN python manage.py migrate --noinput\nCMD ["gunicorn", "app:app"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES,
            "compose.yaml": WEB + DB,
        },
        "build",
    ),
    Case(
        "build-needs-secret-key",
        {
            "Dockerfile": APP + "RUN python manage.py check\n",
            "manage.py": MANAGE,
            "site_/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n',
            "compose.yaml": WEB,
        },
        "build",
    ),
    Case(
        "custom-user-without-migration",
        {
            "Dockerfile": APP + 'CMD ["python", "manage.py", "migrate"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES
            + 'INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages", "users"]\nAUTH_USER_MODEL = "users.User"\nSILENCED_SYSTEM_CHECKS = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]\n',
            "users/__init__.py": "",
            "users/models.py": "from django.contrib.auth.models import AbstractUser\n\n\nclass User(AbstractUser):\n    pass\n",
            "compose.yaml": WEB
            + "    depends_on: {db: {condition: service_healthy}}\n"
            + DB
            + HEALTHY,
        },
    ),
    Case(
        "models-without-migrations",
        {
            "Dockerfile": APP
            + 'CMD ["sh", "-c", "python manage.py migrate && python manage.py shell -c \'from todo.models import Item; Item.objects.count()\'"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS
            + 'INSTALLED_APPS = ["django.contrib.contenttypes", "todo"]\n',
            "todo/__init__.py": "",
            "todo/models.py": MODELS,
            "compose.yaml": WEB,
        },
    ),
    Case(
        "several-heads",
        {
            "Dockerfile": APP + 'CMD ["python", "manage.py", "migrate"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS + 'INSTALLED_APPS = ["todo"]\n',
            "todo/__init__.py": "",
            "todo/models.py": "",
            "todo/migrations/__init__.py": "",
            "todo/migrations/0001_initial.py": NODE.format(""),
            "todo/migrations/0002_a.py": NODE.format('("todo", "0001_initial")'),
            "todo/migrations/0002_b.py": NODE.format('("todo", "0001_initial")'),
            "compose.yaml": WEB,
        },
    ),
    Case(
        "percent-in-alembic-url",
        {
            "Dockerfile": APP + 'CMD ["alembic", "upgrade", "head"]\n',
            "alembic.ini": INI,
            "migrations/env.py": ENV_PY,
            "migrations/versions/1.py": REVISION,
            "compose.yaml": WEB
            + "    environment:\n      DATABASE_URL: postgresql+psycopg://shop:pa%40ss@db.invalid/shop\n",
        },
    ),
    Case(
        "postgres-scheme",
        {
            "requirements.txt": "sqlalchemy>=2\n",
            "Dockerfile": APP + 'CMD ["alembic", "upgrade", "head"]\n',
            "alembic.ini": INI,
            "migrations/env.py": ENV_PY.replace(
                '["DATABASE_URL"])', '["DATABASE_URL"].replace("%", "%%"))'
            ),
            "migrations/versions/1.py": REVISION,
            "compose.yaml": WEB
            + "    environment:\n      DATABASE_URL: postgres://shop:shop@db.invalid/shop\n",
        },
    ),
    Case(
        "variable-never-reaches-container",
        {
            ".env": "API_KEY=x\n",
            "Dockerfile": APP + 'CMD ["python", "manage.py", "check"]\n',
            "manage.py": MANAGE,
            "site_/settings.py": 'import os\n\nSECRET_KEY = "x"\nAPI_KEY = os.environ["API_KEY"]\n',
            "compose.yaml": WEB,
        },
    ),
    Case(
        "url-password-not-escaped",
        {
            "Dockerfile": SLIM
            + 'CMD ["python", "-c", "import os; from urllib.parse import urlsplit; print(urlsplit(os.environ[\'DATABASE_URL\']).port)"]\n',
            "compose.yaml": WEB
            + "    environment:\n      DATABASE_URL: postgresql://shop:pa/ss@db/shop\n",
        },
    ),
    Case(
        "probe-host-not-allowed",
        {
            "Dockerfile": APP + 'CMD ["gunicorn", "wsgi:application", "--bind=0.0.0.0:8000"]\n',
            "wsgi.py": WSGI,
            "manage.py": MANAGE,
            "site_/settings.py": 'SECRET_KEY = "x"\nDEBUG = False\nALLOWED_HOSTS = ["shop.example.org"]\nMIDDLEWARE = ["django.middleware.common.CommonMiddleware"]\nROOT_URLCONF = "site_.urls"\nLOGGING = {"version": 1, "disable_existing_loggers": False, "handlers": {"c": {"class": "logging.StreamHandler"}}, "root": {"handlers": ["c"]}}\n',
            "site_/urls.py": "urlpatterns = []\n",
            "compose.yaml": WEB
            + '    healthcheck:\n      test: ["CMD", "python", "-c", "import urllib.request as r; r.urlopen(\'http://localhost:8000/\')"]\n      interval: 1s\n',
        },
    ),
    Case(
        "volume-owned-by-root",
        {
            "Dockerfile": APP + 'RUN useradd app\nUSER app\nCMD ["gunicorn", "app:app"]\n',
            "app.py": "open('/app/media/a.png', 'w')\n",
            "compose.yaml": WEB + "    volumes:\n      - media:/app/media\nvolumes:\n  media:\n",
        },
    ),
    Case(
        "proxy-host-unknown",
        {
            "nginx.conf": "server {\n    listen 80;\n    location / {\n        proxy_pass http://app:8000;\n    }\n}\n",
            "compose.yaml": "services:\n  proxy:\n    image: nginx:alpine\n    volumes:\n      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro\n  web:\n    image: redis:7\n",
        },
        services=("proxy",),
    ),
    Case(
        "database-server-not-used",
        {
            "Dockerfile": APP + 'CMD ["gunicorn", "wsgi"]\n',
            "wsgi.py": WSGI,
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS.replace("/tmp/db", "/srv/db"),
            "compose.yaml": WEB
            + "    environment:\n      DATABASE_URL: postgresql://postgres:shop@db/postgres\n"
            + DB
            + HEALTHY
            + "  look:\n    image: postgres:15\n    command: psql postgresql://postgres:shop@db -c '\\dt'\n    depends_on: {db: {condition: service_healthy}}\n",
        },
    ),
    Case(
        "worker-starts-before-schema",
        {
            "Dockerfile": APP,
            "manage.py": MANAGE,
            "site_/settings.py": ON_POSTGRES + 'INSTALLED_APPS = ["todo"]\n',
            "todo/__init__.py": "",
            "todo/models.py": MODELS,
            "todo/migrations/__init__.py": "",
            "todo/migrations/0001_initial.py": NODE.format(""),
            "todo/management/__init__.py": "",
            "todo/management/commands/__init__.py": "",
            "todo/management/commands/qcluster.py": "from django.core.management.base import BaseCommand\n\nfrom todo.models import Item\n\n\nclass Command(BaseCommand):\n    def handle(self, **options):\n        Item.objects.count()\n",
            "compose.yaml": "services:\n  web:\n    build: .\n    command: sh -c 'sleep 20; python manage.py migrate && exec gunicorn app:app'\n    depends_on: {db: {condition: service_healthy}}\n  worker:\n    build: .\n    command: python manage.py qcluster\n    depends_on: {db: {condition: service_healthy}}\n"
            + DB
            + HEALTHY,
        },
    ),
    Case(
        "several-containers-migrate",
        {
            "Dockerfile": APP
            + 'CMD ["sh", "-c", "alembic upgrade head && exec gunicorn app:app"]\n',
            "alembic.ini": INI,
            "migrations/env.py": ENV_PY.replace(
                '["DATABASE_URL"])', '["DATABASE_URL"].replace("%", "%%"))'
            ),
            "migrations/versions/1.py": REVISION.replace(
                "    pass",
                OVERLAPPING,
            ),
            "compose.yaml": WEB
            + "    environment:\n      DATABASE_URL: postgresql+psycopg://postgres:shop@db/postgres\n    depends_on: {db: {condition: service_healthy}}\n    deploy:\n      replicas: 3\n"
            + DB
            + HEALTHY,
        },
    ),
    Case(
        "bind-source-missing",
        {
            "compose.yaml": "services:\n  proxy:\n    image: nginx:alpine\n    volumes:\n      - ./nginx.conf:/etc/nginx/nginx.conf:ro\n"
        },
    ),
    Case(
        "failed-migration-is-ignored",
        {
            "Dockerfile": APP + 'ENTRYPOINT ["sh", "/app/run.sh"]\n',
            "run.sh": "python manage.py migrate\nexec gunicorn wsgi\n",
            "wsgi.py": WSGI + "\nfrom todo.models import Item\n\nItem.objects.count()\n",
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS + 'INSTALLED_APPS = ["todo"]\n',
            "todo/__init__.py": "",
            "todo/models.py": MODELS,
            "todo/migrations/__init__.py": "",
            "todo/migrations/0001_initial.py": NODE.format("")
            + '    operations = [migrations.RunSQL("CREATE TABEL todo_item (id int)")]\n',
            "compose.yaml": WEB,
        },
    ),
    Case(
        "manifest-never-collected",
        {
            "Dockerfile": APP + 'CMD ["gunicorn", "wsgi"]\n',
            "wsgi.py": WSGI
            + "\nfrom django.templatetags.static import static\n\nstatic('css/app.css')\n",
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS
            + 'INSTALLED_APPS = ["django.contrib.staticfiles"]\nSTATIC_URL = "static/"\nSTATIC_ROOT = "/srv/static"\nSTORAGES = {\n    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},\n}\n',
            "compose.yaml": WEB,
        },
    ),
    Case(
        "probe-redirected-to-https",
        {
            "Dockerfile": APP + 'CMD ["gunicorn", "wsgi:application", "--bind=0.0.0.0:8000"]\n',
            "wsgi.py": WSGI,
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS
            + 'MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]\nSECURE_SSL_REDIRECT = True\nROOT_URLCONF = "site_.urls"\n',
            "site_/urls.py": "urlpatterns = []\n",
            "compose.yaml": WEB
            + '    healthcheck:\n      test: ["CMD", "python", "-c", "import urllib.request as r; r.urlopen(\'http://localhost:8000/\')"]\n      interval: 1s\n',
        },
    ),
    Case(
        "healthcheck-shorter-than-migration",
        {
            "Dockerfile": APP
            + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn wsgi --bind=0.0.0.0:8000"]\n',
            "wsgi.py": WSGI,
            "manage.py": MANAGE,
            "site_/settings.py": SETTINGS + 'INSTALLED_APPS = ["todo"]\n',
            "todo/__init__.py": "",
            "todo/models.py": "",
            "todo/migrations/__init__.py": "",
            "todo/migrations/0001_initial.py": NODE.format("")
            + "    operations = [migrations.RunPython(lambda apps, editor: __import__('time').sleep(30))]\n",
            "compose.yaml": WEB
            + '    healthcheck:\n      test: ["CMD", "python", "-c", "import urllib.request as r; r.urlopen(\'http://localhost:8000/\')"]\n      interval: 1s\n      retries: 2\n  proxy:\n    image: nginx:alpine\n    depends_on: {web: {condition: service_healthy}}\n',
        },
    ),
)


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest,
    docker: Callable[..., str],
    base_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[tuple[list[str], str]]]]:
    """Run the chosen cases, a few at a time: most of their time is waiting."""
    chosen = [one.callspec.params["case"] for one in request.session.items
              if hasattr(one, "callspec") and "case" in one.callspec.params
              and isinstance(one.callspec.params["case"], Case)]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        yield {
            case.rule: pool.submit(printed_by, case, docker, tmp_path_factory.mktemp("case"))
            for case in chosen
        }


def printed_by(case: Case, docker: Callable[..., str], folder: Path) -> tuple[list[str], str]:
    """Return the rules that doctor names, and what running the project prints."""
    rules = [rule for rule, _ in seen(written(folder, case.tree))]
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    try:
        return rules, _printed(case, docker, name, folder)
    finally:
        remove(docker, name, folder)


def _printed(case: Case, docker: Callable[..., str], name: str, folder: Path) -> str:
    compose = ("compose", "-p", name)
    if case.how == "config":
        return docker("compose", "config", cwd=folder)
    if case.how == "build":
        return docker(*compose, "build", cwd=folder)
    printed = docker(*compose, "up", "--build", "--detach", *case.services, cwd=folder)
    for word in case.then:
        printed += docker(*compose, word, cwd=folder)
    end = time.monotonic() + WAIT
    while not matched(case.rule, printed) and time.monotonic() < end:
        time.sleep(0.5)
        printed = docker(*compose, "logs", "--no-color", cwd=folder)
        printed += docker(*compose, "ps", "--all", cwd=folder)
        for one in docker(*compose, "ps", "--all", "--quiet", cwd=folder).split():
            printed += docker("inspect", "--format", "{{json .State}}", one).replace('\\"', '"')
    return printed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_predicted_error_is_printed(
    case: Case, runs: dict[str, Future[tuple[list[str], str]]]
) -> None:
    """Doctor names the rule, and running the project prints what the rule says it will."""
    rules, printed = runs[case.rule].result()
    assert case.rule in rules
    assert matched(case.rule, printed), printed[-1500:]


def matched(rule: str, text: str) -> bool:
    return any(re.search(one, text) for one in CHECKS[rule].ERRORS)
