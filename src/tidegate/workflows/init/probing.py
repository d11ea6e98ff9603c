"""The path at which the app itself answers probes, where its code has one."""

from __future__ import annotations

import re

from tidegate.reading.project.project import ProjectFiles

_NAMES = r"(?:healthz?|livez?|readyz?|ping|health[-_]?check|heartbeat)"
# On the app object itself: a router or a blueprint may have a prefix.
_ROUTE = re.compile(rf"""@(?:app|application)\.(?:get|route)\(\s*["'](/{_NAMES}/?)["']""")
_URL = re.compile(rf"""\bpath\(\s*["']({_NAMES}/?)["']""")


def path(project: ProjectFiles, app: str, folder: str) -> str:
    """Return the path with its slash; empty where there is none, or its prefix can't be told."""
    settings = project.settings
    if project.manage and settings is not None:
        found = settings.value("ROOT_URLCONF")
        name, expression = found if isinstance(found, str) else "", _URL
    else:
        name, expression = app.partition(":")[0], _ROUTE
    below = name.replace(".", "/")
    for file in (f"{below}.py", f"{below}/__init__.py", f"src/{below}.py"):
        text = project.read(f"{folder}/{file}".lstrip("/")) if name else None
        match = expression.search(text or "")
        if match:
            return "/" + match[1].lstrip("/")
    return ""
