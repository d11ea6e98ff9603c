"""`tidegate health`, the port that boot answers on, and Celery workers: all as real processes."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import APP, Database, Runner, eventually
from support.postgres import free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]


class Answering(http.server.BaseHTTPRequestHandler):
    """/good, /moved, /bad and /host, which is good for one host only."""

    def do_GET(self) -> None:
        status = {"/good": 204, "/moved": 301, "/bad": 503, "/readyz": 200}.get(self.path, 404)
        if self.path == "/host":
            status = 200 if self.headers["Host"] == "shop.example" else 400
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "https://shop.example/moved")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("http://127.0.0.1:{port}/good",), 0, "204"),
        ((":{port}",), 0, "200"),
        (("http://localhost:{port}/good",), 0, "204"),
        (("http://127.0.0.1:{port}/bad",), 1, "503"),
        (("http://127.0.0.1:{port}/moved",), 1, "a redirect to https://shop.example/moved"),
        (("http://127.0.0.1:{port}/host",), 1, "--host NAME"),
        (("http://127.0.0.1:{port}/host", "--host", "shop.example"), 0, "200"),
        (("http://127.0.0.1:1/",), 1, "refused"),
        ((), 2, "health takes one of"),
        (("--local", ":{port}"), 2, "health takes one of"),
        (("ftp://127.0.0.1/",), 2, "http and https"),
        ((":{port}", "--timeout", "soon"), 2, "--timeout is 'soon'"),
    ],
)
def test_a_url(words, code, says, port: int, tidegate: Runner, tmp_path: Path):
    """2xx is healthy, all else is 1, a wrong command line is 2; each says why."""
    done = tidegate("health", *(word.format(port=port) for word in words), cwd=tmp_path, env={})
    assert done.code == code, done.said
    assert says in done.out + done.err


def test_a_server_that_hangs(tidegate: Runner, tmp_path: Path):
    """A server that accepts and never answers is unhealthy after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/readyz"
        done = tidegate("health", url, "--timeout", "0.3", cwd=tmp_path, env={})
    assert (done.code, "no answer in time" in done.err) == (1, True), done.said


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "unsealed"])
@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_local(which: str, sealed: bool, make_project: MakeProject, fresh: Fresh, tidegate: Runner):
    """--local asks the database itself: 1 with what is missing, 0 once it is applied."""
    project, database = make_project("alembic"), fresh(which)
    if sealed:
        assert tidegate("seal", cwd=project.root, env=database.environ).code == 0
    before = tidegate("health", "--local", cwd=project.root, env=database.environ)
    assert before.code == 1, before.said
    assert f"empty, lacks {', '.join(project.ids)}" in before.err
    assert tidegate("boot", "--", *APP, cwd=project.root, env=database.environ).code == 0
    after = tidegate("health", "--local", cwd=project.root, env=database.environ)
    assert (after.code, "current" in after.out) == (0, True), after.said


def test_local_without_a_server(make_project: MakeProject, tidegate: Runner):
    """A database that does not answer is 1, and the reason is said without the password."""
    project = make_project("django")
    url = f"postgresql://app:s3cret@127.0.0.1:{free_port()}/shop"
    done = tidegate("health", "--local", cwd=project.root, env={"DATABASE_URL": url})
    assert (done.code, done.err.strip()) == (1, "unreachable: connection refused")


def test_a_file(tidegate: Runner, tmp_path: Path):
    """A sign of life that is missing, fresh, or old."""
    sign = tmp_path / "sign"
    assert tidegate("health", "--file", str(sign), cwd=tmp_path, env={}).code == 1
    sign.touch()
    assert tidegate("health", "--file", str(sign), cwd=tmp_path, env={}).code == 0
    os.utime(sign, (1, 1))
    done = tidegate("health", "--file", str(sign), cwd=tmp_path, env={})
    assert (done.code, "hangs or has ended" in done.err) == (1, True), done.said


def asked(port: int, path: str, **headers: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_boot_answers_while_it_migrates(make_project: MakeProject, fresh: Fresh, tidegate: Runner):
    """On its startup port boot is alive, not ready, and tells its stage; the app gets the port."""
    project, database, port = make_project("django", 1), fresh("newest"), free_port()
    slow = project.add("SELECT pg_sleep(3)")
    app = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    env = {**database.environ, "TIDEGATE_STARTUP_PORT": str(port)}
    started = tidegate.start("boot", "--", *app, cwd=project.root, env=env)
    started.until(f"{slow}: applying")
    status, found = asked(port, "/startupz")
    assert (status, found["stage"], found["subject"]) == (503, "migrate", slow)
    stranger = asked(port, "/startupz", X_Forwarded_For="10.0.0.1")
    assert stranger == (503, {"status": "starting", "stage": "migrate"})
    assert asked(port, "/livez") == (200, {"status": "alive"})
    assert asked(port, "/readyz")[0] == 503
    assert asked(port, "/")[0] == 503

    def app_answers() -> bool:
        probe = tidegate("health", f"http://127.0.0.1:{port}/manage.py", cwd=project.root, env={})
        return probe.code == 0

    eventually(app_answers, what="the app on the same port")
    started.kill()


def test_a_taken_startup_port_is_no_obstacle(
    make_project: MakeProject, fresh: Fresh, tidegate: Runner
):
    """When the port is taken boot warns and goes on."""
    project, database = make_project("django", 1), fresh("newest")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = tidegate("boot", "--startup-port", port, "--", *APP, cwd=project.root,
                        env=database.environ)  # fmt: skip
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert f"boot can't answer probes on port {port}" in done.err


CELERY = """\
import os
import celery
import tidegate.health.celery
app = celery.Celery("work", broker="filesystem://", backend=None)
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "processed_folder": "queue"}
tidegate.health.celery.install(app, timeout=60)

@app.task
def mark():
    open("marked", "w").close()
"""


def test_a_celery_worker_waits_for_the_schema(
    make_project: MakeProject, fresh: Fresh, tidegate: Runner
):
    """The worker takes no task before the schema is there, then works and shows that it lives;
    one whose loop hangs is told by its old sign."""
    project, database = make_project("alembic"), fresh("newest")
    (project.root / "work.py").write_text(CELERY)
    (project.root / "queue").mkdir()
    sign = project.root / "sign"
    env = tidegate.environ({**database.environ, "TIDEGATE_HEALTH_FILE": str(sign)})
    celery = [sys.executable, "-m", "celery", "-A", "work"]
    sent = subprocess.run([*celery, "call", "work.mark"], cwd=project.root, env=env, check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    log = project.root / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen([*celery, "worker", "--pool=solo", "-l", "INFO"],
                                  cwd=project.root, env=env, stdout=out, stderr=out)  # fmt: skip
    try:
        eventually(lambda: "waits for the schema" in log.read_text(), what="the waiting worker")
        eventually(lambda: project.ids[-1] in log.read_text(), what="the missing steps")
        assert not (project.root / "marked").exists()
        assert not sign.exists()
        assert tidegate("boot", "--", *APP, cwd=project.root, env=database.environ).code == 0
        eventually((project.root / "marked").exists, what="the task")
        probe = ("health", "--file", str(sign))
        assert tidegate(*probe, cwd=project.root, env={}).code == 0
        worker.send_signal(signal.SIGSTOP)
        hung = lambda: tidegate(*probe, "--age", "6", cwd=project.root, env={}).code == 1  # noqa: E731
        eventually(hung, timeout=20, what="the hung worker")
    finally:
        worker.send_signal(signal.SIGCONT)
        worker.terminate()
        worker.wait(20)
