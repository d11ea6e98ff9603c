"""Incidents of who migrates when, and of what waits for what."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, DB, DOCKERFILE, SCRIPTED, Incident

MIGRATING = "#!/bin/sh\nset -e\npython manage.py migrate --noinput\nexec gunicorn site.wsgi\n"
GATED = "#!/bin/sh\nset -e\nexec tidegate boot -- gunicorn site.wsgi\n"
ALEMBIC = COPIED + 'CMD ["sh", "-c", "alembic upgrade head && exec uvicorn app:app"]\n'
HEALTHY = "    depends_on:\n      db:\n        condition: service_healthy\n"
BEHIND_POOLER = (
    BUILT
    + "    environment:\n      DATABASE_URL: {}\n  pool:\n    image: edoburu/pgbouncer:v1.23.1-p3\n"
)
BOOTS = COPIED + 'CMD ["tidegate", "boot", "--", "gunicorn", "site.wsgi"]\n'
INDEX = "from django.db import migrations\nfrom django.contrib.postgres.operations import AddIndexConcurrently\n\n\nclass Migration(migrations.Migration):\n    atomic = False\n    dependencies = []\n    operations = [AddIndexConcurrently('a', None)]\n"
DJANGO = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
    "a/migrations/__init__.py": "",
    "a/migrations/0001_initial.py": INDEX,
}
LOCKING = "from django.core.management import call_command\n\n\ndef run(cursor):\n    cursor.execute('SELECT {}(42)')\n    call_command('migrate')\n"

INCIDENTS = (
    Incident(
        "three replicas create the tables of an empty database",
        'duplicate key value violates unique constraint "pg_type_typname_nsp_index" Key (typname, typnamespace)=(events, 2200) already exists',
        "several-containers-migrate",
        "Dockerfile:4",
        {"Dockerfile": ALEMBIC, "compose.yaml": BUILT + "    deploy:\n      replicas: 3\n"},
        {"Dockerfile": COPIED + 'CMD ["tidegate", "boot", "--", "uvicorn", "app:app"]\n'},
    ),
    Incident(
        "several web instances migrate at every deploy",
        'ProgrammingError: relation "variant_variant" already exists',
        "several-containers-migrate",
        "start.sh:3",
        {
            "Dockerfile": SCRIPTED,
            "start.sh": MIGRATING,
            "compose.yaml": BUILT + "  web2:\n    build: .\n",
        },
        {"start.sh": GATED},
    ),
    Incident(
        "an autoscaled service migrates at boot",
        'psycopg2.errors.DuplicateColumn: column "selected_badge" of relation "core_profile" already exists',
        "several-containers-migrate",
        "start.sh:3",
        {"Dockerfile": SCRIPTED, "start.sh": MIGRATING, "compose.yaml": BUILT + "    scale: 2\n"},
        {"compose.yaml": BUILT},
    ),
    Incident(
        "a worker shares the entrypoint that migrates",
        "django.db.utils.ProgrammingError: relation already exists / 42P07",
        "several-containers-migrate",
        "start.sh:3",
        {
            "Dockerfile": COPIED
            + 'ENTRYPOINT ["sh", "/app/start.sh"]\nCMD ["gunicorn", "site.wsgi"]\n',
            "start.sh": '#!/bin/sh\nset -e\npython manage.py migrate --noinput\nexec "$@"\n',
            "compose.yaml": BUILT + "  worker:\n    build: .\n    command: celery -A site worker\n",
        },
        {
            "start.sh": '#!/bin/sh\nset -e\nif [ "$1" = gunicorn ]; then python manage.py migrate --noinput; fi\nexec "$@"\n',
            "compose.yaml": BUILT
            + '    healthcheck:\n      test: ["CMD", "true"]\n      start_period: 120s\n  worker:\n    build: .\n    command: celery -A site worker\n    depends_on:\n      web:\n        condition: service_healthy\n',
        },
    ),
    Incident(
        "a session lock is stranded behind transaction pooling",
        "[info] waiting to acquire database lock",
        "migration-through-pooler",
        "compose.yaml:5",
        {
            "Dockerfile": BOOTS,
            "compose.yaml": BEHIND_POOLER.format("postgresql://shop:shop@pool:6432/shop"),
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DATABASE_URL: postgresql://shop:shop@db.example.org/shop\n"
        },
    ),
    Incident(
        "a lock taken through the pool can't be released",
        "Error: sql/postgres: failed releasing lock 2686470616",
        "migration-through-pooler",
        "compose.yaml:5",
        {
            "Dockerfile": BOOTS,
            "compose.yaml": BUILT
            + "    environment:\n      DB_HOST: pgcat\n  pgcat:\n    image: ghcr.io/postgresml/pgcat:1.2\n",
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DB_HOST: pgcat\n      TIDEGATE_DIRECT_URL: postgresql://shop@db.example.org/shop\n  pgcat:\n    image: ghcr.io/postgresml/pgcat:1.2\n"
        },
    ),
    Incident(
        "prepared statements vanish behind the pool",
        'asyncpg.exceptions.InvalidSQLStatementNameError: prepared statement "__asyncpg_stmt_e__" does not exist',
        "migration-through-pooler",
        "compose.yaml:5",
        {
            "Dockerfile": ALEMBIC,
            "compose.yaml": BEHIND_POOLER.format("postgresql+asyncpg://shop:shop@pool:6432/shop"),
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DATABASE_URL: postgresql+asyncpg://shop:shop@db.example.org/shop\n"
        },
    ),
    Incident(
        "a waiting replica and a concurrent index wait for each other",
        "ERROR: deadlock detected: Process 588 waits for ExclusiveLock on advisory lock; Process 587: CREATE INDEX CONCURRENTLY",
        "blocking-advisory-lock",
        "ops/migrate_once.py:5",
        {**DJANGO, "ops/migrate_once.py": LOCKING.format("pg_advisory_lock")},
        {
            "ops/migrate_once.py": LOCKING.format("pg_try_advisory_lock").replace(
                "cursor", "autocommit_cursor"
            )
        },
    ),
    Incident(
        "the lock on one connection, the index on another, and no deadlock is seen",
        "canceling statement due to statement timeout: CREATE INDEX CONCURRENTLY",
        "advisory-lock-in-open-transaction",
        "ops/migrate_once.py:5",
        {**DJANGO, "ops/migrate_once.py": LOCKING.format("pg_advisory_xact_lock")},
        {
            "ops/migrate_once.py": LOCKING.format("pg_try_advisory_lock").replace(
                "cursor", "autocommit_cursor"
            )
        },
    ),
    Incident(
        "reads hang behind an ALTER that waits for the nightly dump",
        "canceling statement due to statement timeout",
        "migration-queues-behind-backup",
        "Dockerfile:4",
        {
            "Dockerfile": ALEMBIC,
            "compose.yaml": BUILT + HEALTHY + DB + "  dump:\n    image: example/pg-backup:3.1\n",
        },
        {
            "compose.yaml": BUILT
            + HEALTHY
            + "    environment:\n      PGOPTIONS: -c lock_timeout=3s\n"
            + DB
            + "  dump:\n    image: example/pg-backup:3.1\n"
        },
    ),
    Incident(
        "the host name is a typo",
        'could not translate host name "database" to address: Name or service not known',
        "database-host-unknown",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + "    environment:\n      POSTGRES_HOST: database\n" + DB,
        },
        {"compose.yaml": BUILT + "    environment:\n      POSTGRES_HOST: db\n" + DB},
    ),
    Incident(
        "the database has another name in the stack",
        'django.db.utils.OperationalError: could not translate host name "postgres" to address: Name or service not known',
        "database-host-unknown",
        "web.env:1",
        {
            "Dockerfile": DOCKERFILE,
            "web.env": "DATABASE_URL=postgres://u:p@postgres/app\n",
            "compose.yaml": BUILT + "    env_file: web.env\n" + DB,
        },
        {"web.env": "DATABASE_URL=postgres://postgres:shop@db/postgres\n"},
    ),
    Incident(
        "the migration runs before the database accepts",
        'connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused',
        "nothing-waits-for-database",
        "compose.yaml:4",
        {"Dockerfile": ALEMBIC, "compose.yaml": BUILT + "    depends_on: [db]\n" + DB},
        {"compose.yaml": BUILT + HEALTHY + DB},
    ),
    Incident(
        "pg_isready passes while the image still initialises",
        "pg_isready OK, then connection refused",
        "healthcheck-passes-during-init",
        "compose.yaml:12",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + HEALTHY
            + '  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: shop\n    healthcheck:\n      test: ["CMD", "pg_isready", "-U", "postgres"]\n',
        },
        {"compose.yaml": BUILT + HEALTHY + DB},
    ),
    Incident(
        "PostGIS loads its extensions behind a green probe",
        "FATAL: terminating connection due to administrator command",
        "healthcheck-passes-during-init",
        "compose.yaml:12",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + HEALTHY
            + "  db:\n    image: postgis/postgis:16-3.4\n    environment:\n      POSTGRES_PASSWORD: shop\n    healthcheck:\n      test: pg_isready -U postgres\n",
        },
        {
            "compose.yaml": BUILT
            + HEALTHY
            + "  db:\n    image: postgis/postgis:16-3.4\n    environment:\n      POSTGRES_PASSWORD: shop\n    healthcheck:\n      test: pg_isready -U postgres -h 127.0.0.1\n"
        },
    ),
    Incident(
        "mysqladmin ping answers from the temporary server",
        "Can't connect: Connection refused",
        "healthcheck-passes-during-init",
        "compose.yaml:12",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + HEALTHY
            + "  db:\n    image: mysql:8.4\n    environment:\n      MYSQL_ROOT_PASSWORD: shop\n    healthcheck:\n      test: mysqladmin ping -u root -pshop\n",
        },
        {
            "compose.yaml": BUILT
            + HEALTHY
            + "  db:\n    image: mysql:8.4\n    environment:\n      MYSQL_ROOT_PASSWORD: shop\n    healthcheck:\n      test: mysqladmin ping --protocol=tcp -u root -pshop\n"
        },
    ),
    Incident(
        "the options of a CMD-SHELL list are dropped",
        'FATAL:  role "root" does not exist',
        "cmd-shell-ignores-words",
        "compose.yaml:7",
        {
            "compose.yaml": 'services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: x\n    healthcheck:\n      test: ["CMD-SHELL", "pg_isready", "-U", "x"]\n'
        },
        {
            "compose.yaml": 'services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: x\n    healthcheck:\n      test: ["CMD", "pg_isready", "-U", "x"]\n'
        },
    ),
    Incident(
        "the probe asks as root",
        'FATAL:  role "root" does not exist',
        "pg-isready-without-user",
        "compose.yaml:7",
        {
            "compose.yaml": "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: x\n    healthcheck:\n      test: pg_isready\n"
        },
        {
            "compose.yaml": "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: x\n    healthcheck:\n      test: pg_isready -U postgres\n"
        },
    ),
    Incident(
        "celery waits for the database and not for the tables",
        'ProgrammingError: relation "mail_horillamail" does not exist',
        "worker-starts-before-schema",
        "compose.yaml:9",
        {
            "Dockerfile": COPIED
            + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn site.wsgi"]\n',
            "compose.yaml": BUILT
            + HEALTHY
            + "  worker:\n    build: .\n    command: celery -A site worker\n"
            + HEALTHY
            + DB,
        },
        {
            "compose.yaml": BUILT
            + HEALTHY
            + '    healthcheck:\n      test: ["CMD", "true"]\n      start_period: 300s\n  worker:\n    build: .\n    command: celery -A site worker\n    depends_on:\n      web:\n        condition: service_healthy\n'
            + DB
        },
    ),
    Incident(
        "celery beat crashes at the first up",
        'relation "django_celery_beat_periodictask" does not exist',
        "worker-starts-before-schema",
        "compose.yaml:10",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": "services:\n  migrate:\n    build: .\n    command: python manage.py migrate\n  web:\n    build: .\n    depends_on: {migrate: {condition: service_completed_successfully}}\n  beat:\n    build: .\n    command: celery -A site beat\n",
        },
        {
            "compose.yaml": "services:\n  migrate:\n    build: .\n    command: python manage.py migrate\n  web:\n    build: .\n    depends_on: {migrate: {condition: service_completed_successfully}}\n  beat:\n    build: .\n    command: celery -A site beat\n    depends_on: {migrate: {condition: service_completed_successfully}}\n"
        },
    ),
    Incident(
        "wait-for-it starts the app after fifteen seconds all the same",
        "wait-for-it.sh: timeout occurred after waiting 15 seconds for mysql:3306",
        "wait-runs-command-anyway",
        "compose.yaml:4",
        {
            "Dockerfile": COPIED,
            "compose.yaml": BUILT
            + "    command: ./wait-for-it.sh mysql:3306 -- sh -c 'python migrate.py && exec gunicorn app'\n",
        },
        {
            "compose.yaml": BUILT
            + "    command: ./wait-for-it.sh --strict -t 120 mysql:3306 -- sh -c 'python migrate.py && exec gunicorn app'\n"
        },
    ),
    Incident(
        "up --wait fails on a migration that went well",
        "container shop-migrate-1 exited (0)",
        "one-shot-not-adopted",
        "compose.yaml:4",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + "  migrate:\n    build: .\n    command: alembic upgrade head\n",
        },
        {
            "compose.yaml": BUILT
            + "    depends_on:\n      migrate:\n        condition: service_completed_successfully\n  migrate:\n    build: .\n    command: alembic upgrade head\n"
        },
    ),
    Incident(
        "a migration service restarts for ever",
        "Restarting (0) 5 seconds ago",
        "one-shot-restarts",
        "compose.yaml:9",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + "    depends_on:\n      migrate: {condition: service_completed_successfully}\n  migrate:\n    build: .\n    command: alembic upgrade head\n    restart: always\n",
        },
        {
            "compose.yaml": BUILT
            + "    depends_on:\n      migrate: {condition: service_completed_successfully}\n  migrate:\n    build: .\n    command: alembic upgrade head\n    restart: on-failure\n"
        },
    ),
)
