"""The endpoints in real servers: gunicorn with Django, uvicorn with FastAPI, real PostgreSQL."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support import web
from support.gate import APP, Database, Runner, eventually
from support.projects import SmallProject
from support.web import Web

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

SERVED = {
    "middleware": ("django", web.STRICT, web.WSGI),
    "wrapped": ("django", web.PLAIN, web.WRAPPED),
    "urls": ("django", web.PLAIN, web.WSGI),
    "django-asgi": ("django", web.STRICT, web.WSGI),
    "fastapi": ("alembic-async", "", ""),
}


@pytest.fixture(params=list(SERVED))
def served(
    request: pytest.FixtureRequest, make_project: MakeProject, fresh: Fresh
) -> Iterator[tuple[SmallProject, Database, Web]]:
    """A project, its empty database, and a server before it."""
    flavour, extra, wsgi = SERVED[request.param]
    project, database = make_project(flavour), fresh("newest")
    env = {**database.environ, "TIDEGATE_HEALTH_TOKEN": "let-me-see"}
    if request.param == "fastapi":
        (project.root / "main.py").write_text(web.FASTAPI)
        running = web.uvicorn(project, env, "main:app")
    else:
        web.django(project, extra, wsgi)
        running = web.gunicorn(project, env)
        if request.param == "django-asgi":
            running = web.uvicorn(project, env, "config.asgi:application")
    with running as server:
        yield project, database, server


def migrate(tidegate: Runner, project: SmallProject, database: Database) -> None:
    done = tidegate("boot", "--", *APP, cwd=project.root, env=database.environ)
    assert done.code == 0, done.said


def test_readiness_follows_the_schema(served, tidegate: Runner):
    """Un-migrated: alive, started, not ready, with what is missing; then ready; ahead is ready."""
    project, database, server = served
    assert (server.get("/livez").status, server.get("/startupz").status) == (200, 200)
    eventually(lambda: server.state() == "empty", what="the project's answer")
    said = server.get("/readyz")
    assert said.status == 503
    assert set(project.ids) <= set(said.body["databases"][0]["missing"])
    assert said.headers.get("Cache-Control", said.headers.get("cache-control")) == "no-store"
    migrate(tidegate, project, database)
    eventually(lambda: server.get("/readyz").status == 200, what="readiness")
    if project.framework == "django":
        database.rows("INSERT INTO django_migrations (app, name, applied) "
                      "VALUES ('shop', '0099_newer', now()) RETURNING 1")  # fmt: skip
        eventually(lambda: server.state() == "ahead", what="ahead")
        assert server.get("/readyz").status == 200
        database.rows("DELETE FROM django_migrations WHERE name = '0002_step' RETURNING 1")
        eventually(lambda: server.get("/readyz").status == 503, what="diverged")


def test_strangers_see_no_details(served):
    """A request that a proxy passed on sees a word; the token sees all; HEAD has no body."""
    _, _, server = served
    eventually(lambda: server.state() == "empty", what="the project's answer")
    stranger = server.get("/readyz", X_Forwarded_For="10.1.2.3")
    assert stranger.body == {"status": "not ready"}
    wrong = server.get("/readyz", X_Forwarded_For="10.1.2.3", Authorization="Bearer guess")
    assert wrong.body == {"status": "not ready"}
    known = server.get("/readyz", X_Forwarded_For="10.1.2.3", Authorization="Bearer let-me-see")
    assert known.body["databases"][0]["state"] == "empty"


def test_other_paths_are_the_apps(make_project: MakeProject, fresh: Fresh):
    """What is not a probe reaches the app's own middleware: here the redirect to HTTPS."""
    project = make_project("django")
    web.django(project, web.STRICT)
    with web.gunicorn(project, fresh("newest").environ) as server:
        assert server.get("/", Host="shop.example").status == 301
        assert server.get("/readyzz", Host="shop.example").status == 301


def test_readiness_as_metrics(make_project: MakeProject, fresh: Fresh):
    """The part for the app's own metrics says readiness and what is missing."""
    from tidegate.health import Health, metrics_text

    project, database = make_project("django"), fresh("newest")
    health = Health(str(project.root), {**os.environ, **database.environ})
    eventually(lambda: 'missing_steps{database="default"} 2' in metrics_text(health), what="it")
    text = metrics_text(health)
    assert 'tidegate_ready{database="default"} 0\n' in text
    families = list(text_string_to_metric_families(f"{text}# EOF\n"))
    assert [one.type for one in families] == ["gauge"] * 3


def test_a_sealed_image_answers_at_once(make_project: MakeProject, fresh: Fresh, tidegate: Runner):
    """With a good seal nothing is loaded: the first answer names the missing steps."""
    project, database = make_project("alembic"), fresh("newest")
    (project.root / "main.py").write_text(web.FASTAPI)
    sealed = tidegate("seal", cwd=project.root, env=database.environ)
    assert sealed.code == 0, sealed.said
    with web.uvicorn(project, {**database.environ, "PYTHONPATH": ""}, "main:app") as server:
        assert server.state() == "empty"


def test_an_unreachable_database(make_project: MakeProject, fresh: Fresh, servers):
    """The server goes away: not ready, and the reason is said; it comes back: ready again."""
    project, database = make_project("django", 0), fresh("spare")
    web.django(project, web.PLAIN, web.WRAPPED)
    with web.gunicorn(project, database.environ) as server:
        eventually(lambda: server.get("/readyz").status == 200, what="readiness")
        servers("spare").stop("immediate")
        eventually(lambda: server.get("/readyz").status == 503, what="the loss")
        (one,) = server.get("/readyz").body["databases"]
        assert (one["state"], one["why"]) == ("unreachable", "connection refused")
        servers("spare")  # starts it again
        eventually(lambda: server.get("/readyz").status == 200, what="the return")


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_a_hung_database_does_not_pile_up(
    kind: str, make_project: MakeProject, fresh: Fresh, servers
):
    """Every process of the server is stopped under 200 requests a second: each of the thousand is
    answered, after its timeout at the latest, no thread and no connection is left behind, and the
    return is seen."""
    project, database = (
        make_project("django" if kind == "gunicorn" else "alembic", 0),
        fresh("spare"),
    )
    if kind == "gunicorn":
        web.django(project, web.PLAIN, web.WRAPPED)
        running = web.gunicorn(project, database.environ)
    else:
        (project.root / "main.py").write_text(web.FASTAPI)
        running = web.uvicorn(project, database.environ, "main:app")
    with running as server:
        eventually(lambda: server.get("/readyz").status == 200, what="readiness")
        answers: list[tuple[int, float]] = []
        with web.frozen(servers("spare")):
            bombard(server, answers, count=1000, rate=200)
            assert server.get("/livez").status == 200
            assert server.get("/readyz").status == 503
            threads = [threads_of(pid) for pid in processes(server)]
        eventually(lambda: server.get("/readyz").status == 200, what="the return")
        assert len(answers) == 1000
        assert {status for status, _ in answers} <= {200, 503}
        assert answers[-1][0] == 503
        assert max(took for _, took in answers) < 8  # the timeout is 2; a hang would be 10
        assert sum(took > 1 for _, took in answers) < 100  # who waits are the first alone
        assert max(threads) < 16
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidegate'"
        eventually(lambda: int(database.rows(sql)[0]) <= 1, what="no connection left behind")


def bombard(server: Web, answers: list[tuple[int, float]], count: int, rate: int) -> None:
    """Ask so often, at this rate as long as the answers come: 16 threads, each in its turn."""
    began = time.monotonic()

    def one(first: int) -> None:
        for number in range(first, count, 16):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            asked = time.monotonic()
            status = server.get("/readyz").status
            answers.append((status, time.monotonic() - asked))

    threads = [threading.Thread(target=one, args=(first,)) for first in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def processes(server: Web) -> list[int]:
    return [server.process.pid, *web.children(server.process.pid)]


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
