"""What Celery itself prints is what the checks of its configuration predict."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checks.incidents.base import COPIED, MANAGE
from checks.test_check_examples import FILE_CHECKS, seen, written
from tidegate.reading.project import celeryfiles, facts
from tidegate.reading.project.project import ProjectFiles

WORKER = "services:\n  worker:\n    build: .\n    command: celery -A shop.celery worker\n"
RABBIT = "  rabbit:\n    image: rabbitmq:4\n"


def printed(root: Path, errors: tuple[str, ...], program: list[str]) -> bool:
    """Run a worker until it says one of the texts, or for half a minute."""
    log = root / "log"
    environ = {**os.environ, "PYTHONPATH": str(root)}
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    if (root / "shop/settings.py").exists():
        environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    with log.open("w") as file:
        process = subprocess.Popen(program, cwd=root, stdout=file, stderr=file, env=environ)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if any(re.search(one, log.read_text()) for one in errors):
                return True
            if process.poll() is not None:
                break
            time.sleep(0.1)
        return any(re.search(one, log.read_text()) for one in errors)
    finally:
        process.kill()
        process.wait()


def celery(*argv: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "shop.celery", *argv]


def test_a_worker_without_broker(tmp_path: Path) -> None:
    """It goes to RabbitMQ on localhost, as the check's example says."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 5672)) == 0:
            pytest.skip("something answers on RabbitMQ's port here")
    check = FILE_CHECKS["celery-without-broker"]
    written(tmp_path, dict(check.BAD))
    assert printed(tmp_path, check.ERRORS, celery("worker", "--pool=solo"))


def test_a_client_that_is_not_installed(tmp_path: Path) -> None:
    """Without Redis's client the first connection ends with an error that does not name it."""
    if importlib.util.find_spec("redis"):
        pytest.skip("the client is installed here")
    check = FILE_CHECKS["broker-library-missing"]
    written(tmp_path, dict(check.BAD))
    assert printed(tmp_path, check.ERRORS, celery("worker", "--pool=solo"))


def test_a_broker_that_no_name_leads_to(tmp_path: Path) -> None:
    """The text of a name that does not resolve leads to the check, and the check to the line."""
    app = 'from celery import Celery\n\napp = Celery("shop", broker="amqp://cache.invalid")\n'
    tree = {"Dockerfile": COPIED, "shop/celery.py": app, "shop/__init__.py": ""}
    written(tmp_path, {**tree, "compose.yaml": WORKER + RABBIT})
    check = FILE_CHECKS["broker-host-unknown"]
    assert printed(tmp_path, check.ERRORS, celery("worker", "--pool=solo"))
    (tmp_path / "shop/celery.py").write_text(app.replace("cache.invalid", "cache"))
    assert ("broker-host-unknown", "shop/celery.py:3") in seen(ProjectFiles(tmp_path))


@pytest.mark.parametrize(
    ("code", "settings", "value"),
    [
        ('app = Celery("s", broker="redis://a")\n', "", "redis://a"),
        ('app = Celery("s")\napp.conf.broker_url = "redis://b"\n', "", "redis://b"),
        ('app = Celery("s")\napp.conf.update(broker_url="redis://c")\n', "", "redis://c"),
        ('app = Celery("s")\napp.config_from_object("django.conf:settings", namespace="Q")\n',
         'Q_BROKER_URL = "redis://d"\n', "redis://d"),
        ('app = Celery("s")\napp.config_from_object("django.conf:settings")\n',
         'BROKER_URL = "redis://e"\n', "redis://e"),
        ('import os\napp = Celery("s", broker=os.environ.get("Q", "redis://f"))\n', "", "redis://g"),
    ],
)  # fmt: skip
def test_every_way_to_set_a_broker(code: str, settings: str, value: str, tmp_path: Path) -> None:
    """The reader finds what Celery would use, in the app's module or in Django's settings."""
    tree = {
        "manage.py": MANAGE.replace("site.", "shop."),
        "shop/settings.py": 'SECRET_KEY = "x"\n' + settings,
        "shop/celery.py": "from celery import Celery\n" + code,
        "Dockerfile": COPIED,
        "compose.yaml": WORKER + "    environment:\n      Q: redis://g\n",
    }
    project = written(tmp_path, tree)
    (service,) = project.services
    (act,) = celeryfiles.acts(project, service)
    app = celeryfiles.of(project, act)
    assert app is not None
    known = facts.values(service, project)
    found = celeryfiles.setting(project, app, service, "broker_url", known)
    assert found is not None and found.value == value
