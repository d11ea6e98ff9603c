"""Incidents of static files, health checks, migrations and deployments."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, DOCKERFILE, GUNICORN, MANAGE, Incident

KEY = 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n'
COLLECT = COPIED + "RUN {}python manage.py collectstatic --noinput\n" + GUNICORN
STATIC = 'SECRET_KEY = "x"\nSTATIC_ROOT = "/app/static"\n'
STATIC_VOLUME = BUILT + "    volumes:\n      - static:/app/static\nvolumes:\n  static:\n"
NODE = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [{}]\n"
REVISION = 'revision = "{}"\ndown_revision = {}\n'
SITE = {
    "manage.py": MANAGE,
    "a/migrations/__init__.py": "",
    "a/migrations/0001_initial.py": NODE.format(""),
}
ALLOWED = 'SECRET_KEY = "x"\nALLOWED_HOSTS = [{}]\n'
PROBE = "    healthcheck:\n      test: {}\n"
USERS = 'SECRET_KEY = "x"\nINSTALLED_APPS = ["django.contrib.admin", "users"]\nAUTH_USER_MODEL = "users.User"\n'
USER = (
    "from django.contrib.auth.models import AbstractUser\n\n\nclass User(AbstractUser):\n    pass\n"
)

INCIDENTS = (
    Incident(
        "collectstatic in the Dockerfile without a key",
        "ImproperlyConfigured: SECRET_KEY must be at least 50 characters",
        "build-needs-secret-key",
        "Dockerfile:4",
        {"manage.py": MANAGE, "site/settings.py": KEY, "Dockerfile": COLLECT.format("")},
        {"Dockerfile": COLLECT.format("SECRET_KEY=only-for-the-build ")},
    ),
    Incident(
        "the key is empty where the settings are loaded",
        "ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "build-needs-secret-key",
        "Dockerfile:4",
        {
            "requirements.txt": "Django==2.2.28\n",
            "manage.py": MANAGE,
            "site/settings.py": 'import os\n\nSECRET_KEY = os.environ.get("SECRET_KEY", "")\n',
            "Dockerfile": COLLECT.format(""),
        },
        {
            "site/settings.py": 'import os\n\nSECRET_KEY = os.environ.get("SECRET_KEY", "development")\n'
        },
    ),
    Incident(
        "old assets after an upgrade",
        "0 static files copied to '/app/static', 131 unmodified.",
        "static-volume-keeps-old-files",
        "compose.yaml:5",
        {
            "manage.py": MANAGE,
            "site/settings.py": STATIC,
            "Dockerfile": COLLECT.format(""),
            "compose.yaml": STATIC_VOLUME,
        },
        {"compose.yaml": BUILT},
    ),
    Incident(
        "what the build collected is invisible under the volume",
        "0 static files copied, 131 unmodified",
        "static-volume-keeps-old-files",
        "compose.yaml:5",
        {
            "manage.py": MANAGE,
            "site/settings.py": STATIC,
            "Dockerfile": COLLECT.format(""),
            "compose.yaml": STATIC_VOLUME,
        },
        {
            "compose.yaml": BUILT
            + "    command: sh -c 'python manage.py collectstatic --clear --noinput && exec gunicorn site.wsgi'\n    volumes:\n      - static:/app/static\nvolumes:\n  static:\n"
        },
    ),
    Incident(
        "the static volume belongs to root",
        "PermissionError: [Errno 13] Permission denied: '/app/static'",
        "volume-owned-by-root",
        "compose.yaml:5",
        {
            "Dockerfile": COPIED + "RUN adduser --system web\nUSER web\n" + GUNICORN,
            "compose.yaml": STATIC_VOLUME,
        },
        {
            "Dockerfile": COPIED
            + "RUN adduser --system web && mkdir -p /app/static && chown web /app/static\nUSER web\n"
            + GUNICORN
        },
    ),
    Incident(
        "hashed names and nothing collected",
        "ValueError: Missing staticfiles manifest entry for 'css/app.css'",
        "manifest-never-collected",
        "site/settings.py:3",
        {
            "manage.py": MANAGE,
            "site/settings.py": STATIC
            + 'STATICFILES_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"\n',
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT,
        },
        {"Dockerfile": COLLECT.format("")},
    ),
    Incident(
        "curl in a slim image",
        'OCI runtime exec failed: exec: "curl": executable file not found in $PATH',
        "probe-tool-missing",
        "compose.yaml:5",
        {
            "Dockerfile": DOCKERFILE.replace("3.12", "3.12-slim"),
            "compose.yaml": BUILT + PROBE.format("curl -f http://127.0.0.1:8000/ || exit 1"),
        },
        {
            "compose.yaml": BUILT
            + PROBE.format(
                '["CMD", "python", "-c", "import urllib.request as r; r.urlopen(\'http://127.0.0.1:8000/\')"]'
            )
        },
    ),
    Incident(
        "wget in the Dockerfile's own probe",
        "/bin/sh: 1: wget: not found",
        "probe-tool-missing",
        "Dockerfile:4",
        {
            "Dockerfile": COPIED.replace("3.12", "3.12-slim-bookworm")
            + "HEALTHCHECK CMD wget -q http://localhost:8000/ || exit 1\n"
            + GUNICORN,
            "compose.yaml": BUILT,
        },
        {
            "Dockerfile": COPIED.replace("3.12", "3.12-slim-bookworm")
            + "RUN apt-get update && apt-get install -y wget\nHEALTHCHECK CMD wget -q http://localhost:8000/ || exit 1\n"
            + GUNICORN
        },
    ),
    Incident(
        "the probe's host is not allowed",
        "DisallowedHost: Invalid HTTP_HOST header: 'localhost:8000'",
        "probe-host-not-allowed",
        "compose.yaml:5",
        {
            "manage.py": MANAGE,
            "site/settings.py": ALLOWED.format('"checks.example.org"') + "DEBUG = False\n",
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + PROBE.format("curl -fs http://localhost:8000/status"),
        },
        {
            "compose.yaml": BUILT
            + PROBE.format(
                "\"curl -fs -H 'Host: checks.example.org' http://localhost:8000/status\""
            )
        },
    ),
    Incident(
        "the redirect to TLS makes the probe fail",
        "ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number",
        "probe-redirected-to-https",
        "compose.yaml:5",
        {
            "manage.py": MANAGE,
            "site/settings.py": ALLOWED.format('"*"') + "SECURE_SSL_REDIRECT = True\n",
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT + PROBE.format("curl -fL http://localhost:8000/status"),
        },
        {"compose.yaml": BUILT + PROBE.format("curl -f http://localhost:8000/status")},
    ),
    Incident(
        "the start period is shorter than the migration",
        "dependency failed to start: container netbox-1 is unhealthy",
        "healthcheck-shorter-than-migration",
        "compose.yaml:6",
        {
            "Dockerfile": COPIED
            + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn site.wsgi"]\n',
            "compose.yaml": BUILT
            + '    healthcheck:\n      start_period: 20s\n      test: ["CMD", "true"]\n      interval: 10s\n  proxy:\n    image: nginx:1.27\n    depends_on:\n      web: {condition: service_healthy}\n',
        },
        {
            "compose.yaml": BUILT
            + '    healthcheck:\n      start_period: 90s\n      test: ["CMD", "true"]\n      interval: 10s\n  proxy:\n    image: nginx:1.27\n    depends_on:\n      web: {condition: service_healthy}\n'
        },
    ),
    Incident(
        "something that heals restarts the migration",
        "ConcurrentMigrationError: Cannot run migrations because another migration process is currently running.",
        "healthcheck-shorter-than-migration",
        "compose.yaml:5",
        {
            "Dockerfile": COPIED
            + 'CMD ["sh", "-c", "python manage.py migrate && exec gunicorn site.wsgi"]\n',
            "compose.yaml": BUILT
            + '    healthcheck:\n      test: ["CMD", "true"]\n      interval: 10s\n  heal:\n    image: willfarrell/autoheal:1.2.0\n',
        },
        {
            "compose.yaml": BUILT
            + '    healthcheck:\n      test: ["CMD", "true"]\n      interval: 10s\n'
        },
    ),
    Incident(
        "the endpoint says ok and the columns are missing",
        'column "score" does not exist',
        "readiness-ignores-schema",
        "api/health.py:1",
        {
            "Dockerfile": DOCKERFILE,
            "compose.yaml": BUILT,
            "api/health.py": "def health(db):\n    db.execute('select 1')\n    return {'ok': True}\n",
        },
        {
            "api/health.py": "def health(db):\n    db.execute('select version_num from alembic_version')\n    return {'ok': True}\n"
        },
    ),
    Incident(
        "two Alembic heads were shipped",
        "Multiple head revisions are present for given argument 'head'",
        "several-heads",
        "migrations/versions/b.py:2",
        {
            "alembic.ini": "[alembic]\nscript_location = migrations\n",
            "migrations/env.py": "\n",
            "migrations/versions/a.py": REVISION.format("a", None),
            "migrations/versions/b.py": REVISION.format("b", '"a"'),
            "migrations/versions/c.py": REVISION.format("c", '"a"'),
        },
        {"migrations/versions/d.py": REVISION.format("d", '("b", "c")')},
    ),
    Incident(
        "two migrations with one number",
        "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph",
        "several-heads",
        "a/migrations/0002_one.py:5",
        {
            **SITE,
            "a/migrations/0002_one.py": NODE.format('("a", "0001_initial")'),
            "a/migrations/0002_two.py": NODE.format('("a", "0001_initial")'),
        },
        {"a/migrations/0003_merge.py": NODE.format('("a", "0002_one"), ("a", "0002_two")')},
    ),
    Incident(
        "the entrypoint makes migrations anew",
        "django.db.migrations.exceptions.InconsistentMigrationHistory",
        "makemigrations-at-start",
        "compose.yaml:4",
        {
            "Dockerfile": COPIED,
            "compose.yaml": BUILT
            + "    command: sh -c 'python manage.py makemigrations && python manage.py migrate && exec gunicorn site.wsgi'\n",
        },
        {
            "compose.yaml": BUILT
            + "    command: sh -c 'python manage.py migrate && exec gunicorn site.wsgi'\n"
        },
    ),
    Incident(
        "the migrations are kept out of the image on purpose",
        'relation "website_person" does not exist',
        "migrations-not-in-image",
        ".dockerignore:1",
        {
            **SITE,
            "Dockerfile": DOCKERFILE,
            ".dockerignore": "*/migrations/*\n",
            "compose.yaml": BUILT,
        },
        {".dockerignore": ".git\n"},
    ),
    Incident(
        "the migrations are not in the repository",
        "No migrations to apply.",
        "migrations-not-in-image",
        ".gitignore:2",
        {**SITE, ".gitignore": "*.pyc\n**/migrations/*.py\n"},
        {".gitignore": "*.pyc\n"},
    ),
    Incident(
        "the user model came after the first migrate",
        "InconsistentMigrationHistory: Migration admin.0001_initial is applied before its dependency users.0001_initial",
        "custom-user-without-migration",
        "site/settings.py:3",
        {"manage.py": MANAGE, "site/settings.py": USERS, "users/models.py": USER},
        {"users/migrations/__init__.py": "", "users/migrations/0001_initial.py": NODE.format("")},
    ),
    Incident(
        "an app with models and no migrations folder",
        'ProgrammingError: relation "todo_item" does not exist',
        "models-without-migrations",
        "todo/models.py:4",
        {
            "manage.py": MANAGE,
            "site/settings.py": 'SECRET_KEY = "x"\nINSTALLED_APPS = ["todo.apps.TodoConfig"]\n',
            "todo/models.py": "from django.db import models\n\n\nclass Item(models.Model):\n    pass\n",
        },
        {"todo/migrations/__init__.py": "", "todo/migrations/0001_initial.py": NODE.format("")},
    ),
    Incident(
        "an updater restarts the app in the middle of its migration",
        "dependency failed to start: container paperless-1 is unhealthy",
        "unattended-upgrade",
        "compose.yaml:3",
        {
            "compose.yaml": "services:\n  web:\n    image: ghcr.io/example/paper:latest\n    environment:\n      PAPER_DBHOST: db\n  tower:\n    image: containrrr/watchtower:1.7.1\n"
        },
        {
            "compose.yaml": "services:\n  web:\n    image: ghcr.io/example/paper:latest\n    labels: [com.centurylinklabs.watchtower.enable=false]\n    environment:\n      PAPER_DBHOST: db\n  tower:\n    image: containrrr/watchtower:1.7.1\n"
        },
    ),
    Incident(
        "a rollout that says well of a container in a loop",
        "Restarting (1) 2 seconds ago",
        "service-without-healthcheck",
        "compose.yaml:2",
        {"Dockerfile": DOCKERFILE, "compose.yaml": BUILT + "    restart: always\n"},
        {"compose.yaml": BUILT + "    restart: always\n" + PROBE.format('["CMD", "true"]')},
    ),
)
