"""Django refuses the host name that the health check asks with.

The probe asks for localhost, which ALLOWED_HOSTS does not have: Django answers 400, the probe fails, the container is unhealthy while it serves everybody else.
Send an allowed name (`curl -H 'Host: shop.example.org'`), or allow localhost.
It is silent where the setting can't be told, where it has `*`, and for probes that do not look at the answer's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import UNKNOWN
from tidegate.reading.project.service import Health

SEVERITY = "error"
ERRORS = (r"Invalid HTTP_HOST header: '[^']+'", r"DisallowedHost")
PRINTED = "DisallowedHost: Invalid HTTP_HOST header: 'localhost:8000'. You may need to add 'localhost' to ALLOWED_HOSTS."
WHEN = "at every probe; after the retries the container is unhealthy"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nDEBUG = False\nALLOWED_HOSTS = ["shop.example.org"]\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi", "--bind=0.0.0.0:8000"]\n',
    "compose.yaml": 'services:\n  web:\n    build: .\n    healthcheck:\n      test: ["CMD", "curl", "-f", "http://localhost:8000/"]\n',
}
GOOD = {**BAD, "shop/settings.py": BAD["shop/settings.py"].replace('org"]', 'org", "localhost"]')}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield probes over HTTP whose host Django does not allow."""
    for service in facts.built(project):
        health, settings = project.health(service), project.settings_for(service)
        main = facts.main_of(project, service)
        if health is None or settings is None or main is None or not words.serves(main.words):
            continue
        environ = facts.values(service, project)
        allowed = settings.value("ALLOWED_HOSTS", environ)
        debug = settings.value("DEBUG", environ)
        host = _host(health)
        found = settings.last("ALLOWED_HOSTS")
        known = isinstance(allowed, (list, tuple)) and all(isinstance(one, str) for one in allowed)
        if (
            not host
            or not known
            or debug is UNKNOWN
            or found is None
            or settings.conditional("ALLOWED_HOSTS")
        ):
            continue
        if (debug and not allowed) or _matches(host, list(allowed)):
            continue
        said = ", ".join(allowed) or "empty"
        yield Problem(
            health.place,
            f"The health check of {service.name} asks for {host}, and ALLOWED_HOSTS is {said}: Django answers 400.",
            f"allow {host}, or send an allowed name in the Host header",
            (Place(found.path, found.line),),
            _mend(project, health, list(allowed)),
            printed=f"DisallowedHost: Invalid HTTP_HOST header. You may need to add '{host}' to ALLOWED_HOSTS.",
        )


def _host(health: Health) -> str:
    """Return the host that the probe sends, if it fails on a 400."""
    text = " ".join(health.words[1:])
    found = re.search(r"http://[^\s'\"|;&)]+", text)
    if not found or re.search(r"(?<!\w)[Hh]ost['\"]?\s*:", text):
        return ""
    if "curl" in text and not re.search(r"\s(-\w*f\w*|--fail\S*)(\s|$)", text):
        return ""
    return urlsplit(found[0]).hostname or ""


def _matches(host: str, allowed: list[str]) -> bool:
    return any(
        one == "*"
        or one.lower() == host
        or (one.startswith(".") and (host.endswith(one) or host == one[1:]))
        for one in allowed
    )


_URLOPEN = re.compile(r"(?P<module>(?:\w+\.)*)urlopen\((?P<url>'http://[^'$]+')")


def _mend(project: ProjectFiles, health: Health, allowed: list[str]) -> tuple[Edit, ...]:
    """Let the probe send a name that is allowed, in the words of the tool that it calls."""
    name = next((one for one in allowed if one[:1] not in (".", "*")), "")
    text = project.read(health.place.path) or ""
    line = text.split("\n")[health.place.line - 1] if name and health.place.line else ""
    opened = _URLOPEN.search(line)
    if opened:
        module, url = opened["module"], opened["url"]
        new = f"{module}urlopen({module}Request({url}, headers={{'Host': '{name}'}})"
        return edits.swap(health.place.path, text, health.place.line, opened[0], new)
    for old, new in (
        ('"curl", ', f'"curl", "-H", "Host: {name}", '),
        ("curl ", f"curl -H 'Host: {name}' "),
    ):
        if line.count(old) == 1 and "'" not in line:
            return edits.swap(health.place.path, text, health.place.line, old, new)
    return ()
