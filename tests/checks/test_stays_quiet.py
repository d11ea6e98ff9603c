"""What is right although it looks like a fault: no error and no warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import BUILT, COPIED, DB, DOCKERFILE, MANAGE, SCRIPTED, Tree
from checks.test_check_examples import written
from tidegate.workflows.doctor import story

MIGRATE = "python manage.py migrate --noinput\nexec gunicorn site.wsgi\n"
SHORT = BUILT + "    depends_on: [db]\n" + DB
DJANGO = {"manage.py": MANAGE, "Dockerfile": DOCKERFILE}
PROBED = '    healthcheck:\n      test: ["CMD", "curl", "-f", "http://localhost:8000/"]\n'
REVISION = "revision = '{}'\ndown_revision = {}\nbranch_labels = {}\n"

WORKER = "services:\n  worker:\n    build: .\n    command: celery -A shop worker\n"
REDIS = "  redis:\n    image: redis:7\n"
REDIS_ONLY = "services:\n" + REDIS
REMOTE = 'from celery import Celery\n\napp = Celery("shop", broker="redis://redis:6379/0")\n'
CELERY = {
    "Dockerfile": COPIED,
    "shop/__init__.py": "",
    "shop/celery.py": 'from celery import Celery\n\napp = Celery("shop")\n',
}

NODE = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [{}]\n"
SQUASH = NODE.format("") + '    replaces = [("shop", "0001_initial"), ("shop", "0002_price")]\n'

# The worker's container has no RUN_MIGRATIONS: its default sends the function home.
GUARDED = {
    "Dockerfile": COPIED + 'ENTRYPOINT ["sh", "/app/start.sh"]\nCMD ["gunicorn", "site.wsgi"]\n',
    "start.sh": 'set -e\n. /app/lib.sh\nmigrate_db\nexec "$@"\n',
    "lib.sh": 'migrate_db() {\n  [ "${RUN_MIGRATIONS:-no}" = yes ] || return 0\n  python manage.py migrate\n}\n',
    "compose.yaml": BUILT + "    environment: {RUN_MIGRATIONS: 'yes'}\n  worker:\n    build: .\n    command: python work.py\n",
}  # fmt: skip

QUIET: dict[str, Tree] = {
    "an app with a label of its own": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "home/apps.py": 'class HomeConfig(AppConfig):\n    name = "home"\n    label = "front_home"\n', "home/migrations/0001_initial.py": NODE.format(""), "home/migrations/0002_a.py": NODE.format('("front_home", "0001_initial")')},
    "a label that only the migrations say": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "home/migrations/0001_initial.py": NODE.format(""), "home/migrations/0002_a.py": NODE.format('("front", "0001_initial")'), "home/migrations/0003_b.py": NODE.format('("front", "0002_a")')},
    "a squashed migration that others follow by its old names": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "shop/migrations/0001_squashed.py": SQUASH, "shop/migrations/0003_stock.py": NODE.format('("shop", "0002_price")')},
    "a client in the database's image": {"compose.yaml": "services:\n  create:\n    image: postgres:16\n    command: bash -c 'psql -h db -c \"CREATE DATABASE grafana\"'\n"},
    "a variable behind a flag": {"compose.yaml": "services:\n  db:\n    image: mysql:8\n    environment:\n      MYSQL_ROOT_PASSWORD: $MYSQL_PASSWORD\n    healthcheck:\n      test: mysql -uroot -p$MYSQL_PASSWORD -e 'select 1'\n"},
    "manage.py reads a file that the image has": {**DJANGO, "manage.py": MANAGE + "import dotenv\ndotenv.load_dotenv()\n", "site/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n', "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\nCOPY config/build.env .env\nRUN python manage.py collectstatic\n", ".dockerignore": ".env\n"},
    "Alpine's sh becomes its last command": {"Dockerfile": "FROM python:3.12-alpine\nCOPY . /app\n", "compose.yaml": BUILT + '    command: sh -c "uwsgi --ini uwsgi.ini"\n'},
    "a reloader in front of the worker": {"Dockerfile": SCRIPTED, "start.sh": "set -e\nwatchmedo \\\n    auto-restart -- \\\n    celery -A shop worker\n", "compose.yaml": BUILT},
    "a worker that goes its own way": {"Dockerfile": SCRIPTED, "start.sh": "set -e\ncelery -A shop worker --detach\ntail -f celery.log\n", "compose.yaml": BUILT},
    "a volume that another service hands over": {"Dockerfile": COPIED + 'RUN useradd app\nUSER app\nCMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: ['media:/srv/media']\n  prepare:\n    image: busybox:1\n    command: chown -R 1000 /srv/media\n    volumes: ['media:/srv/media']\nvolumes: {media: {}}\n"},
    "a folder that the base image knows": {"Dockerfile": "FROM example/base:1\nUSER 0\nCOPY . ${HOME_OF_APP}/src\nRUN chown -R app:app ${HOME_OF_APP}\nUSER 1000\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: ['media:/srv/app/media']\nvolumes: {media: {}}\n"},
    "a role that is another service's": {"Dockerfile": COPIED + 'ENV ROLE=web\nENTRYPOINT ["sh", "/app/run.sh"]\n', "run.sh": 'set -e\nif [ "$ROLE" = web ]; then\n  exec gunicorn site.wsgi\nelif [ "$ROLE" = "worker" ]; then\n  celery -A site worker\nelse\n  celery -A site beat\nfi\n', "compose.yaml": BUILT},
    "bash -c becomes its last command": {"Dockerfile": COPIED + 'CMD ["bash", "-c", "python warm.py && gunicorn site.wsgi"]\n', "compose.yaml": BUILT},
    "tini signals the whole group": {"Dockerfile": COPIED + 'ENTRYPOINT ["tini", "-g", "--", "sh", "/app/run.sh"]\n', "run.sh": "set -e\ngunicorn site.wsgi\n", "compose.yaml": BUILT},
    "dumb-init signals the whole group": {"Dockerfile": COPIED + 'ENTRYPOINT ["dumb-init", "--", "sh", "/app/run.sh"]\n', "run.sh": "set -e\ngunicorn site.wsgi\n", "compose.yaml": BUILT},
    "a trap passes the signal on": {"Dockerfile": SCRIPTED, "start.sh": "set -e\ntrap 'kill $child' TERM\ngunicorn site.wsgi &\nchild=$!\nwait $child\n", "compose.yaml": BUILT},
    "the entrypoint has a loop of its own": {"Dockerfile": SCRIPTED, "start.sh": "set -e\nuntil nc -z db 5432; do sleep 1; done\n" + MIGRATE, "compose.yaml": SHORT},
    "the entrypoint waits in Python": {"Dockerfile": SCRIPTED, "start.sh": "set -e\npython - <<'E'\nimport time\nwhile not up():\n    time.sleep(1)\nE\n" + MIGRATE, "compose.yaml": SHORT},
    "the entrypoint waits with a command of the project": {"Dockerfile": SCRIPTED, "start.sh": "set -e\npython manage.py wait_for_db\n" + MIGRATE, "compose.yaml": SHORT},
    "what wait-for-it starts waits by itself": {"Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY \\\n  docker/run.sh \\\n  docker/reach.sh \\\n  docker/wait-for-it.sh \\\n  docker/certs/* \\\n  /\nCMD [\"/run.sh\"]\n", "docker/run.sh*": "#!/bin/bash\nset -e\n. /reach.sh\nreach\nexec gunicorn site.wsgi\n", "docker/reach.sh": "reach() {\n  until python manage.py dbshell; do sleep 1; done\n}\n", "docker/wait-for-it.sh*": "#!/bin/sh\n", "docker/certs/a.pem": "", "compose.yaml": BUILT + "    entrypoint: ['/wait-for-it.sh', 'db:5432', '--', '/run.sh']\n"},
    "a broker in settings that another file makes": {**DJANGO, "site/settings.py": "from split_settings.tools import include\n\ninclude('settings.dist.py')\n", "site/celery.py": 'from celery import Celery\n\napp = Celery("site")\napp.config_from_object("django.conf:settings", namespace="CELERY")\n', "site/__init__.py": "", "compose.yaml": "services:\n  worker:\n    build: .\n    command: celery -A site worker\n"},
    "a development server whose migrations land in the project": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "compose.yaml": BUILT + "    command: sh -c 'python manage.py makemigrations && exec python manage.py runserver'\n    volumes: ['.:/app']\n"},
    "a deployment that looks at its migration": {"deploy.sh": "#!/bin/sh\nif ! docker compose run --rm web python manage.py migrate; then\n  exit 1\nfi\ndocker compose up -d\n", "compose.yaml": "services:\n  cache:\n    image: redis:7\n"},
    "a deployment whose start hangs on its migration": {"deploy.sh": "#!/bin/sh\ndocker compose run --rm web python manage.py migrate && docker compose up -d\n", "compose.yaml": "services:\n  cache:\n    image: redis:7\n"},
    "a file for a profile that nobody starts by itself": {"compose.yaml": "services:\n  metrics:\n    image: prom/prometheus:v3\n    profiles: [metrics]\n    volumes: ['./prometheus.yml:/etc/prometheus/prometheus.yml']\n"},
    "the migration itself is tried again": {"Dockerfile": SCRIPTED, "start.sh": "set -e\nuntil python manage.py migrate; do sleep 1; done\nexec gunicorn site.wsgi\n", "compose.yaml": SHORT},
    "a one-shot waits for the database": {"Dockerfile": DOCKERFILE, "compose.yaml": "services:\n  migrate:\n    build: .\n    command: python manage.py migrate\n    depends_on: {db: {condition: service_healthy}}\n  web:\n    build: .\n    depends_on: {migrate: {condition: service_completed_successfully}}\n" + DB},
    "only the web branch migrates": {"Dockerfile": COPIED + 'ENTRYPOINT ["sh", "/app/run.sh"]\n', "run.sh": "set -e\ncase \"$1\" in\n  web) python manage.py migrate; exec gunicorn site.wsgi ;;\n  worker) exec celery -A site worker ;;\nesac\n", "compose.yaml": "services:\n  web:\n    build: .\n    command: web\n    healthcheck: {test: test -f /ready}\n  worker:\n    build: .\n    command: worker\n    depends_on: {web: {condition: service_healthy}}\n"},
    "flock lets one through": {"Dockerfile": SCRIPTED, "start.sh": "set -e\nflock /shared/lock python manage.py migrate\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT + "    scale: 3\n"},
    "set -e in the shebang": {"Dockerfile": COPIED + 'RUN chmod +x run.sh\nENTRYPOINT ["/app/run.sh"]\n', "run.sh": "#!/bin/sh -e\n" + MIGRATE, "compose.yaml": BUILT},
    "a failure is looked at": {"Dockerfile": SCRIPTED, "start.sh": "python manage.py migrate || { echo failed; exit 1; }\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT},
    "exec in both branches": {"Dockerfile": SCRIPTED, "start.sh": 'set -e\nif [ "$DEV" ]; then\n  exec python manage.py runserver\nelse\n  exec gunicorn site.wsgi\nfi\n', "compose.yaml": BUILT},
    "COPY sets the mode": {"Dockerfile": "FROM python:3.12\nCOPY --chmod=0755 run.sh /run.sh\nENTRYPOINT [\"/run.sh\"]\n", "run.sh": "#!/bin/sh\nset -e\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT},
    "find sets the mode": {"Dockerfile": COPIED + 'RUN find . -name "*.sh" -exec chmod +x {} +\nENTRYPOINT ["/app/run.sh"]\n', "run.sh": "#!/bin/sh\nset -e\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT},
    "the host's file has the bit": {"Dockerfile": COPIED + 'ENTRYPOINT ["/app/run.sh"]\n', "run.sh*": "#!/bin/sh\nset -e\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT + "    volumes: ['.:/app']\n"},
    "the full image has curl": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + PROBED},
    "a RUN over several lines installs curl": {"Dockerfile": "FROM python:3.12-slim\nRUN apt-get update \\\n    && apt-get install -y --no-install-recommends \\\n       libpq5 \\\n       curl \\\n    && rm -rf /var/lib/apt/lists/*\nCOPY . /app\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + PROBED},
    "an earlier stage installs curl": {"Dockerfile": "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y curl\nFROM base\nCOPY . /app\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + PROBED},
    "Alpine's busybox has wget": {"Dockerfile": "FROM python:3.12-alpine\nCOPY . /app\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + PROBED.replace('"curl", "-f"', '"wget", "-q"')},
    "a .env file with Windows newlines": {".env": "A=1\r\nB='x$y'\r\n", "compose.yaml": "services:\n  web:\n    image: example/web:1\n    environment:\n      A: ${A}\n"},
    "localhost with the host's network": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    network_mode: host\n    environment:\n      DB_HOST: localhost\n" + DB},
    "a database outside": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    environment:\n      DB_HOST: shop.cluster-abc.eu-west-1.rds.amazonaws.com\n" + DB},
    "a database on the host": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    environment:\n      DB_HOST: host.docker.internal\n" + DB},
    "an alias of the database": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    environment:\n      DB_HOST: primary\n" + DB + "    networks: {default: {aliases: [primary]}}\n"},
    "variables of a file that each machine makes": {**DJANGO, "site/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n', "compose.yaml": BUILT + "    env_file: .env\n"},
    "a variable of the shell": {**DJANGO, "site/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n', "compose.yaml": BUILT + "    environment:\n      - SECRET_KEY\n"},
    "hosts that only the machine knows": {**DJANGO, "site/settings.py": 'import os\n\nSECRET_KEY = "x"\nALLOWED_HOSTS = os.environ.get("HOSTS", "").split(",")\n', "compose.yaml": BUILT + PROBED + "    environment:\n      HOSTS: ${HOSTS}\n"},
    "settings under a condition": {**DJANGO, "site/settings.py": 'import os\n\nSECRET_KEY = "x"\nALLOWED_HOSTS = ["a.example.org"]\nif os.environ.get("DEV"):\n    ALLOWED_HOSTS = ["*"]\n', "compose.yaml": BUILT + PROBED},
    "a probe that does not look at the code": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["a.example.org"]\n', "compose.yaml": BUILT + '    healthcheck:\n      test: curl -s http://localhost:8000/\n'},
    "a build with SQLite": {"manage.py": MANAGE, "site/settings.py": 'SECRET_KEY = "x"\n', "Dockerfile": COPIED + "RUN DATABASE_URL=sqlite:////tmp/x python manage.py migrate\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT},
    "a secret mount of the build": {"manage.py": MANAGE, "site/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n', "Dockerfile": COPIED + "RUN --mount=type=secret,id=key,env=SECRET_KEY python manage.py collectstatic\n" + 'CMD ["gunicorn", "site.wsgi"]\n'},
    "labelled branches of Alembic": {"alembic.ini": "[alembic]\nscript_location = m\n", "m/env.py": "\n", "m/versions/a.py": REVISION.format("a", None, "('x',)"), "m/versions/b.py": REVISION.format("b", None, "('y',)")},
    "PGDATA below the mount": {"compose.yaml": "services:\n  db:\n    image: postgres:18\n    environment: {POSTGRES_PASSWORD: x, PGDATA: /var/lib/postgresql/data/18}\n    volumes: ['db:/var/lib/postgresql/data']\nvolumes:\n  db:\n"},
    "a pinned digest": {"compose.yaml": "services:\n  db:\n    image: postgres@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n    environment: {POSTGRES_PASSWORD: x}\n    volumes: ['db:/var/lib/postgresql']\nvolumes:\n  db:\n"},
    "a read-only volume of another's files": {"Dockerfile": COPIED + 'USER 1000\nCMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: ['certs:/certs:ro']\nvolumes:\n  certs:\n"},
    "the code handed over as a whole": {"Dockerfile": "FROM python:3.12\nRUN useradd app\nWORKDIR /app\nCOPY . .\nRUN mkdir -p media && chown -R app /app\nUSER app\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: ['media:/app/media']\nvolumes:\n  media:\n"},
    "a development stack with runserver": {"Dockerfile": COPIED, "manage.py": MANAGE, "start.sh": "python manage.py runserver 0.0.0.0:8000\n", "compose.yaml": BUILT + "    command: sh start.sh\n    volumes: ['.:/app']\n"},
    "an nginx that asks DNS at each request": {"nginx.conf": "server {\n  resolver 127.0.0.11;\n  set $up http://elsewhere;\n  location / { proxy_pass $up; }\n}\n", "compose.yaml": "services:\n  proxy:\n    image: nginx:1.27\n    volumes: ['./nginx.conf:/etc/nginx/nginx.conf:ro']\n"},
    "a broker that Celery reads by itself": {**CELERY, "compose.yaml": WORKER + "    environment:\n      CELERY_BROKER_URL: redis://redis:6379/0\n" + REDIS},
    "settings that only Celery loads": {**DJANGO, "Dockerfile": COPIED, "site/settings.py": 'SECRET_KEY = "x"\n', "site/queue.py": 'CELERY_BROKER_URL = "redis://redis:6379/0"\n', "site/celery.py": 'import os\nfrom celery import Celery\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.queue")\napp = Celery("site")\napp.config_from_object("django.conf:settings", namespace="CELERY")\n', "compose.yaml": WORKER.replace("shop", "site") + REDIS},
    "Celery's settings in a module of their own": {**CELERY, "shop/celery.py": CELERY["shop/celery.py"] + 'app.config_from_object("shop.celeryconfig")\n', "compose.yaml": WORKER + REDIS},
    "a broker that the environment decides about": {**CELERY, "shop/celery.py": 'import os\nfrom celery import Celery\n\napp = Celery("shop", broker=os.environ.get("BROKER", "redis://localhost"))\n', "compose.yaml": WORKER + "    environment:\n      BROKER: ${BROKER}\n" + REDIS},
    "a lock file brings the broker's client": {**CELERY, "shop/celery.py": REMOTE, "pyproject.toml": '[project]\nname = "s"\ndependencies = ["celery"]\n', "uv.lock": '[[package]]\nname = "celery"\nversion = "5.5.3"\n\n[[package]]\nname = "redis"\nversion = "6.0"\n', "compose.yaml": WORKER + REDIS},
    "one beat beside many workers": {**CELERY, "shop/celery.py": REMOTE, "compose.yaml": WORKER + "    deploy: {replicas: 3}\n  beat:\n    build: .\n    command: celery -A shop beat\n" + REDIS},
    "beats with RedBeat's lock": {**CELERY, "shop/celery.py": REMOTE, "compose.yaml": "services:\n  beat:\n    build: .\n    command: celery -A shop beat -S redbeat.RedBeatScheduler\n    deploy: {replicas: 2}\n" + REDIS},
    "a countdown within the visibility timeout": {**CELERY, "shop/celery.py": REMOTE, "shop/tasks.py": "remind.apply_async(countdown=60 * 30)\n", "compose.yaml": WORKER + REDIS},
    "a long countdown with RabbitMQ": {**CELERY, "shop/celery.py": REMOTE.replace("redis://redis", "amqp://rabbit"), "shop/tasks.py": "remind.apply_async(countdown=60 * 60 * 5)\n", "compose.yaml": WORKER + "  rabbit:\n    image: rabbitmq:4\n"},
    "a script that makes a development stack anew": {"reset.sh": "docker compose down -v\ndocker compose up -d --build\n", "deploy.sh": "docker compose pull\ndocker compose up -d\ndocker compose down --remove-orphans old\n", "compose.yaml": REDIS_ONLY},
    "a lock that a trap takes away": {"deploy.sh": "mkdir /tmp/deploy.lock || exit 1\ntrap 'rmdir /tmp/deploy.lock' EXIT\ndocker compose up -d\n", "compose.yaml": REDIS_ONLY},
    "a package list's lock": {"update.sh": "[ -e uv.lock ] || touch uv.lock\nmkdir -p locks\n", "compose.yaml": REDIS_ONLY},
    "a backup image with versions of its own": {"compose.yaml": "services:\n  dump:\n    image: example/pg-backup:3.1\n" + DB},
    "a dump in the server's own container": {"backup.sh": "docker compose exec db pg_dump shop > dump.sql\n", "Dockerfile": "FROM python:3.12-slim-bookworm\nRUN apt-get update && apt-get install -y postgresql-client\nCOPY . /app\n" + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + DB},
    "a bounded wait for a lock": {"alembic.ini": "[alembic]\nscript_location = m\n", "m/env.py": 'c.execute("SET lock_timeout = 60000")\nc.execute("SELECT pg_advisory_lock(1)")\n'},
    "tests of migrations in a folder of that name": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "tests/shop/migrations/test_0001_a.py": "from django.db import migrations\nfrom django.db.migrations import Migration\n\n\ndef test_one(): ...\n", "tests/shop/migrations/test_0002_b.py": "def test_two():\n    assert Migration\n"},
    "a volume of a user that the base image brings": {"Dockerfile": 'FROM example/python-base:3.12\nUSER shop\nWORKDIR /src\nCOPY . .\nCMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: ['media:/var/media']\nvolumes: {media: {}}\n"},
    "a front end's image that leaves the back end out": {**DJANGO, "site/settings.py": 'SECRET_KEY = "x"\n', "shop/migrations/0001_initial.py": NODE.format(""), "front/Dockerfile": "FROM node:24-alpine\nCOPY . .\nRUN npm run build\n", "front/Dockerfile.dockerignore": "shop/\n", "compose.yaml": BUILT + "  front:\n    build: {context: ., dockerfile: front/Dockerfile}\n"},
    "a beat behind a worker that waits": {"Dockerfile": SCRIPTED, "start.sh": "set -e\n" + MIGRATE, "compose.yaml": BUILT + PROBED + "  worker:\n    build: .\n    entrypoint: [celery, -A, site, worker]\n    depends_on: {web: {condition: service_healthy}}\n  beat:\n    build: .\n    entrypoint: [celery, -A, site, beat]\n    depends_on: [worker]\n"},
    "a program of the project may install the probe's tool": {"Dockerfile": 'FROM ubuntu:24.04\nWORKDIR /app\nCOPY . .\nRUN /app/setup/install --production\nCMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + PROBED},
    "only an example of what lies over the Compose file": {"compose.yaml": "services:\n  cache:\n    image: redis:7\n    secrets: [shop__key]\n", "compose.override.yaml.example": "secrets:\n  shop__key: {environment: KEY}\n"},
    "an autoscaler of another workload": {"k8s/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n        - {name: web, command: [sh, -c, 'python manage.py migrate; exec gunicorn shop.wsgi']}\n", "k8s/scale.yaml": "kind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: {kind: Deployment, name: worker}\n  minReplicas: 2\n"},
    "a guard keeps the migration from the worker": GUARDED,
    "a login that scripts of the server make": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://shop:one@db/shop\n" + DB + "    volumes: ['./init:/docker-entrypoint-initdb.d']\n"},
    "a password that only the machine knows": {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://postgres:${PASSWORD}@db/postgres\n" + DB},
    "a database that the project makes": {"Dockerfile": SCRIPTED, "start.sh": "set -e\ncreatedb -h db -U postgres shop || :\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://postgres:shop@db/shop\n" + DB},
    "what a failure leads to speaks, and ends the script": {"Dockerfile": SCRIPTED, "start.sh": 'say() {\n  echo "$1"\n}\ngive_up() {\n  say "$1"\n  exit 1\n}\nif ! python manage.py migrate; then\n  say "gathering"\n  give_up "no"\nfi\nexec gunicorn site.wsgi\n', "compose.yaml": BUILT},
}  # fmt: skip


@pytest.mark.parametrize("case", QUIET, ids=lambda case: case.replace(" ", "-"))
def test_it_is_let_be(case: str, tmp_path: Path) -> None:
    """Neither an error nor a warning."""
    found = story.examine(written(tmp_path, QUIET[case]))
    assert [(one.rule, one.problem.message) for one in found if one.severity != "info"] == []
