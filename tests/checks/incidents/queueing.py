"""Queues, locks that outlive their holders, and deployments that stop first."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, DB, MANAGE, Incident

WORKER = "services:\n  worker:\n    build: .\n    command: celery -A site worker\n"
REDIS = "  redis:\n    image: redis:7\n"
APP = 'from celery import Celery\n\napp = Celery("site", broker="redis://{}:6379/0")\n'
OWN = 'from celery import Celery\n\napp = Celery("site")\napp.config_from_object("django.conf:settings", namespace="CELERY")\n'
LOCK = 'def run(c):\n    {}c.execute("SELECT pg_advisory_lock(7)")\n'

INCIDENTS = (
    Incident(
        "the worker goes to RabbitMQ though the project uses Redis",
        "consumer: Cannot connect to amqp://guest:**@127.0.0.1:5672//: [Errno 111] Connection refused.",
        "celery-without-broker",
        "site/celery.py:3",
        {
            "manage.py": MANAGE,
            "site/settings.py": 'SECRET_KEY = "x"\nBROKER_URL = "redis://redis:6379/0"\n',
            "site/celery.py": OWN,
            "Dockerfile": COPIED,
            "compose.yaml": WORKER + REDIS,
        },
        {"site/settings.py": 'SECRET_KEY = "x"\nCELERY_BROKER_URL = "redis://redis:6379/0"\n'},
    ),
    Incident(
        "the settings' default broker is on the developer's machine",
        "Error 111 connecting to localhost:6379. Connection refused.",
        "localhost-in-container",
        "site/settings.py:3",
        {
            "manage.py": MANAGE,
            "site/settings.py": 'import os\nSECRET_KEY = "x"\nCELERY_BROKER_URL = os.environ.get("BROKER", "redis://localhost:6379/0")\n',
            "site/celery.py": OWN,
            "Dockerfile": COPIED,
            "compose.yaml": WORKER + REDIS,
        },
        {"compose.yaml": WORKER + "    environment:\n      BROKER: redis://redis:6379/0\n" + REDIS},
    ),
    Incident(
        "the broker's service was renamed",
        "consumer: Cannot connect to redis://cache:6379/0: Error -3 connecting to cache:6379. Temporary failure in name resolution.",
        "broker-host-unknown",
        "site/celery.py:3",
        {
            "site/celery.py": APP.format("cache"),
            "Dockerfile": COPIED,
            "compose.yaml": WORKER + REDIS,
        },
        {"site/celery.py": APP.format("redis")},
    ),
    Incident(
        "a mail is sent once for every replica",
        "_gdbm.error: [Errno 11] Resource temporarily unavailable: 'celerybeat-schedule'",
        "several-beats",
        "compose.yaml:7",
        {
            "site/celery.py": APP.format("redis"),
            "Dockerfile": COPIED,
            "compose.yaml": WORKER.replace("worker\n", "worker --beat\n", 2).replace(
                "  worker --beat:", "  worker:"
            )
            + "  beat:\n    build: .\n    command: celery -A site beat\n"
            + REDIS,
        },
        {
            "compose.yaml": WORKER
            + "  beat:\n    build: .\n    command: celery -A site beat\n"
            + REDIS
        },
    ),
    Incident(
        "a deployment hangs two hours behind a host that died",
        "waiting to acquire database lock",
        "lock-outlives-its-holder",
        "m/env.py:2",
        {
            "alembic.ini": "[alembic]\nscript_location = m\n",
            "m/env.py": LOCK.format(""),
        },
        {"m/env.py": LOCK.format('c.execute("SET lock_timeout = 300000")\n    ')},
    ),
    Incident(
        "a cancelled deployment leaves its lock",
        "mkdir: cannot create directory '/srv/deploy.lock': File exists",
        "lock-file-stays-behind",
        "bin/deploy.sh:2",
        {
            "bin/deploy.sh": "set -e\nmkdir /srv/deploy.lock || exit 1\ndocker compose pull\ndocker compose up -d\nrmdir /srv/deploy.lock\n",
            "compose.yaml": "services:\n" + REDIS,
        },
        {
            "bin/deploy.sh": "set -e\nexec 9>/srv/deploy.lock\nflock -n 9\ndocker compose pull\ndocker compose up -d\n"
        },
    ),
    Incident(
        "containers are stopped before the images are pulled",
        "connect() failed (111: Connection refused) while connecting to upstream",
        "stops-before-build",
        "Makefile:2",
        {
            "Makefile": "deploy:\n\tdocker-compose stop\n\tdocker-compose pull\n\tdocker-compose up -d\n\ntest:\n\tpytest\n",
            "compose.yaml": "services:\n" + REDIS,
        },
        {"Makefile": "deploy:\n\tdocker-compose pull\n\tdocker-compose up -d\n"},
    ),
    Incident(
        "the update fails in its own backup",
        "pg_dump: error: aborting because of server version mismatch",
        "dump-tool-older-than-server",
        "Dockerfile:2",
        {
            "Dockerfile": 'FROM python:3.12-slim-bookworm\nRUN apt-get update && apt-get install -y postgresql-client\nCOPY . /app\nCMD ["gunicorn", "site.wsgi"]\n',
            "scripts/backup.sh": "set -e\npg_dump -h db shop > /backups/shop.sql\n",
            "compose.yaml": BUILT + "    environment:\n      A: b\n" + DB,
        },
        {
            "Dockerfile": 'FROM python:3.12-slim-trixie\nRUN apt-get update && apt-get install -y postgresql-client\nCOPY . /app\nCMD ["gunicorn", "site.wsgi"]\n'
        },
    ),
)
