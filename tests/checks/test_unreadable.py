"""What doctor, and every other verb, says where it may not look or finds nothing to look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.incidents.base import BUILT, DB, DOCKERFILE, MANAGE
from checks.test_check_examples import seen, written
from support.forked import tidegate_in

# root may read everything: without these two rights it is a user like any other.
DJANGO = {
    "manage.py": MANAGE,
    "site/settings.py": 'SECRET_KEY = "x"\n',
    "Dockerfile": DOCKERFILE,
    "compose.yaml": BUILT,
}

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and sys.platform != "linux", reason="root reads everything"
)


def tidegate(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return tidegate_in(root, *argv, as_anybody=True)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A project whose files tests close; opened again for the cleaning up."""
    root = tmp_path / "shop"
    root.mkdir()
    written(root, DJANGO)
    yield root
    for path in (root, *sorted(root.rglob("*"))):
        path.chmod(0o755)
    for path in sorted(root.rglob("*")):
        path.chmod(0o755)


@pytest.mark.parametrize("verb", ["doctor", "init", "status", "up", "logs", "settings", "check"])
def test_a_closed_folder_is_named(verb: str, closed: Path) -> None:
    """Every verb of the outside says the same one thing, as wrong usage."""
    closed.chmod(0)
    done = tidegate(closed, verb)
    assert done.returncode == 2
    assert f"the project's folder {closed} can't be read by this user" in done.stderr
    assert "chmod u+rx" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["Dockerfile", "site/settings.py", "site"])
def test_closed_code_is_no_clean_bill(path: str, closed: Path) -> None:
    """A file that the answer hangs on makes the exit code 2, and stands in the report."""
    (closed / path).chmod(0)
    done = tidegate(closed, "doctor")
    assert done.returncode == 2
    assert "could not be read" in done.stdout
    name = path + ("/" if path == "site" else "")
    assert f"{name}: permission denied" in done.stderr
    found = json.loads(tidegate(closed, "--format", "json", "doctor").stdout)
    assert found["unread"] == {name: "Permission denied"}


def test_a_closed_compose_file(closed: Path) -> None:
    """It is a finding that says why, and whose right is missing."""
    (closed / "compose.yaml").chmod(0)
    done = tidegate(closed, "doctor")
    assert done.returncode == 2
    assert "compose.yaml can't be read: permission denied." in done.stdout
    assert "next: let this user read it" in done.stdout


def test_a_compose_file_in_another_encoding(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are named as such."""
    written(tmp_path, DJANGO)
    (tmp_path / "compose.yaml").write_bytes("services: {}\n".encode("utf-16"))
    done = tidegate(tmp_path, "doctor")
    assert done.returncode == 1
    assert "compose.yaml can't be read: it is not UTF-8 text." in done.stdout


def test_a_database_of_another_user_does_not_matter(closed: Path) -> None:
    """The server's own folder is closed to us: silent where it is mounted, else a word aside."""
    (closed / "pgdata").mkdir(mode=0)
    done = tidegate(closed, "doctor")
    assert (done.returncode, done.stdout) == (0, "nothing wrong in 4 files\n")
    assert "pgdata/ was passed over: Permission denied" in done.stderr
    mounted = BUILT + DB + "    volumes: ['./pgdata:/var/lib/postgresql/data']\n"
    (closed / "compose.yaml").write_text(mounted)
    assert "pgdata" not in tidegate(closed, "doctor").stderr


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """An empty folder is wrong usage, since "nothing wrong" would be heard as praise."""
    done = tidegate(tmp_path, "doctor")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is nothing for doctor to look at in {tmp_path}" in done.stderr
    assert "next: run it in the project's folder" in done.stderr


@pytest.mark.parametrize("text", ["something nobody has printed", "exec format error"])
def test_a_text_without_cause_here_has_a_next_step(text: str, tmp_path: Path) -> None:
    """Whether no check knows it or none sees its fault here, the answer says what to type."""
    written(tmp_path, DJANGO)
    done = tidegate(tmp_path, "doctor", "--error", text)
    assert done.returncode == 0
    assert "next: " in done.stdout
    (tmp_path / "compose.yaml").write_text(
        BUILT + "    environment:\n      DB_HOST: nowhere\n" + DB
    )
    assert "tidegate doctor: there is one finding" in tidegate(
        tmp_path, "doctor", "--error", text
    ).stdout  # fmt: skip


SETTINGS = """import os

SECRET_KEY = "x"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "localhost",
    }
}
"""
GIVEN = BUILT + "    environment:\n      DATABASE_URL: postgresql://shop:shop@db/shop\n"
STACK = GIVEN + "    depends_on: {db: {condition: service_healthy}}\n" + DB


def test_a_variable_that_the_settings_never_read(tmp_path: Path) -> None:
    """DATABASE_URL in Compose changes nothing where the settings say localhost themselves."""
    tree = {**DJANGO, "site/settings.py": SETTINGS, "compose.yaml": STACK}
    assert ("localhost-in-container", "site/settings.py:7") in seen(written(tmp_path, tree))


def test_settings_without_a_host(tmp_path: Path) -> None:
    """No HOST is the machine's own socket, unless a variable of libpq says more."""
    settings = SETTINGS.replace('        "HOST": "localhost",\n', "")
    tree = {**DJANGO, "site/settings.py": settings, "compose.yaml": STACK}
    assert ("localhost-in-container", "site/settings.py:4") in seen(written(tmp_path, tree))
    given = STACK.replace("DATABASE_URL: postgresql://shop:shop@db/shop", "PGHOST: db")
    rules = [rule for rule, _ in seen(written(tmp_path, {**tree, "compose.yaml": given}))]
    assert "localhost-in-container" not in rules


@pytest.mark.parametrize(
    "more",
    [
        'import dj_database_url\nDATABASES["default"] = dj_database_url.config()\n',
        'DATABASES["default"]["HOST"] = os.environ["DATABASE_URL"].split("@")[1]\n',
        'if "DATABASE_URL" in os.environ:\n    from site.production import *\n',
    ],
)
def test_settings_that_may_read_it(more: str, tmp_path: Path) -> None:
    """Where the variable may decide, localhost is a default and nothing is said."""
    tree = {**DJANGO, "site/settings.py": SETTINGS + more, "compose.yaml": STACK}
    rules = [rule for rule, _ in seen(written(tmp_path, tree))]
    assert "localhost-in-container" not in rules
