"""`--live`: what the engine says of containers and volumes becomes findings."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidegate.reading.project.live import Container, Live, Volume
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import engine, story

COMPOSE = """
name: {name}
services:
  crashing:
    image: python:3.11-slim
    command: ["python", "-c", "print('password=secret'); raise SystemExit(3)"]
    restart: always
  sick:
    image: python:3.11-slim
    command: ["sleep", "300"]
    init: true
    healthcheck:
      test: ["CMD", "python", "-c", "raise SystemExit('no answer from the app')"]
      interval: 1s
      retries: 1
  hungry:
    image: python:3.11-slim
    command: ["python", "-c", "x = bytearray(10**9)"]
    mem_limit: 32m
    memswap_limit: 32m
  db:
    image: postgres:15
    environment:
      POSTGRES_PASSWORD: shop
    volumes:
      - db:/var/lib/postgresql/data
volumes:
  db:
"""
WANTED = {
    "container-keeps-restarting",
    "container-unhealthy",
    "container-out-of-memory",
    "volume-of-another-version",
}


@pytest.fixture
def running(docker: Callable[..., str], tmp_path: Path) -> Iterator[Path]:
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(name=name))
    docker("compose", "up", "--detach", cwd=tmp_path)
    end = time.monotonic() + 60
    while (
        "ready to accept connections" not in docker("compose", "logs", "db", cwd=tmp_path)
        and time.monotonic() < end
    ):
        time.sleep(0.5)
    docker(
        "compose",
        "exec",
        "db",
        "sh",
        "-c",
        "echo 14 >/var/lib/postgresql/data/PG_VERSION",
        cwd=tmp_path,
    )
    yield tmp_path
    docker("compose", "down", "--volumes", "--timeout", "0", cwd=tmp_path)


def test_the_engine_is_asked(running: Path) -> None:
    """A loop of restarts, a failing probe, a kill for memory and a volume of another version."""
    end = time.monotonic() + 60
    found: list[story.Diagnosis] = []
    while not {one.rule for one in found} >= WANTED and time.monotonic() < end:
        project = ProjectFiles(running)
        found = story.examine(project, engine.gather(project))
        time.sleep(0.5)
    said = {one.rule: one for one in found}
    assert set(said) >= WANTED
    assert "was restarted" in said["container-keeps-restarting"].problem.message
    assert "secret" not in said["container-keeps-restarting"].problem.message
    assert "no answer from the app" in said["container-unhealthy"].problem.message
    assert "its limit is 32 MB" in said["container-out-of-memory"].problem.message
    assert "written by PostgreSQL 14" in said["volume-of-another-version"].problem.message
    assert said["volume-of-another-version"].problem.place.line == 22


SERVER = """
name: {name}
services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://postgres:shop@front/postgres
  ended:
    image: python:3.11-slim
    command: ["python", "-c", "raise SystemExit('no key for the mailer')"]
  done:
    image: python:3.11-slim
    command: ["true"]
  front:
    image: {pooler}
    entrypoint: []
    user: "65534"
    command: ["pgbouncer", "/tmp/pool.ini"]
    volumes: ["./pool.ini:/tmp/pool.ini:ro", "./users.txt:/tmp/users.txt:ro"]
  db:
    image: postgres:15
    command: postgres -c max_connections=7 -c superuser_reserved_connections=3
    environment:
      POSTGRES_PASSWORD: shop
      POSTGRES_HOST_AUTH_METHOD: trust
  locked:
    image: postgres:15
    command: postgres -c default_transaction_read_only=on
    environment:
      POSTGRES_PASSWORD: shop
  copy:
    image: postgres:15
    environment:
      POSTGRES_PASSWORD: shop
    volumes: ["./standby.sh:/docker-entrypoint-initdb.d/standby.sh:ro"]
"""
POOL = """[databases]
postgres = host=db
[pgbouncer]
listen_addr = *
listen_port = 5432
auth_type = trust
auth_file = /tmp/users.txt
pool_mode = transaction
"""
FRONT = "tidegate-doctor-front"
MIGRATES = 'FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nCMD ["sh", "-c", "alembic upgrade head && exec uvicorn shop:app"]\n'


@pytest.fixture
def pooler(docker: Callable[..., str]) -> Iterator[str]:
    """An image with PgBouncer, by a name that does not say so."""
    here, there = "pgbouncer:local", "edoburu/pgbouncer:v1.23.1-p3"
    found = here if docker("image", "ls", "--quiet", here).strip() else there
    if found == there and "Error" in docker("pull", "--quiet", there):
        pytest.skip("no image of PgBouncer can be had")
    docker("tag", found, FRONT)
    yield FRONT
    docker("image", "rm", FRONT)


def test_running_servers_are_asked(docker: Callable[..., str], pooler: str, tmp_path: Path) -> None:
    """An invalid index, a statement behind a lock, connections that run out, a replica, a
    read-only server, a pooler under another name, and a container that ended."""
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    (tmp_path / "compose.yaml").write_text(SERVER.format(name=name, pooler=pooler))
    (tmp_path / "Dockerfile").write_text(MIGRATES)
    (tmp_path / "pool.ini").write_text(POOL)
    (tmp_path / "users.txt").write_text('"postgres" "shop"\n')
    (tmp_path / "standby.sh").write_text('touch "$PGDATA/standby.signal"\n')
    up = ("compose", "up", "--detach", "ended", "done", "front", "db", "locked", "copy")
    docker(*up, cwd=tmp_path)
    psql = ("compose", "exec", "-T", "db", "psql", "-h", "127.0.0.1", "-U", "postgres", "-c")
    behind = ("compose", "exec", "-d", "db", "psql", "-U", "postgres", "-c")
    pooled = ("compose", "exec", "-T", "db", "psql", "-h", "front", "-U", "postgres", "-c")
    try:
        end = time.monotonic() + 60
        while "CREATE TABLE" not in docker(*psql, "CREATE TABLE a (id int)", cwd=tmp_path):
            assert time.monotonic() < end
            time.sleep(0.5)
        docker(*psql, "INSERT INTO a VALUES (1), (1)", cwd=tmp_path)
        docker(*psql, "CREATE UNIQUE INDEX CONCURRENTLY a_idx ON a (id)", cwd=tmp_path)
        docker(*behind, "BEGIN; LOCK a; SELECT pg_sleep(120)", cwd=tmp_path)
        docker(*behind, "ALTER TABLE a ADD b int", cwd=tmp_path)
        while "(1 row)" not in docker(*pooled, "SELECT 1", cwd=tmp_path):
            assert time.monotonic() < end, docker("compose", "logs", "front", cwd=tmp_path)
            time.sleep(0.5)
        wanted = {
            ("invalid-index", "db"), ("statement-waits-for-lock", "db"),
            ("connections-used-up", "db"), ("database-read-only", "locked"),
            ("database-read-only", "copy"), ("migration-through-pooler", "web"),
            ("container-ended", "ended"),
        }  # fmt: skip
        found: dict[tuple[str, str], str] = {}
        while not set(found) >= wanted and time.monotonic() < end:
            said = story.examine(ProjectFiles(tmp_path), _asked(tmp_path))
            found = {
                (one.rule, name): one.finding.message
                for one in said
                for name in ("web", "db", "locked", "copy", "ended", "done")
                if re.search(rf"\b{name}\b", one.finding.message.split(" through ")[0])
            }
        assert set(found) >= wanted
        assert "it is a replica" in found["database-read-only", "copy"]
        assert "default_transaction_read_only is on" in found["database-read-only", "locked"]
        through = found["migration-through-pooler", "web"]
        assert "pgbouncer, which runs in front before db" in through
        assert "ended with 1: no key for the mailer" in found["container-ended", "ended"]
        assert not any(name == "done" for _, name in found)
    finally:
        docker("compose", "down", "--volumes", "--timeout", "0", cwd=tmp_path)


FULL = """
name: {name}
services:
  web:
    build: .
    init: true
    command: ["sleep", "300"]
    volumes:
      - static:/app/static
      - uploads:/app/uploads
  db:
    image: postgres:15
    environment:
      POSTGRES_PASSWORD: shop
    volumes:
      - db:/var/lib/postgresql/data
volumes:
  static:
  uploads:
  db:
    driver_opts: {{type: tmpfs, device: tmpfs, o: size=200m}}
"""


def test_what_lies_in_volumes(docker: Callable[..., str], tmp_path: Path) -> None:
    """A volume hides the new image's files, uploads do not count, and a small disk is near its end."""
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    (tmp_path / "compose.yaml").write_text(FULL.format(name=name))
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY . /app\n")
    for path in ("static/old.js", "static/app.js", "uploads/first.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("one")
    try:
        docker("compose", "up", "--build", "--detach", cwd=tmp_path)
        first = {one.rule for one in story.examine(ProjectFiles(tmp_path), _asked(tmp_path))}
        assert "disk-full" in first and "volume-hides-new-files" not in first
        (tmp_path / "static/app.js").write_text("two")
        (tmp_path / "static/new.css").write_text("new")
        (tmp_path / "uploads/first.png").write_text("another")
        docker("compose", "up", "--build", "--detach", "web", cwd=tmp_path)
        found = {
            one.rule: one.problem for one in story.examine(ProjectFiles(tmp_path), _asked(tmp_path))
        }
        hidden = found["volume-hides-new-files"]
        assert (
            "/app/static of web hides what the image has there: app.js, new.css." in hidden.message
        )
        assert "uploads" not in hidden.message
        assert "of 200 MB" in found["disk-full"].message
    finally:
        docker("compose", "down", "--volumes", "--timeout", "0", "--rmi", "local", cwd=tmp_path)


def _asked(root: Path) -> Live:
    return engine.gather(ProjectFiles(root))


def container(**values: object) -> Container:
    base = {"service": "web", "name": "shop-web-1", "state": "running", "exit_code": 0, "restarts": 0,
            "oom_killed": False, "health": "", "health_said": "", "memory_limit": 0, "log": ""}  # fmt: skip
    return Container(**{**base, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("log", "rule"),
    [
        ('FATAL:  password authentication failed for user "shop"', "volume-keeps-first-password"),
        ("permission denied for schema public", "schema-not-writable"),
        ("cannot execute INSERT in a read-only transaction", "database-read-only"),
        ("Can't locate revision identified by '4711'", "image-older-than-database"),
        ("FATAL:  sorry, too many clients already", "connections-used-up"),
        ("could not extend file: No space left on device", "disk-full"),
        ('prepared statement "_pg3_0" does not exist', "migration-through-pooler"),
    ],
)
def test_a_log_says_what_is_wrong(log: str, rule: str, tmp_path: Path) -> None:
    """The end of a container's log is read, and a quiet one says nothing."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: example/web:1\n")
    project = ProjectFiles(tmp_path)
    found = story.examine(project, Live((container(log=log),)))
    assert [(one.rule, one.problem.place.line) for one in found] == [(rule, 2)]
    assert story.examine(project, Live((container(log="all is well"),))) == []


def test_versions_that_agree_are_quiet(tmp_path: Path) -> None:
    """A volume of the server's own major version is no finding."""
    project = ProjectFiles(tmp_path)
    assert story.examine(project, Live((), (Volume("db", "v", "/x", "16", "16.4"),))) == []
    assert len(story.examine(project, Live((), (Volume("db", "v", "/x", "15", "16.4"),)))) == 1


def test_without_compose_it_says_why(tmp_path: Path) -> None:
    """A project without a Compose file has nothing to ask about."""
    assert "no Compose file" in engine.gather(ProjectFiles(tmp_path)).why_not


def test_what_never_started_is_named(tmp_path: Path) -> None:
    """The engine's reason is told, since the log of such a container is empty."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: example/web:1\n")
    why = (
        "failed to create task for container: runc create failed: unable to start container "
        'process: exec: "/app/run.sh": permission denied: unknown'
    )
    one = Container("web", "shop-web-1", "created", 127, 0, False, "", "", 0, "", error=why)
    (found,) = story.examine(ProjectFiles(tmp_path), Live((one,)))
    assert found.rule == "container-not-started"
    assert 'could not start web: exec: "/app/run.sh": permission denied.' in found.finding.message
    fine = Container("web", "shop-web-1", "running", 0, 0, False, "", "", 0, "", error=why)
    assert story.examine(ProjectFiles(tmp_path), Live((fine,))) == []


def test_a_refused_password_is_one_finding_at_its_server(tmp_path: Path) -> None:
    """The app's log and the server's say the same; the mend has the server's and the user's names."""
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    image: example/web:1\n  db:\n    image: postgres:16\n"
        "    environment:\n      POSTGRES_USER: shop\n      POSTGRES_PASSWORD: b\n"
    )
    log = 'FATAL:  password authentication failed for user "shop"'
    logs = tuple(
        Container(name, f"shop-{name}-1", "running", 0, 0, False, "", "", 0, log)
        for name in ("web", "db")
    )
    (found,) = story.examine(ProjectFiles(tmp_path), Live(logs))
    assert (found.rule, found.problem.place.line) == ("volume-keeps-first-password", 8)
    assert "db refuses the password of shop (log of web and db)" in found.finding.message
    assert "docker compose exec db psql -U shop -d postgres" in found.finding.remedy


@pytest.mark.parametrize(("up_for", "named"), [(2.0, True), (3600.0, False)])
def test_a_loop_is_seen_between_two_restarts(up_for: float, named: bool, tmp_path: Path) -> None:
    """A container that was started again a moment ago, for the third time, does not just run."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: example/web:1\n")
    one = Container(
        "web", "shop-web-1", "running", 0, 4, False, "", "", 0, "KeyError: 'A'", up_for=up_for
    )
    found = story.examine(ProjectFiles(tmp_path), Live((one,)))
    assert [each.rule for each in found] == (["container-keeps-restarting"] if named else [])
    ended = Container("web", "shop-web-1", "restarting", 3, 1, False, "", "", 0, "KeyError: 'A'")
    (found_now,) = story.examine(ProjectFiles(tmp_path), Live((ended,)))
    assert "web ended with 3 and was restarted 1 times" in found_now.finding.message


@pytest.mark.parametrize(("image", "named"), [("arm64", True), ("amd64", False)])
def test_an_image_for_another_processor(image: str, named: bool, tmp_path: Path) -> None:
    """What the kernel could not run is compared with the machine, and both are said."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: example/web:1\n")
    log = "exec /usr/local/bin/start: exec format error"
    one = Container("web", "w-1", "exited", 255, 0, False, "", "", 0, log, architecture=image)
    found = story.examine(ProjectFiles(tmp_path), Live((one,), architecture="amd64"))
    assert [(each.rule, each.problem.place.line) for each in found] == (
        [("image-for-another-processor", 3) if named else ("container-ended", 2)]
    )
