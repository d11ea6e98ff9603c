"""`--import`: the values decide what the files leave open, and no secret leaves the container."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine import BASE
from checks.test_check_examples import written
from checks.test_doctor_verb import doctor
from tidegate.container import telling

MANAGE = """import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
CONF = """import os


def hosts():
    return ["shop.example.org"]


def database():
    return {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "keeper",
            "PASSWORD": os.environ["DB_PASSWORD"], "HOST": "localhost"}
"""
SETTINGS = """from shop import conf

SECRET_KEY = "words-of-the-key"
ALLOWED_HOSTS = conf.hosts()
DATABASES = {"default": conf.database()}
INSTALLED_APPS = ["django.contrib.contenttypes"]
"""
WEB = """services:
  web:
    build: .
    environment:
      DB_PASSWORD: hunter22
      DB_HOST: db
    depends_on:
      db:
        condition: service_healthy
    healthcheck:
      test: ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://localhost:8000/')"]
  worker:
    build: .
    command: python manage.py qcluster
    environment:
      DB_HOST: db
    depends_on:
      web:
        condition: service_healthy
  db:
    image: postgres:15
    environment:
      POSTGRES_PASSWORD: hunter22
    healthcheck:
      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"]
"""
PROJECT = {
    "manage.py": MANAGE,
    "shop/__init__.py": "",
    "shop/conf.py": CONF,
    "shop/settings.py": SETTINGS,
    "Dockerfile": f'FROM {BASE}\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": WEB,
}


def places(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    found = json.loads(done.stdout)["findings"]
    return [(one["rule"], f"{one['path']}:{one['line']}") for one in found]


def test_values_decide_what_the_files_leave_open(
    docker: Callable[..., str], base_image: str, project_name: str, tmp_path: Path
) -> None:
    """Hosts that a function makes are judged, a service that does not load is named by its line."""
    written(tmp_path, {**PROJECT, "compose.yaml": f"name: {project_name}\n{WEB}"})
    assert places(doctor(tmp_path, before=("--format", "json"))) == []
    done = doctor(tmp_path, "--import", before=("--format", "json"))
    assert places(done) == [
        ("probe-host-not-allowed", "compose.yaml:12"),
        ("settings-do-not-load", "shop/conf.py:10"),
        ("localhost-in-container", "shop/settings.py:5"),
    ]
    said = done.stdout + done.stderr
    assert "worker can't load the settings." in said
    assert '"predicts": "KeyError: \'DB_PASSWORD\'"' in said
    assert "give DB_PASSWORD to worker" in said
    assert not [word for word in ("hunter22", "keeper", "words-of-the-key") if word in said]
    assert docker("compose", "-p", project_name, "ps", "--all", "--quiet", cwd=tmp_path) == ""


def test_without_an_engine_the_files_still_count(tmp_path: Path) -> None:
    """It ends with 3 and says how to go on; what the files say is reported all the same."""
    written(tmp_path, {**PROJECT, "compose.yaml": WEB.replace("DB_HOST: db", "DB_HOST: databse")})
    command = [sys.executable, "-m", "tidegate", "--project", str(tmp_path), "doctor", "--import"]
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    if "docker" in done.stderr and "not installed" in done.stderr:
        pytest.skip("docker is not installed")
    assert done.returncode == 3
    assert "the container engine does not answer" in done.stderr
    assert "database-host-unknown" in done.stdout


def local(root: Path, tree: dict[str, str]) -> subprocess.CompletedProcess[str]:
    written(root, {name: text for name, text in tree.items() if "/" in name or name == "manage.py"})
    command = [sys.executable, "-m", "tidegate", "--project", str(root), "--format", "json",
               "doctor", "--import"]  # fmt: skip
    environ = {**os.environ, "DB_PASSWORD": "hunter22",
               "VIRTUAL_ENV": str(Path(sys.executable).parents[1])}  # fmt: skip
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_without_containers_the_projects_own_python_loads_it(tmp_path: Path) -> None:
    """A missing module of INSTALLED_APPS is found at the line that names it."""
    tree = {**PROJECT, "shop/settings.py": SETTINGS.replace('types"]', 'types", "storages"]')}
    done = local(tmp_path, tree)
    assert places(done) == [("settings-do-not-load", "shop/settings.py:6")]
    assert "No module named 'storages'" in done.stdout


def test_a_message_does_not_repeat_a_secret(tmp_path: Path) -> None:
    """An exception with a password in its words comes out with stars."""
    broken = CONF.replace(
        "def hosts", "raise ValueError(f\"bad: {os.environ['DB_PASSWORD']}\")\n\ndef hosts"
    )
    done = local(tmp_path, {**PROJECT, "shop/conf.py": broken})
    assert "ValueError: bad: ***" in done.stdout
    assert "hunter22" not in done.stdout + done.stderr


def test_fix_goes_by_the_files(tmp_path: Path) -> None:
    """--import with --fix is wrong usage: what was loaded says nothing of mended files."""
    written(tmp_path, PROJECT)
    done = doctor(tmp_path, "--import", "--fix")
    assert done.returncode == 2
    assert "run tidegate doctor --fix, then tidegate doctor --import" in done.stderr


def test_only_the_address_of_a_url_is_told() -> None:
    """User, password, path and query of a broker's URL stay where they are."""
    assert telling.address("amqps://u:p%40ss@mq:5671/v?x=1") == "amqps://mq:5671/"
    assert telling.address(["redis://:pw@cache/0"]) == ["redis://cache/"]
    assert telling.address("sqs://") == "sqs:///"
    assert telling.address("redis://h:port/") is None


def test_only_what_checks_ask_for_is_told() -> None:
    """Of a database its engine and address, of options their names, of storages their classes."""
    raw = {"ENGINE": "django.db.backends.postgresql", "HOST": "db", "USER": "u", "PASSWORD": "p",
           "OPTIONS": {"service": "s"}}  # fmt: skip
    assert telling.databases({"default": raw}) == {
        "default": {"ENGINE": raw["ENGINE"], "HOST": "db", "OPTIONS": {"service": ""}}
    }
    kept = telling.storages({"default": {"BACKEND": "a.B", "OPTIONS": {"secret_key": "k"}}})
    assert kept == {"default": {"BACKEND": "a.B"}}
    assert telling.numbers({"visibility_timeout": 60, "password": "x"}) == {
        "visibility_timeout": 60
    }
