"""Small Compose projects on the real engine, made and removed by a test."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.gate import Ended, Runner, Started, eventually

BASE = "tidegate-tests/base:1"
BASE_DOCKERFILE = """\
FROM python:3.11-slim
RUN pip install --no-cache-dir --disable-pip-version-check \
    "django>=5.2,<6" "alembic>=1.13" "sqlalchemy>=2" "psycopg[binary]>=3.1"
WORKDIR /app
"""
_numbers = itertools.count(1)

MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf")
if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
CONF = """\
import os
SECRET_KEY = os.environ.get("SECRET_KEY", "for-the-tests-only")
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if os.environ.get("POSTGRES_HOST"):
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["POSTGRES_HOST"],
        "USER": "shop", "NAME": "shop", "PASSWORD": os.environ["POSTGRES_PASSWORD"],
    }}
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/data/db.sqlite3"}}
"""
MODELS = """\
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=80)
"""
FIRST = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [
        migrations.CreateModel("Customer", [
            ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True,
                                       verbose_name="ID")),
            ("name", models.CharField(max_length=80)),
        ]),
    ]
"""
SERVE = """\
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"release RELEASE")
    def log_message(self, *words): pass
print("serving RELEASE", flush=True)
import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer(("", 8000), Answer).serve_forever()
"""
DOCKERFILE = f'FROM {BASE}\nCOPY . .\nCMD ["python", "serve.py"]\n'
SLOW_HEALTH = """
    healthcheck:
      test: ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000')"]
      interval: 1s
      timeout: 2s
      retries: 3
      start_period: 1s
"""
COMPOSE = """\
services:
  web:
    build: .
    restart: unless-stopped
    init: true
    volumes: ["data:/data"]
EXTRA
volumes:
  data:
"""
COMPOSE_PG = """\
services:
  web:
    build: .
    restart: unless-stopped
    init: true
    depends_on: [db]
    environment:
      POSTGRES_HOST: db
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}
EXTRA
  db:
    image: postgres:15
    restart: unless-stopped
    environment:
      POSTGRES_USER: shop
      POSTGRES_DB: shop
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}
    volumes: ["db:/var/lib/postgresql/data"]
volumes:
  db:
"""
PASSWORD = "Sesame-4711-open"
RECORDED = """\
import os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf")
django.setup()
from django.db import connection
cursor = connection.cursor()
cursor.execute("select name from django_migrations where app = 'shop' order by name")
print(*[name for (name,) in cursor.fetchall()])
"""


def engine_missing() -> str:
    """Why no test can run here, or an empty string."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if done.returncode:
        return "no container engine answers"
    done = subprocess.run(
        ["docker", "compose", "version"], capture_output=True, timeout=20, check=False
    )
    return "Docker has no Compose v2" if done.returncode else ""


def docker(*words: str, check: bool = True, **more: Any) -> str:
    """Run docker; return what it printed."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=600, check=False, **more
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def forget_images(project: str) -> None:
    """Remove the images of a project's name, and those that were built for it."""
    patterns = (project, f"{project}-*", f"{project}_*", f"tidegate/{project}", f"*/{project}")
    words = [word for one in patterns for word in ("--filter", f"reference={one}")]
    label = f"label=com.docker.compose.project={project}"
    found = (
        docker("image", "ls", "-q", *words) + " " + docker("image", "ls", "-q", "--filter", label)
    )
    if found.strip():
        docker("rmi", "--force", *sorted(set(found.split())), check=False)


class Stack:
    """One Compose project in a folder of its own."""

    def __init__(self, folder: Path, runner: Runner, shared: Path, prefix: str = "up") -> None:
        self.folder = folder
        self.runner = runner
        self.shared = shared
        self.name = f"{prefix}-{os.getpid()}-{next(_numbers)}"
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, files: Mapping[str, str]) -> Stack:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return self

    def django(self, compose: str = COMPOSE, extra: str = "", at: str = "compose.yaml") -> Stack:
        """Write the small Django project."""
        self.write({
            "manage.py": MANAGE, "conf.py": CONF, "shop/__init__.py": "",
            "shop/models.py": MODELS, "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": FIRST, "Dockerfile": DOCKERFILE,
            at: f"name: {self.name}\n" + compose.replace("EXTRA", extra),
            ".env": f"POSTGRES_PASSWORD={PASSWORD}\n",
        })  # fmt: skip
        return self.release("one")

    def with_users(self) -> Stack:
        """Add Django's own users."""
        apps = '["django.contrib.auth", "django.contrib.contenttypes", "shop"]'
        return self.write({"conf.py": CONF.replace('["shop"]', apps)})

    def begin(self) -> Stack:
        """Start release one without tidegate, as a project that adopts it; nothing is migrated."""
        self.compose("up", "-d", "--build", "--quiet-pull")
        return self

    def release(self, word: str, code: str = SERVE) -> Stack:
        """Write another release of the app."""
        return self.write({"serve.py": code.replace("RELEASE", word)})

    def migration(
        self, name: str, operations: str, after: str = "0001_initial", more: str = ""
    ) -> Stack:
        """Add a migration to the shop."""
        return self.write({
            f"shop/migrations/{name}.py": "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            f"    dependencies = [('shop', '{after}')]\n    operations = [{operations}]\n{more}"
        })  # fmt: skip

    @property
    def environ(self) -> dict[str, str]:
        names = ("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT")
        mine = {name: os.environ[name] for name in names if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {
            **mine, "PATH": path, "HOME": str(self.shared),
            "XDG_STATE_HOME": str(self.folder.parent / "state"),
            "TIDEGATE_COMPOSE_SETTLE": "1.5", "TIDEGATE_COMPOSE_TIMEOUT": "40",
        }  # fmt: skip

    def start(self, *words: str, env: Mapping[str, str] | None = None, **more: Any) -> Started:
        return self.runner.start(
            *words, cwd=self.folder, env={**self.environ, **(env or {})}, exact_env=True,
            secrets=(PASSWORD,), **more,
        )  # fmt: skip

    def tidegate(self, *words: str, timeout: float = 300, **more: Any) -> Ended:
        return self.start(*words, **more).end(timeout)

    def up(self, *words: str, **more: Any) -> Ended:
        """Run `tidegate up`, which has to succeed."""
        done = self.tidegate("up", *words, **more)
        assert done.code == 0, done.said
        return done

    def compose(self, *words: str, check: bool = True) -> str:
        return docker("compose", "-p", self.name, *words, check=check, cwd=self.folder)

    def containers(self, service: str = "web") -> list[dict[str, Any]]:
        """What the engine says of a service's containers."""
        ids = docker(
            "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}",
            "--filter", f"label=com.docker.compose.service={service}",
            "--filter", "label=com.docker.compose.oneoff=False",
        ).split()  # fmt: skip
        # What has vanished since it was listed is left out.
        out = docker("inspect", *ids, check=False) if ids else ""
        found: list[dict[str, Any]] = json.loads(out or "[]")
        return found

    def ids(self, service: str = "web") -> set[str]:
        return {one["Id"] for one in self.containers(service)}

    def served(self, service: str = "web") -> str:
        """What the running app answers, asked from inside its container, once it listens."""
        url = "http://127.0.0.1:8000"
        words = f"import urllib.request as r; print(r.urlopen('{url}').read().decode())"
        said: list[str] = []

        def asked() -> bool:
            for one in self.containers(service):
                out = docker("exec", one["Id"], "python", "-c", words, check=False)
                said.append(out)
                return bool(out)
            return False

        eventually(asked, 60, f"an answer of {service}")
        return said[-1]

    def applied(self) -> list[str]:
        """The shop's applied migrations: as recorded, else as the framework itself says."""
        for one in self.containers():
            if one["State"]["Running"]:
                out = docker("exec", one["Id"], "python", "-c", RECORDED, check=False)
                if out:
                    return out.split()
        out = docker(
            "compose", "-p", self.name, "run", "--rm", "--no-deps", "-T", "--entrypoint", "python",
            "web", "manage.py", "showmigrations", "shop", cwd=self.folder,
        )  # fmt: skip
        return [line.split()[1] for line in out.splitlines() if line.strip().startswith("[X]")]

    def remove(self) -> None:
        """Remove this project's own containers, volumes, networks and images."""
        ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}")
        if ids:
            docker("rm", "--force", "--volumes", *ids.split(), check=False)
        for kind in ("volume", "network"):
            found = docker(
                kind, "ls", "-q", "--filter", f"label=com.docker.compose.project={self.name}"
            )
            if found:
                docker(kind, "rm", *found.split(), check=False)
        marks = docker("volume", "ls", "-q", "--filter", f"label=tidegate.update={self.name}")
        if marks:
            docker("volume", "rm", *marks.split(), check=False)
        forget_images(self.name)


def exited(stack: Stack, words: Sequence[str], code: int) -> Ended:
    """Run tidegate; it has to end with `code`."""
    done = stack.tidegate(*words)
    assert done.code == code, done.said
    return done
