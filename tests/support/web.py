"""Real web servers before small projects: gunicorn with Django, uvicorn with FastAPI."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.postgres import Server, free_port
from support.projects import SmallProject

WSGI = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
WRAPPED = WSGI + "from tidegate.health import WSGI\napplication = WSGI(application)\n"
ASGI = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.asgi import get_asgi_application
application = get_asgi_application()
"""
STRICT = """
ALLOWED_HOSTS = ["shop.example"]
SECURE_SSL_REDIRECT = True
ROOT_URLCONF = "config.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth",
                  "django.contrib.sessions", "shop"]
MIDDLEWARE = [
    "tidegate.health.django.Middleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]
"""
PLAIN = """
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
MIDDLEWARE = []
"""
URLS = "from django.urls import include, path\n"
URLS += 'urlpatterns = [path("", include("tidegate.health.urls"))]\n'
FASTAPI = """\
from fastapi import FastAPI
from tidegate.health import ASGI
app = FastAPI()
app.add_middleware(ASGI)

@app.get("/")
def home():
    return {"hello": "world"}
"""


@dataclass
class Said:
    """One answer of the server."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Web:
    """A running web server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, timeout: float = 10, **headers: str) -> Said:
        """Ask it; header names are written with underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            text = answer.read().decode()
            body = json.loads(text) if text.startswith("{") else text
            return Said(answer.status, body, dict(answer.headers))
        finally:
            connection.close()

    def state(self) -> str:
        """The state of the only database, as the details say it."""
        (one,) = self.get("/readyz").body["databases"]
        return str(one["state"])


def django(project: SmallProject, extra: str, wsgi: str = WSGI) -> None:
    """Give a Django project a web side."""
    settings = project.root / "config" / "settings.py"
    settings.write_text(settings.read_text() + extra)
    (project.root / "config" / "urls.py").write_text(URLS)
    (project.root / "config" / "wsgi.py").write_text(wsgi)
    (project.root / "config" / "asgi.py").write_text(ASGI)


@contextmanager
def gunicorn(
    project: SmallProject, env: Mapping[str, str], *more: str, app: str = "config.wsgi"
) -> Iterator[Web]:
    """Serve a WSGI application."""
    port = free_port()
    argv = ["-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--threads", "4", *more, app]
    with _running(argv, project, env, port) as web:
        yield web


@contextmanager
def uvicorn(project: SmallProject, env: Mapping[str, str], app: str) -> Iterator[Web]:
    """Serve an ASGI application."""
    port = free_port()
    argv = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), app]
    with _running(argv, project, env, port) as web:
        yield web


@contextmanager
def _running(
    argv: list[str], project: SmallProject, env: Mapping[str, str], port: int
) -> Iterator[Web]:
    log = project.root / f"web-{port}.log"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *argv], cwd=project.root, stdout=out, stderr=out,
            env={"PATH": path, "HOME": str(project.root), "LANG": "C.UTF-8", **env},
        )  # fmt: skip
    web = Web(process, port, log)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                web.get("/livez", timeout=2)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.05)
        yield web
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop every process of a database server, as a hung host would; let them go on after."""
    assert server.process
    postmaster = server.process.pid
    pids = [postmaster]
    try:
        _signal(postmaster, signal.SIGSTOP)
        pids += children(postmaster)
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # a session that ended meanwhile
        os.kill(pid, number)


def children(parent: int) -> list[int]:
    """The processes whose parent this is."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return found
