"""Which app `tidegate init` starts, with which server, and what its probe asks."""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.forked import tidegate_in
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import image
from tidegate.workflows.init.detect import Found, detect

ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": 'import os\nurl = os.environ["DATABASE_URL"]\n',
}
FACTORY = "from {0} import {1}\n\n\ndef create_app({2}):\n    app = {1}()\n{3}    return app\n"
FLASK = FACTORY.format("flask", "Flask", "", "")
FASTAPI = FACTORY.format("fastapi", "FastAPI", "testing: bool = False", "")
PROBED = FACTORY.format(
    "flask", "Flask", "", '\n    @app.get("/health")\n    def health():\n        return "ok"\n\n'
)


def found(root: Path, requirements: str, **modules: str) -> Found:
    """Return what is told of a project with these Python files."""
    tree = {**ALEMBIC, "requirements.txt": "\n".join(["psycopg", *requirements.split()]) + "\n"}
    tree |= {name.replace("__", "/") + ".py": text for name, text in modules.items()}
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return detect(ProjectFiles(root))


UVICORN = ["uvicorn", "--host", "0.0.0.0", "--port", "8000", "--factory"]
WEB = "shop.web:create_app"
COMMANDS = [
    ("flask gunicorn", FLASK, ["gunicorn", "shop.web:create_app()"], False),
    ("flask", FLASK, ["gunicorn", "shop.web:create_app()"], False),
    ("flask uvicorn", FLASK, ["gunicorn", "shop.web:create_app()"], False),
    ("fastapi uvicorn", FASTAPI, [*UVICORN, WEB], True),
    ("fastapi gunicorn", FASTAPI, [*UVICORN, WEB], True),
    ("fastapi granian", FASTAPI, ["granian", "--interface", "asgi"], True),
    ("flask granian", FLASK, ["granian", "--interface", "wsgi"], False),
]  # fmt: skip


@pytest.mark.parametrize(("names", "text", "argv", "asgi"), COMMANDS, ids=lambda one: str(one)[:20])
def test_a_factory_is_called_by_the_server(
    names: str, text: str, argv: list[str], asgi: bool, tmp_path: Path
) -> None:
    """An app that only a function makes is started through it, by a server of its kind."""
    told = found(tmp_path, names, shop__web=text)
    assert told.asgi is asgi
    command = image.command(told)
    assert command[: len(argv)] == argv
    assert any(one.startswith(WEB) for one in command)
    assert not any("uvicorn.workers" in one for one in command)


def test_a_factory_that_needs_arguments_is_none(tmp_path: Path) -> None:
    """A server calls it without any: the note says that no app was found."""
    told = found(tmp_path, "flask", shop__web=FACTORY.format("flask", "Flask", "config", ""))
    assert "no app for a server was found: correct the command in the Dockerfile" in told.notes
    assert not told.asgi


def test_the_probe_asks_what_the_app_has(tmp_path: Path) -> None:
    """At the app's own path a 404 is a fault; at `/` it is an answer, as many APIs have no page."""
    assert "'/health'" in image.probe(found(tmp_path / "a", "flask", shop__web=PROBED))
    for folder, text, status, ends in (
        ("b", PROBED, 200, 0), ("c", PROBED, 404, 1), ("d", PROBED, 500, 1),
        ("e", FLASK, 404, 0), ("f", FLASK, 500, 1),
    ):  # fmt: skip
        probe = image.probe(found(tmp_path / folder, "flask", shop__web=text))
        with answering(status) as port:
            asked = probe.replace("8000", str(port))
            done = subprocess.run([sys.executable, "-c", asked], check=False, timeout=30)
        assert done.returncode == ends, (folder, status)


@contextlib.contextmanager
def answering(status: int) -> Iterator[int]:
    """Run a server that answers everything with one status; yield its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_project_on_mysql_is_refused_in_words(tmp_path: Path) -> None:
    """Nothing is written: what init writes starts with the gate, which MySQL has not yet."""
    found(tmp_path, "flask pymysql", shop__web=FLASK)
    (tmp_path / "requirements.txt").write_text("flask\npymysql\n")
    before = sorted(tmp_path.rglob("*"))
    done = tidegate_in(tmp_path, "init", "--yes")
    assert done.returncode == 2
    assert "MySQL (pymysql), which tidegate boot can't raise yet" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
