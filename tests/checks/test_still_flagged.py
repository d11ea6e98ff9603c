"""What looks like a case that is let be, and is a fault all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import BUILT, COPIED, MANAGE, SCRIPTED, Tree
from checks.test_check_examples import seen, written
from checks.test_stays_quiet import NODE, SQUASH
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
