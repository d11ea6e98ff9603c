"""A Celery worker has no broker to go to.

Where no setting names a broker, Celery goes to RabbitMQ on localhost, which is the worker's own container: it logs that it can't connect, and tries again for ever.
Most often the setting is there under a name that is not asked for: with `namespace="CELERY"` it is `CELERY_BROKER_URL`, without one `broker_url`.
It is silent where the variable `CELERY_BROKER_URL` is given, which Celery reads by itself, and where the settings come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import celeryfiles, edits, facts
from tidegate.reading.project.celeryfiles import CeleryApp
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (r"Cannot connect to amqp://guest:\*\*@(127\.0\.0\.1|localhost):5672",)
PRINTED = (
    "consumer: Cannot connect to amqp://guest:**@127.0.0.1:5672//: [Errno 111] Connection refused."
)
WHEN = "at the start of the worker, and every few seconds after that"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nCELERY_BROKER_URL = "redis://redis:6379/0"\n',
    "shop/celery.py": 'from celery import Celery\n\napp = Celery("shop")\napp.config_from_object("django.conf:settings")\n',
    "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\n",
    "compose.yaml": """services:
  worker:
    build: .
    command: ["celery", "-A", "shop", "worker"]
  redis:
    image: redis:7
""",
}
GOOD = {
    **BAD,
    "shop/celery.py": BAD["shop/celery.py"].replace(
        '"django.conf:settings"', '"django.conf:settings", namespace="CELERY"'
    ),
}
AT = "shop/celery.py:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield workers whose app has no broker in any place that Celery asks."""
    for service in facts.built(project):
        if service.hosts_own_network or not service.all_env_files_there:
            continue
        known = facts.values(service, project)
        for act in celeryfiles.acts(project, service):
            app = celeryfiles.of(project, act)
            if app is None or app.elsewhere or "CELERY_BROKER_URL" in known:
                continue
            if {"-b", "--broker"} & set(act.words) or _set(project, app, service):
                continue
            near = _near(project, app, service)
            yield Problem(
                Place(app.path, app.line),
                f"{service.name} has no broker: Celery goes to RabbitMQ on localhost, which is {service.name}'s own container.",
                _remedy(app, near),
                (near,) if near is not None else (act.place,),
                _mend(project, app, near),
            )


def _set(project: ProjectFiles, app: CeleryApp, service: Service) -> bool:
    settings = celeryfiles.settings_of(project, app, service)
    if app.namespace is not None and (settings is None or settings.open_ended):
        return True  # settings that we can't see
    names = ("broker_url", "broker_read_url", "broker_host")
    return any(celeryfiles.setting(project, app, service, one, {}) for one in names)


def _near(project: ProjectFiles, app: CeleryApp, service: Service) -> Place | None:
    settings = celeryfiles.settings_of(project, app, service)
    for name in ("CELERY_BROKER_URL", "BROKER_URL", "broker_url", "CELERY_BROKER"):
        if settings is not None and settings.last(name) is not None:
            path, line = settings.line(name)
            return Place(path, line, note=f"{name} is not asked for")
    return None


def _mend(project: ProjectFiles, app: CeleryApp, near: Place | None) -> tuple[Edit, ...]:
    """Name the namespace, where the setting is there under the name that goes with it."""
    text = project.read(app.path) or ""
    plain = (
        '"django.conf:settings"' if '"django.conf:settings"' in text else "'django.conf:settings'"
    )
    if near is None or not near.note.startswith("CELERY_BROKER_URL") or app.namespace != "":
        return ()
    return edits.swap(
        app.path, text, 1, plain, f'{plain}, namespace="CELERY"', text.count("\n") + 1
    )


def _remedy(app: CeleryApp, near: Place | None) -> str:
    if near is not None and near.note.startswith("CELERY_BROKER_URL"):
        return 'config_from_object("django.conf:settings", namespace="CELERY")'
    if app.namespace is not None:
        return f"call the setting {celeryfiles.names(app, 'broker_url')[0]}"
    return "give CELERY_BROKER_URL to the service, or Celery(broker=…)"
