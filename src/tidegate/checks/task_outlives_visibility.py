"""A task takes longer than the broker waits before it hands it out again.

With Redis a task that is not acknowledged within the visibility timeout, one hour by default, is given to another worker, while the first still works on it or still waits for its time: it runs twice, or once an hour.
That meets tasks with a countdown longer than the timeout, and late acknowledged ones whose time limit is longer.
Set `visibility_timeout` in `broker_transport_options` above both, or keep the date in the database and let beat look.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import celeryfiles, facts, pycode
from tidegate.reading.project.celeryfiles import CeleryApp
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (r"Task (\S+\[[0-9a-f-]{36}\]) received[\s\S]*Task \1 received",)
PRINTED = (
    "Task shop.tasks.remind[0f3c1b1e-6f0b-4b8e-9d51-2f6f3a7c9e10] received\n"
    "Task shop.tasks.remind[0f3c1b1e-6f0b-4b8e-9d51-2f6f3a7c9e10] received"
)
WHEN = "when the task is still under way, or still waits, after the visibility timeout"
BAD = {
    "shop/celery.py": 'from celery import Celery\n\napp = Celery("shop", broker="redis://redis:6379/0")\n',
    "shop/tasks.py": "from shop.celery import app\n\n\ndef order_made(order):\n    remind.apply_async((order.id,), countdown=86400)\n",
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
    "shop/celery.py": BAD["shop/celery.py"]
    + 'app.conf.broker_transport_options = {"visibility_timeout": 90000}\n',
}
AT = "shop/tasks.py:5"
HOUR = 3600


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield countdowns and time limits above the visibility timeout of a Redis broker."""
    for service in facts.built(project):
        for act in celeryfiles.acts(project, service):
            app = celeryfiles.of(project, act)
            if "worker" not in act.words or app is None or app.elsewhere:
                continue
            known = facts.values(service, project)
            if not _on_redis(project, app, service, str(known.get("CELERY_BROKER_URL", ""))):
                continue
            timeout, place = _timeout(project, app, service)
            if timeout:
                yield from _limit(project, app, service, timeout, place)
                yield from _countdowns(project, timeout, place)


def _on_redis(project: ProjectFiles, app: CeleryApp, service: Service, given: str) -> bool:
    found = celeryfiles.setting(project, app, service, "broker_url", facts.values(service, project))
    value = given or (found.value if found is not None else "")
    return isinstance(value, str) and value.startswith(("redis://", "rediss://"))


def _timeout(project: ProjectFiles, app: CeleryApp, service: Service) -> tuple[float, Place]:
    """Return the seconds, and where they are said; 0 where only running can tell."""
    found = celeryfiles.setting(project, app, service, "broker_transport_options", {})
    if found is None:
        return HOUR, Place(app.path, app.line, note="the visibility timeout is one hour here")
    value = found.value.get("visibility_timeout", HOUR) if isinstance(found.value, dict) else 0
    return (value if isinstance(value, (int, float)) else 0), found.place


def _limit(
    project: ProjectFiles, app: CeleryApp, service: Service, timeout: float, place: Place
) -> Iterator[Problem]:
    late = celeryfiles.setting(project, app, service, "task_acks_late", {})
    limit = celeryfiles.setting(project, app, service, "task_time_limit", {})
    if late is None or late.value is not True or limit is None:
        return
    if isinstance(limit.value, (int, float)) and limit.value > timeout:
        yield Problem(
            limit.place,
            f"A task may take {limit.value:g} s and is handed out again after {timeout:g} s, since it is acknowledged late.",
            f'broker_transport_options with "visibility_timeout" above {limit.value:g}',
            (late.place, place),
        )


def _countdowns(project: ProjectFiles, timeout: float, place: Place) -> Iterator[Problem]:
    for path in project.paths:
        if not path.endswith(".py") or re.search(r"(^|/)(tests?/|test_|migrations/)", path):
            continue
        text = project.read(path) or ""
        tree = pycode.read(text, path).tree if "countdown=" in text else None
        for node in ast.walk(tree) if tree is not None else ():
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("apply_async", "retry", "set", "s", "signature"):
                continue
            given = [one for one in node.keywords if one.arg == "countdown"]
            seconds = _number(given[0].value) if given else 0
            if seconds > timeout:
                yield Problem(
                    Place(path, node.lineno),
                    f"This task waits {seconds:g} s, and the broker hands it to another worker every {timeout:g} s until then.",
                    f'broker_transport_options with "visibility_timeout" above {seconds:g},\nor keep the date in the database and let beat look for what is due',
                    (place,),
                )


def _number(node: ast.expr) -> float:
    """Return a literal, or a product of literals; 0 for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _number(node.left) * _number(node.right)
    value = pycode.literal(node)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
