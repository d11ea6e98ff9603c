"""Incidents that share a rule with another one, and happened in another way."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, DB, DOCKERFILE, Incident

GATED = COPIED + 'CMD ["tidegate", "boot", "--", "uvicorn", "shop:app"]\n'
MIGRATING = COPIED + 'CMD ["sh", "-c", "alembic upgrade head && exec uvicorn shop:app"]\n'
POOL = "  pool:\n    image: edoburu/pgbouncer:v1.23.1-p3\n"
POOLED = "    environment:\n      DATABASE_URL: postgresql://shop:shop@pool:6432/shop\n"
LOCKING = 'def upgrade_once(connection):\n    connection.execute("SELECT {}(7)")\n    command.upgrade(config, "head")\n'
ENV_PY = 'import os\nfrom alembic import context\n\nconfig = context.config\nurl = os.environ["DATABASE_URL"]\nconfig.set_main_option("sqlalchemy.url", {})\n'
SQLITE = (
    BUILT
    + "    environment:\n      DATABASE_URL: sqlite:////data/shop.db\n    volumes: ['data:/data']\nvolumes:\n  data:\n"
)
WAITS = "    depends_on:\n      db:\n        condition: service_healthy\n"
MYSQL = "  db:\n    image: mysql:5.7\n    environment:\n      MYSQL_ROOT_PASSWORD: shop\n    healthcheck:\n"

INCIDENTS = (
    Incident(
        "replicas migrate over a pooler and lock each other's tables",
        "deadlock detected while acquiring DDL locks on agent_messages",
        "several-containers-migrate",
        "Dockerfile:4",
        {
            "Dockerfile": MIGRATING,
            "compose.yaml": BUILT + POOLED + "    deploy:\n      replicas: 3\n" + POOL,
        },
        {
            "Dockerfile": GATED,
            "compose.yaml": BUILT
            + POOLED
            + "      TIDEGATE_DIRECT_URL: postgresql://shop:shop@db.example.org/shop\n"
            + "    deploy:\n      replicas: 3\n"
            + POOL,
        },
    ),
    Incident(
        "a migration program of the project's own takes a lock that waits",
        "pq: deadlock detected (try lock failed in line 0: SELECT pg_advisory_lock($1))",
        "blocking-advisory-lock",
        "shop/migrations_once.py:2",
        {
            "alembic.ini": "[alembic]\nscript_location = m\n",
            "m/env.py": "",
            "m/versions/a.py": 'revision = "a"\ndown_revision = None\n\n\ndef upgrade():\n    op.execute("CREATE INDEX CONCURRENTLY i ON t (a)")\n',
            "shop/migrations_once.py": LOCKING.format("pg_advisory_lock"),
        },
        {
            "shop/migrations_once.py": LOCKING.format("pg_try_advisory_lock").replace(
                "connection", "autocommit"
            )
        },
    ),
    Incident(
        "a start hangs behind a session that nobody ended",
        "waiting to acquire database lock",
        "lock-outlives-its-holder",
        "shop/migrate.py:2",
        {"alembic.ini": "[alembic]\n", "shop/migrate.py": LOCKING.format("pg_advisory_lock")},
        {"shop/migrate.py": LOCKING.format("pg_try_advisory_lock")},
    ),
    Incident(
        "mysqladmin ping takes a refused password for an answer",
        "Can't connect: Connection refused",
        "healthcheck-passes-during-init",
        "compose.yaml:12",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + WAITS + MYSQL + "      test: mysqladmin ping\n",
        },
        {
            "compose.yaml": BUILT
            + WAITS
            + MYSQL
            + "      test: mysql --protocol=tcp -uroot -pshop -e 'SELECT 1'\n"
        },
    ),
    Incident(
        "an at sign in the password becomes %40",
        'ValueError("invalid interpolation syntax in postgresql://root:abcd%402025@db/x")',
        "percent-in-alembic-url",
        "migrations/env.py:6",
        {
            "alembic.ini": "[alembic]\nscript_location = migrations\n",
            "migrations/env.py": ENV_PY.format("url"),
            ".env": "DATABASE_URL=postgresql://root:abcd%402025@db/x\n",
        },
        {"migrations/env.py": ENV_PY.format('url.replace("%", "%%")')},
    ),
    Incident(
        "SQLite on a share of the network",
        "sqlite3.OperationalError: database is locked",
        "sqlite-on-network-share",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": SQLITE
            + "    driver_opts: {type: cifs, o: 'addr=nas', device: //nas/shop}\n",
        },
        {"compose.yaml": SQLITE},
    ),
    Incident(
        "the rollout goes on after a migration that failed",
        'column "gas_price" does not exist',
        "rollout-after-failed-migration",
        "ops/deploy.sh:2",
        {
            "Dockerfile": DOCKERFILE,
            "ops/deploy.sh": "#!/bin/bash\ndocker compose run --rm migrate\ndocker compose up -d web\n",
            "compose.yaml": BUILT
            + "    healthcheck: {test: test -f /ready}\n    depends_on: {migrate: {condition: service_completed_successfully}}\n"
            + "  migrate:\n    build: .\n    command: python manage.py migrate\n    depends_on: {db: {condition: service_healthy}}\n"
            + DB,
        },
        {
            "ops/deploy.sh": "#!/bin/bash\nset -euo pipefail\ndocker compose run --rm migrate\ndocker compose up -d web\n"
        },
    ),
)
