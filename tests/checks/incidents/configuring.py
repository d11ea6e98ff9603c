"""Incidents of variables, URLs, database images and volumes."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, DB, DOCKERFILE, GUNICORN, MANAGE, Incident

ENV_PY = 'import os\nfrom alembic import context\n\nconfig = context.config\nurl = os.environ["DATABASE_URL"]\nconfig.set_main_option("sqlalchemy.url", {})\n'
INI = "[alembic]\nscript_location = migrations\n"
POSTGRES = "services:\n  db:\n    image: {}\n    environment:\n      POSTGRES_PASSWORD: x\n    volumes:\n      - db:{}\nvolumes:\n  db:\n"

INCIDENTS = (
    Incident(
        "a password is cut at its dollar",
        'FATAL:  password authentication failed for user "paperless"',
        "dollar-cuts-value",
        ".env:1",
        {
            ".env": "DB_PASSWORD=abc$defg\n",
            "compose.yaml": "services:\n  web:\n    image: example/web:1\n    environment:\n      DB_PASSWORD: ${DB_PASSWORD}\n",
        },
        {".env": "DB_PASSWORD='abc$defg'\n"},
    ),
    Incident(
        "a variable that nobody wrote is not set",
        'The "m3a" variable is not set. Defaulting to a blank string.',
        "dollar-cuts-value",
        "compose.yaml:5",
        {
            "compose.yaml": "services:\n  web:\n    image: example/web:1\n    environment:\n      KEY_PASSWORD: x9$m3a\n"
        },
        {
            "compose.yaml": "services:\n  web:\n    image: example/web:1\n    environment:\n      KEY_PASSWORD: x9$$m3a\n"
        },
    ),
    Incident(
        "an escaped password stops set_main_option",
        "ValueError: invalid interpolation syntax in 'postgresql+psycopg://postgres:myPass%3D@db' at position 73",
        "percent-in-alembic-url",
        "migrations/env.py:6",
        {
            "alembic.ini": INI,
            "migrations/env.py": ENV_PY.format("url"),
            ".env": "DATABASE_URL=postgresql+psycopg://postgres:myPass%3D@db/app\n",
        },
        {"migrations/env.py": ENV_PY.format('url.replace("%", "%%")')},
    ),
    Incident(
        "the ini file itself has the percent sign",
        "configparser: invalid interpolation syntax in 'postgresql://u:a%40b@db/x'",
        "percent-in-alembic-url",
        "alembic.ini:3",
        {
            "alembic.ini": INI + "sqlalchemy.url = postgresql://u:a%40b@db/x\n",
            "migrations/env.py": "\n",
        },
        {"alembic.ini": INI + "sqlalchemy.url = postgresql://u:a%%40b@db/x\n"},
    ),
    Incident(
        "a provider hands out postgres://",
        "sqlalchemy.exc.NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:postgres",
        "postgres-scheme",
        "web.env:1",
        {
            "requirements.txt": "SQLAlchemy>=2\n",
            "Dockerfile": DOCKERFILE,
            "web.env": "DATABASE_URL=postgres://u:p@host.example.org/app\n",
            "compose.yaml": BUILT + "    env_file: [web.env]\n",
        },
        {"web.env": "DATABASE_URL=postgresql+psycopg://u:p@host.example.org/app\n"},
    ),
    Incident(
        "localhost inside a container",
        'connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
        "localhost-in-container",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + "    environment:\n      DATABASE_URL: postgres://postgres:shop@localhost:5432/postgres\n"
            + DB,
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DATABASE_URL: postgres://postgres:shop@db:5432/postgres\n"
            + DB
        },
    ),
    Incident(
        "the settings' default is localhost, and nothing says otherwise",
        'connection to server at "localhost" (::1), port 5432 failed: Connection refused',
        "localhost-in-container",
        "site/settings.py:7",
        {
            "manage.py": MANAGE,
            "site/settings.py": 'import os\n\nSECRET_KEY = "x"\nDATABASES = {\n    "default": {\n        "ENGINE": "django.db.backends.postgresql",\n        "HOST": os.environ.get("DB_HOST", "localhost"),\n    }\n}\n',
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + DB,
        },
        {"compose.yaml": BUILT + "    environment:\n      DB_HOST: db\n" + DB},
    ),
    Incident(
        "the broker is looked for at localhost",
        "kombu: Error 111 connecting to localhost:6379. Connection refused.",
        "localhost-in-container",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT
            + "    environment:\n      CELERY_BROKER_URL: redis://localhost:6379/0\n  redis:\n    image: redis:7\n",
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      CELERY_BROKER_URL: redis://redis:6379/0\n  redis:\n    image: redis:7\n"
        },
    ),
    Incident(
        "the .env file does not reach the container",
        "Error: Database is uninitialized and superuser password is not specified.",
        "database-password-missing",
        "compose.yaml:3",
        {
            ".env": "POSTGRES_PASSWORD=x\n",
            "compose.yaml": "services:\n  db:\n    image: postgres:16\n",
        },
        {"compose.yaml": "services:\n  db:\n    image: postgres:16\n    env_file: .env\n"},
    ),
    Incident(
        "the settings ask for a key that only Compose knows",
        "KeyError: 'API_KEY'",
        "variable-never-reaches-container",
        "site/settings.py:4",
        {
            ".env": "API_KEY=x\n",
            "manage.py": MANAGE,
            "site/settings.py": 'import os\n\nSECRET_KEY = "x"\nAPI_KEY = os.environ["API_KEY"]\n',
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT,
        },
        {"compose.yaml": BUILT + "    env_file: .env\n"},
    ),
    Incident(
        "image: postgres moved from 11 to 12",
        "FATAL: database files are incompatible with server. The data directory was initialized by PostgreSQL version 11",
        "database-image-floats",
        "compose.yaml:3",
        {"compose.yaml": POSTGRES.format("postgres", "/var/lib/postgresql")},
        {"compose.yaml": POSTGRES.format("postgres:17", "/var/lib/postgresql/data")},
    ),
    Incident(
        "an alpine tag moved under an older stack",
        "FATAL:  database files are incompatible with server",
        "database-image-floats",
        "compose.yaml:3",
        {"compose.yaml": POSTGRES.format("postgres:alpine", "/var/lib/postgresql")},
        {"compose.yaml": POSTGRES.format("postgres:16-alpine", "/var/lib/postgresql/data")},
    ),
    Incident(
        "18 refuses the old mount",
        "Error: in 18+, these Docker images are configured to store database data in (unused mount/volume)",
        "postgres-18-mount",
        "compose.yaml:7",
        {"compose.yaml": POSTGRES.format("postgres:18", "/var/lib/postgresql/data")},
        {"compose.yaml": POSTGRES.format("postgres:18", "/var/lib/postgresql")},
    ),
    Incident(
        "18 on alpine, kept by PGDATA",
        "there appears to be PostgreSQL data in: /var/lib/postgresql/data (unused mount/volume)",
        "postgres-18-mount",
        "compose.yaml:7",
        {"compose.yaml": POSTGRES.format("postgres:18.1-alpine", "/var/lib/postgresql/data")},
        {
            "compose.yaml": POSTGRES.format(
                "postgres:18.1-alpine", "/var/lib/postgresql/data"
            ).replace("PASSWORD: x", "PASSWORD: x\n      PGDATA: /var/lib/postgresql/data/pgdata")
        },
    ),
    Incident(
        "two containers on one SQLite file",
        "sqlite3.OperationalError: database is locked",
        "sqlite-shared-by-containers",
        "compose.yaml:5",
        {
            "Dockerfile": COPIED + GUNICORN,
            "compose.yaml": BUILT
            + "    environment:\n      DB: sqlite:////data/app.db\n    volumes: [data:/data]\n  jobs:\n    build: .\n    command: python jobs.py\n    environment:\n      DB: sqlite:////data/app.db\n    volumes: [data:/data]\nvolumes:\n  data:\n",
            "jobs.py": "",
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DB: sqlite:////data/app.db\n    volumes: [data:/data]\nvolumes:\n  data:\n"
        },
    ),
    Incident(
        "the rows are gone after the next build",
        "sqlite3.OperationalError: no such table: app_item",
        "sqlite-not-on-volume",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: sqlite:///db.sqlite3\n",
        },
        {
            "compose.yaml": BUILT
            + "    environment:\n      DATABASE_URL: sqlite:////data/db.sqlite3\n    volumes: [data:/data]\nvolumes:\n  data:\n"
        },
    ),
)
