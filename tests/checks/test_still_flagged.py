"""What looks like a case that is let be, and is a fault all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import BUILT, COPIED, DB, MANAGE, SCRIPTED, Tree
from checks.test_check_examples import seen, written
from checks.test_stays_quiet import GUARDED, NODE, SQUASH
from tidegate.workflows.doctor import story

DJANGO = {"manage.py": MANAGE, "site/settings.py": 'SECRET_KEY = "x"\n'}
LABELLED = {
    **DJANGO,
    "home/apps.py": 'class HomeConfig(AppConfig):\n    label: str = "front_home"\n',
    "home/migrations/0001_initial.py": NODE.format(""),
    "home/migrations/0002_a.py": NODE.format('("front_home", "0001_initial")'),
    "home/migrations/0002_b.py": NODE.format('("front_home", "0001_initial")'),
}
SQUASHED = {
    **DJANGO,
    "shop/migrations/0001_squashed.py": SQUASH,
    "shop/migrations/0003_a.py": NODE.format('("shop", "0002_price")'),
    "shop/migrations/0003_b.py": NODE.format('("shop", "0002_price")'),
}
POD = "    spec:\n      containers:\n        - name: web\n          image: example/shop:1\n          command: [sh, -c, 'python manage.py migrate && exec gunicorn shop.wsgi']\n"
APP = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n" + POD
SCALER = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {kind: Deployment, name: web}\n  minReplicas: 2\n"
PATCH = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 4}\n"
OVERLAY = "resources: [../base]\nreplicas:\n  - {name: web, count: 3}\n"
LISTED = (
    "kind: List\nitems:\n- "
    + APP.replace("spec:\n  template", "spec:\n  replicas: 2\n  template")
    .rstrip()
    .replace("\n", "\n  ")
    + "\n"
)
VOLUME = "    volumes: ['media:/srv/media']\nvolumes: {media: {}}\n"

FLAGGED: dict[str, tuple[Tree, str, str]] = {
    "two ends of an app with a label of its own": (LABELLED, "several-heads", "home/migrations/0002_a.py:5"),
    "two ends behind a squashed migration": (SQUASHED, "several-heads", "shop/migrations/0003_a.py:5"),
    "a password for a server with flags": ({"compose.yaml": "services:\n  db:\n    image: postgres:16\n    command: postgres -c fsync=off\n"}, "database-password-missing", "compose.yaml:3"),
    "a script on Alpine keeps its shell": ({"Dockerfile": SCRIPTED.replace("python:3.12", "python:3.12-alpine"), "start.sh": "set -e\nuwsgi --ini uwsgi.ini\n", "compose.yaml": BUILT}, "app-never-gets-the-stop-signal", "start.sh:2"),
    "dash keeps its child": ({"Dockerfile": COPIED, "compose.yaml": BUILT + '    command: sh -c "uwsgi --ini uwsgi.ini"\n'}, "app-never-gets-the-stop-signal", "compose.yaml:4"),
    "a script without shebang that begins with python": ({"Dockerfile": SCRIPTED, "start.sh": "python manage.py migrate\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT}, "failed-migration-is-ignored", "start.sh:1"),
    "a volume that nobody hands over": ({"Dockerfile": COPIED + 'RUN useradd app\nUSER app\nCMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + VOLUME}, "volume-owned-by-root", "compose.yaml:4"),
    "migrations by the script of Flask-Migrate, in a branch": ({"Dockerfile": SCRIPTED + 'CMD ["api"]\n', "start.sh": 'if [ "$1" = api ]; then\n  python manage.py db upgrade\n  exec gunicorn site.wsgi\nfi\nif [ "$1" = jobs ]; then\n  exec celery -A site worker\nfi\n', "compose.yaml": BUILT}, "failed-migration-is-ignored", "start.sh:2"),
    "migrations that gunicorn's container writes into the project": ({**DJANGO, "Dockerfile": COPIED, "compose.yaml": BUILT + "    command: sh -c 'python manage.py makemigrations && exec gunicorn site.wsgi'\n    volumes: ['.:/app']\n"}, "makemigrations-at-start", "compose.yaml:4"),
    "a guard that lets both services migrate": ({**GUARDED, "compose.yaml": GUARDED["compose.yaml"] + "    environment: {RUN_MIGRATIONS: 'yes'}\n"}, "several-containers-migrate", "lib.sh:3"),
    "a function's failure that its caller speaks about": ({**GUARDED, "start.sh": GUARDED["start.sh"].replace("migrate_db\n", "migrate_db || say no\n"), "lib.sh": GUARDED["lib.sh"] + 'say() {\n  echo "$@"\n}\n'}, "failed-migration-is-ignored", "start.sh:3"),
    "a script that the Dockerfile holds": ({"Dockerfile": COPIED + "COPY --chmod=755 <<'EOF' /usr/local/bin/start\n#!/bin/bash\npython manage.py migrate\nexec gunicorn site.wsgi\nEOF\nCMD [\"start\"]\n".replace('["start"]', '["/usr/local/bin/start"]'), "compose.yaml": BUILT}, "failed-migration-is-ignored", "Dockerfile:6"),
    "a caller that goes on behind a strict script": ({"Dockerfile": COPIED, "prestart.sh": "set -e\nalembic upgrade head\n", "compose.yaml": BUILT + '    command: bash -c "bash prestart.sh; gunicorn site.wsgi"\n'}, "failed-migration-is-ignored", "compose.yaml:4"),
    "a user that the server does not make": ({"Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://shop:shop@db/postgres\n" + DB}, "database-login-differs", "compose.yaml:5"),
    "a database that the server does not make": ({"Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    environment:\n      DATABASE_URL: postgres://postgres:shop@db/shop\n" + DB}, "database-login-differs", "compose.yaml:5"),
    "a password of alembic.ini that the server was not made with": ({"Dockerfile": COPIED, "alembic.ini": "[alembic]\nscript_location = m\nsqlalchemy.url = postgresql://postgres:other@db/postgres\n", "m/env.py": "engine_from_config(config.get_section('alembic'))\n", "compose.yaml": BUILT + "    command: alembic upgrade head\n" + DB}, "database-login-differs", "alembic.ini:3"),
    "a name of the settings that the server was not made with": ({**DJANGO, "site/settings.py": "import os\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'db', 'USER': 'postgres', 'PASSWORD': os.environ['PW'], 'NAME': 'postgres'}}\n", "Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    environment: {PW: other}\n" + DB}, "database-login-differs", "site/settings.py:2"),
    "pods of an autoscaler": ({"k8s/web.yaml": APP, "k8s/scale.yaml": SCALER}, "replicas-migrate-together", "k8s/web.yaml:10"),
    "pods of an overlay": ({"k8s/base/web.yaml": APP, "k8s/prod/kustomization.yaml": OVERLAY}, "replicas-migrate-together", "k8s/base/web.yaml:10"),
    "pods of a patch": ({"k8s/base/web.yaml": APP, "k8s/prod/scale.yaml": PATCH}, "replicas-migrate-together", "k8s/base/web.yaml:10"),
    "pods of a list": ({"rendered.yaml": LISTED}, "replicas-migrate-together", "rendered.yaml:13"),
    "every branch has replaced the shell": ({"Dockerfile": SCRIPTED, "start.sh": 'if [ "$#" -gt 0 ]; then\n  exec "$@"\nelse\n  exec gunicorn site.wsgi\nfi\npython manage.py migrate\n', "compose.yaml": BUILT}, "unreachable-after-exec", "start.sh:6"),
    "a wait that nobody hears": ({"Dockerfile": SCRIPTED, "wait-for-it.sh*": "#!/bin/bash\ntrap : INT\n", "start.sh": "./wait-for-it.sh db:5432 -t 20\nexec gunicorn site.wsgi\n", "compose.yaml": BUILT}, "wait-runs-command-anyway", "start.sh:1"),
    "make goes on behind a dash": ({"Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT, "Makefile": "deploy:\n\t-docker compose run --rm web python manage.py migrate\n\tdocker compose up -d\n"}, "rollout-after-failed-migration", "Makefile:2"),
    "a redirect to TLS wherever nobody debugs": ({**DJANGO, "site/settings.py": "import environ\n\nenv = environ.Env(DEBUG=(bool, False))\nDEBUG = env('DEBUG')\nSECURE_SSL_REDIRECT = not DEBUG\nALLOWED_HOSTS = ['*']\n", "Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + '    healthcheck:\n      test: python -c "import urllib.request as u; u.urlopen(\'http://localhost:8000/\')"\n'}, "probe-redirected-to-https", "compose.yaml:5"),
    "two services on the file of a default": ({**DJANGO, "site/settings.py": "import environ\nfrom pathlib import Path\n\nBASE_DIR = Path(__file__).parent.parent\nenv = environ.Env()\nDATABASES = {'default': env.db('DATABASE_URL', default=f'sqlite:///{BASE_DIR}/data/a.db')}\n", "Dockerfile": COPIED + 'CMD ["gunicorn", "site.wsgi"]\n', "compose.yaml": BUILT + "    volumes: &at ['data:/app/data']\n  worker:\n    build: .\n    command: celery -A site worker\n    volumes: *at\nvolumes: {data: {}}\n"}, "sqlite-shared-by-containers", "site/settings.py:6"),
}  # fmt: skip


@pytest.mark.parametrize("case", FLAGGED, ids=lambda case: case.replace(" ", "-"))
def test_it_is_named(case: str, tmp_path: Path) -> None:
    """The rule speaks at its place."""
    tree, rule, place = FLAGGED[case]
    assert (rule, place) in seen(written(tmp_path, tree))


def test_the_server_beside_the_migration_is_named(tmp_path: Path) -> None:
    """Of two branches it is the one that migrates, and not what the script's last line starts."""
    tree, rule, _ = FLAGGED["migrations by the script of Flask-Migrate, in a branch"]
    found = story.examine(written(tmp_path, tree))
    (message,) = (one.finding.message for one in found if one.rule == rule)
    assert message.startswith("`gunicorn site.wsgi` starts although `python manage.py db upgrade`")


@pytest.mark.parametrize(
    ("image", "printed", "version"),
    [
        ("mariadb", "Upgrade after a crash is not supported", "mariadb:11.4"),
        ("mysql", "Invalid MySQL server upgrade", "mysql:8.4"),
        ("postgres", "database files are incompatible with server", "postgres:17"),
    ],
)
def test_each_server_prints_its_own_error(
    image: str, printed: str, version: str, tmp_path: Path
) -> None:
    """The prediction, and the version to write, are those of the server in question."""
    where = "postgresql" if image == "postgres" else "mysql"
    text = (
        f"services:\n  db:\n    image: {image}\n    environment:\n      MYSQL_ROOT_PASSWORD: x\n"
        f"      POSTGRES_PASSWORD: x\n    volumes: ['db:/var/lib/{where}']\nvolumes: {{db: {{}}}}\n"
    )
    found = story.examine(written(tmp_path, {"compose.yaml": text}))
    (one,) = (one for one in found if one.rule == "database-image-floats")
    assert printed in one.predicts
    assert version in one.finding.remedy
