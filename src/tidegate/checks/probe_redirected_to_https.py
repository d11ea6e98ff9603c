"""The health check asks over HTTP and Django sends it to HTTPS.

With SECURE_SSL_REDIRECT every plain request is answered by a redirect to `https://localhost:…`, where nothing speaks TLS; a probe that follows it fails.
Leave the probe's path out with SECURE_REDIRECT_EXEMPT, or send `X-Forwarded-Proto: https` where SECURE_PROXY_SSL_HEADER says so.
It is silent for probes that do not follow redirects, such as plain `curl -f`.
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
from tidegate.reading.project.pycode import Assigned

SEVERITY = "error"
ERRORS = (
    r"\b301 Moved Permanently",
    r"WRONG_VERSION_NUMBER",
    r"wrong version number",
    r"record layer failure",
    r"SSL routines",
)
PRINTED = "urllib.error.URLError: <urlopen error [SSL: WRONG_VERSION_NUMBER] wrong version number>"
WHEN = "at every probe; after the retries the container is unhealthy"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nSECURE_SSL_REDIRECT = True\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi", "--bind=0.0.0.0:8000"]\n',
    "compose.yaml": 'services:\n  web:\n    build: .\n    healthcheck:\n      test: ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen(\'http://localhost:8000/healthz\')"]\n',
}
GOOD = {
    **BAD,
    "shop/settings.py": BAD["shop/settings.py"] + 'SECURE_REDIRECT_EXEMPT = [r"^healthz$"]\n',
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield plain HTTP probes that follow a redirect to TLS."""
    for service in facts.built(project):
        health, settings = project.health(service), project.settings_for(service)
        main = facts.main_of(project, service)
        if health is None or settings is None or main is None or not words.serves(main.words):
            continue
        redirect = settings.value("SECURE_SSL_REDIRECT", facts.values(service, project))
        found = settings.last("SECURE_SSL_REDIRECT")
        sure = found is not None and not settings.conditional("SECURE_SSL_REDIRECT")
        if redirect is not True or not sure or settings.last("SECURE_REDIRECT_EXEMPT"):
            continue
        text = health.shell
        follows = re.search(
            r"urlopen|requests\.get|wget|httpx\S*follow|curl\s.*(-\w*L|--location)", text
        )
        if "http://" in text and follows and "orwarded" not in text and found is not None:
            yield Problem(
                health.place,
                f"The health check of {service.name} follows Django's redirect to https, where nothing answers.",
                "leave its path out with SECURE_REDIRECT_EXEMPT in the settings",
                (Place(found.path, found.line),),
                _mend(project, found, text),
            )


def _mend(project: ProjectFiles, found: Assigned, probe: str) -> tuple[Edit, ...]:
    """Leave the probe's path out, on a line below the setting that redirects."""
    address = re.search(r"http://[^\s'\"|;&)$]+", probe)
    path = urlsplit(address[0]).path.lstrip("/") if address else ""
    text = project.read(found.path)
    if text is None or not path or found.value is None:
        return ()
    line = text.split("\n")[found.line - 1]
    lead = line[: len(line) - len(line.lstrip())]
    end = getattr(found.value, "end_lineno", found.line) or found.line
    new = f'{lead}SECURE_REDIRECT_EXEMPT = [r"^{re.escape(path)}$"]'
    return (edits.insert_line(found.path, text, end + 1, new),)
