"""`--live`: what the engine says of containers and volumes becomes findings."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidegate.reading.project.live import Container, Live, Volume, verdict
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import engine, story

STACK = """
name: {name}
services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://postgres:shop@front/postgres
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
    volumes:
      - db:/var/lib/postgresql/data
  locked:
    image: postgres:15
    command: postgres -c default_transaction_read_only=on
    environment:
      POSTGRES_PASSWORD: shop
  stranger:
    image: postgres:15
    command: psql postgresql://postgres:changed@locked/postgres -c "SELECT 1"
    restart: always
  writer:
    image: postgres:15
    command: psql postgresql://postgres:shop@locked/postgres -c "CREATE TABLE a (id int)"
    restart: always
  copy:
    image: postgres:15
    environment:
      POSTGRES_PASSWORD: shop
    volumes: ["./standby.sh:/docker-entrypoint-initdb.d/standby.sh:ro"]
volumes:
  db:
"""
RUNNING = (
    "crashing",
    "sick",
    "hungry",
    "ended",
    "done",
    "front",
    "db",
    "locked",
    "stranger",
    "writer",
    "copy",
)
WANTED = {
    ("container-keeps-restarting", "crashing"), ("container-unhealthy", "sick"),
    ("container-out-of-memory", "hungry"), ("container-ended", "ended"),
    ("volume-of-another-version", "db"), ("invalid-index", "db"),
    ("statement-waits-for-lock", "db"), ("connections-used-up", "db"),
    ("database-read-only", "locked"), ("database-read-only", "copy"),
    ("migration-through-pooler", "web"), ("volume-keeps-first-password", "locked"),
    ("database-read-only", "writer"),
}  # fmt: skip
POOL = """[databases]
postgres = host=db
[pgbouncer]
listen_addr = *
listen_port = 5432
auth_type = trust
auth_file = /tmp/users.txt
pool_mode = transaction
"""
FILES = {
    "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
    'CMD ["sh", "-c", "alembic upgrade head && exec uvicorn shop:app"]\n',
    "pool.ini": POOL,
    "users.txt": '"postgres" "shop"\n',
    "standby.sh": 'touch "$PGDATA/standby.signal"\n',
}
FRONT = "tidegate-doctor-front"


@pytest.fixture(scope="module")
def pooler(docker: Callable[..., str]) -> Iterator[str]:
    """An image with PgBouncer, by a name that does not say so."""
    here, there = "pgbouncer:local", "edoburu/pgbouncer:v1.23.1-p3"
    found = here if docker("image", "ls", "--quiet", here).strip() else there
    if found == there and "Error" in docker("pull", "--quiet", there):
        pytest.skip("no image of PgBouncer can be had")
    docker("tag", found, FRONT)
    yield FRONT
    docker("image", "rm", FRONT)


Found = dict[tuple[str, str], story.Diagnosis]


@pytest.fixture(scope="module")
def found(
    docker: Callable[..., str], pooler: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Found]:
    """What is found in one stack with every fault of a running one, by rule and service."""
    root = tmp_path_factory.mktemp("live")
    for path, text in FILES.items():
        (root / path).write_text(text)
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    (root / "compose.yaml").write_text(STACK.format(name=name, pooler=pooler))
    docker("compose", "up", "--detach", *RUNNING, cwd=root)
    try:
        end = time.monotonic() + 90
        _break_the_database(docker, root, end)
        out: Found = {}
        while not set(out) >= WANTED and time.monotonic() < end:
            said = story.examine(ProjectFiles(root), _asked(root))
            out = {(one.rule, _service(one)): one for one in said}
        yield out
    finally:
        docker("compose", "down", "--volumes", "--timeout", "0", cwd=root)


def _service(one: story.Diagnosis) -> str:
    """The service that a message is about: the first that it names."""
    names = (
        word for word in re.findall(r"[a-z]+", one.finding.message) if word in (*RUNNING, "web")
    )
    return next(names, "")


def _break_the_database(docker: Callable[..., str], root: Path, end: float) -> None:
    psql = ("compose", "exec", "-T", "db", "psql", "-h", "127.0.0.1", "-U", "postgres", "-c")
    behind = ("compose", "exec", "-d", "db", "psql", "-U", "postgres", "-c")
    pooled = ("compose", "exec", "-T", "db", "psql", "-h", "front", "-U", "postgres", "-c")
    while "CREATE TABLE" not in docker(*psql, "CREATE TABLE a (id int)", cwd=root):
        assert time.monotonic() < end
        time.sleep(0.5)
    docker(*psql, "INSERT INTO a VALUES (1), (1)", cwd=root)
    docker(*psql, "CREATE UNIQUE INDEX CONCURRENTLY a_idx ON a (id)", cwd=root)
    docker(*behind, "BEGIN; LOCK a; SELECT pg_sleep(120)", cwd=root)
    docker(*behind, "ALTER TABLE a ADD b int", cwd=root)
    older = "echo 14 >/var/lib/postgresql/data/PG_VERSION"
    docker("compose", "exec", "db", "sh", "-c", older, cwd=root)
    while "(1 row)" not in docker(*pooled, "SELECT 1", cwd=root):
        assert time.monotonic() < end, docker("compose", "logs", "front", cwd=root)
        time.sleep(0.5)
    while "(unhealthy)" not in docker("compose", "ps", cwd=root) and time.monotonic() < end:
        time.sleep(0.5)


def test_every_fault_of_a_running_stack_is_named(found: Found) -> None:
    """By its rule, at its service; and a container that ended well is not."""
    assert set(found) >= WANTED
    assert "done" not in {service for _, service in found}


@pytest.mark.parametrize(
    ("rule", "service", "words"),
    [
        ("container-keeps-restarting", "crashing", "was restarted"),
        ("container-unhealthy", "sick", "no answer from the app"),
        ("container-out-of-memory", "hungry", "its limit is 32 MB"),
        ("container-ended", "ended", "ended with 1: no key for the mailer"),
        ("volume-of-another-version", "db", "written by PostgreSQL 14"),
        ("database-read-only", "copy", "it is a replica"),
        ("database-read-only", "locked", "default_transaction_read_only is on"),
        ("volume-keeps-first-password", "locked", "refuses the password of postgres"),
        ("database-read-only", "writer", "writes to a database that is read-only"),
        ("migration-through-pooler", "web", "pgbouncer, which runs in front before db"),
    ],
)
def test_it_says_what_was_seen(rule: str, service: str, words: str, found: Found) -> None:
    """The engine's and the server's own answer is part of the message; no secret of a log is."""
    message = found[rule, service].finding.message
    assert words in message
    assert "secret" not in message


def test_a_volume_s_version_is_named_at_the_image(found: Found) -> None:
    """The line is that of the tag which does not fit."""
    line = STACK.split("\n").index("  db:") + 2
    assert found["volume-of-another-version", "db"].problem.place.line == line


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


def test_the_engines_own_compose_judges_too(tmp_path: Path) -> None:
    """A variable that this machine does not have; what the files tell already is said once."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    text = "services:\n  web:\n    image: example/web:${TAG_OF_SHOP:?see the manual}\n"
    (tmp_path / "compose.yaml").write_text(text)
    project = ProjectFiles(tmp_path)
    (found,) = story.examine(project, engine.gather(project))
    assert found.rule == "compose-file-refused"
    assert "required variable TAG_OF_SHOP is missing a value: see the manual" in found.predicts
    assert found.finding.remedy == "give TAG_OF_SHOP a value in .env, or export it"
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    imgae: x\n")
    project = ProjectFiles(tmp_path)
    told = [one.rule for one in story.examine(project)]
    assert [one.rule for one in story.examine(project, engine.gather(project))] == told


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


def test_the_line_of_a_log_that_says_what_went_wrong() -> None:
    """It is the last one that is no hint, no place in a file, and no line of a traceback."""
    refused = 'connection to server at "db", port 5432 failed: Connection refused'
    hint = "\tIs the server running on that host and accepting TCP/IP connections?"
    assert verdict(f"starting\n{refused}\n{hint}\n") == refused
    assert (
        verdict("ERROR:  no relation\nLINE 1: SELECT\n        ^\nDETAIL:  x\n")
        == "ERROR:  no relation"
    )
    assert verdict("Traceback (most recent call last):\n  File\nOSError: full\n") == "OSError: full"
    assert verdict(" \n") == "it printed nothing"
