"""What a command line is for: it serves, migrates, waits, works on a queue."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

Words = Sequence[str]

SERVERS = (
    "gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "waitress-serve",
    "runserver", "runserver_plus", "fastapi", "flask", "nginx", "supervisord", "circusd",
    "honcho",
)  # fmt: skip
WORKERS = (
    "celery", "rq", "rqworker", "rqscheduler", "dramatiq", "rundramatiq", "huey_consumer",
    "run_huey", "arq", "procrastinate", "qcluster", "db_worker", "process_tasks", "flower",
)  # fmt: skip
WAITERS = (
    "wait-for-it", "wait-for-it.sh", "wait_for_it.sh", "wait-for", "wait-for.sh", "wait_for",
    "dockerize", "wait4x", "pg_isready", "wait_for_db", "wait_for_database", "waitforit",
    "wait-for-postgres.sh", "wait_for_postgres", "wait", "holdup", "dbwait", "mysqladmin",
    "wait-port",
)  # fmt: skip
WAIT_FOR_IT = ("wait-for-it", "wait-for-it.sh", "wait_for_it.sh")
_MANAGE = ("migrate", "migrate_schemas", "syncdb")
_WRAPPERS = (
    "tini", "dumb-init", "gosu", "su-exec", "setpriv", "catatonit", "s6-setuidgid", "chroot",
    "/init", "sudo", "doas", "nice", "nohup", "time", "env", "stdbuf", "exec",
    "opentelemetry-instrument", "ddtrace-run", "newrelic-admin", "coverage", "debugpy",
    "watchmedo", "command", "xvfb-run",
)  # fmt: skip
_RUNNERS = (("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"),
            ("newrelic-admin", "run-program"), ("rye", "run"))  # fmt: skip
LOCKS = ("flock", "setlock", "s6-setlock")


def name_of(word: str) -> str:
    """Return a program's name without its folder."""
    return posixpath.basename(word)


def unwrapped(words: Words) -> tuple[str, ...]:
    """Return the command inside init programs, user switches and runners such as `uv run`."""
    rest = list(words)
    for _ in range(12):
        before = list(rest)
        while rest and re.match(r"[A-Za-z_]\w*=", rest[0]):
            rest = rest[1:]
        if len(rest) > 1 and (name_of(rest[0]), rest[1]) in _RUNNERS:
            rest = _without_options(rest[2:])
        elif rest and (name_of(rest[0]) in _WRAPPERS or rest[0] in _WRAPPERS):
            user = name_of(rest[0]) in ("gosu", "su-exec", "s6-setuidgid", "chroot")
            rest = _without_options(rest[1:])
            rest = rest[1:] if user else rest
        if rest == before:
            break
    return tuple(rest)


def _without_options(words: list[str]) -> list[str]:
    if "--" in words:
        return words[words.index("--") + 1 :]
    while words and words[0].startswith("-"):
        takes = words[0] in (
            "-u",
            "-g",
            "--with",
            "--package",
            "--env-file",
            "-n",
            "--group",
            "--extra",
            "-P",
            "--python",
        )
        words = words[2:] if takes and len(words) > 1 else words[1:]
    return words


def program(words: Words) -> str:
    """Return what runs: `gunicorn` for `python -m gunicorn` and `/venv/bin/gunicorn`."""
    rest = unwrapped(words)
    if not rest:
        return ""
    first = name_of(rest[0])
    if first.startswith("python") or first in ("pypy3", "pypy"):
        index = 1
        while index < len(rest) and rest[index].startswith("-") and rest[index] not in ("-m", "-c"):
            index += 2 if rest[index] in ("-W", "-X") else 1
        if index + 1 < len(rest) and rest[index] == "-m":
            return rest[index + 1]
        return name_of(rest[index]) if index < len(rest) and rest[index] != "-c" else first
    return first


def manage(words: Words) -> str:
    """Return the Django management command; empty where it is none."""
    rest = unwrapped(words)
    for index, word in enumerate(rest[:4]):
        if name_of(word) in ("manage.py", "django-admin", "django-admin.py") or (
            word == "django" and index and rest[index - 1] == "-m"
        ):
            following = [one for one in rest[index + 1 :] if not one.startswith("-")]
            return following[0] if following else ""
    return ""


def migrates(words: Words) -> bool:
    """Whether it applies migrations."""
    rest = unwrapped(words)
    if manage(rest) == "db":  # the script of Flask-Migrate before `flask db`
        return "upgrade" in rest
    if manage(rest) in _MANAGE:
        return not {"--check", "--plan", "--fake"} & set(rest)
    name, tail = program(rest), set(rest)
    if name == "alembic":
        return "upgrade" in tail
    if name == "flask":
        return {"db", "upgrade"} <= tail
    if name in ("superset", "airflow"):
        return "db" in tail and bool({"upgrade", "migrate", "init"} & tail)
    return name == "aerich" and "upgrade" in tail


def makes_migrations(words: Words) -> bool:
    """Whether it writes new migrations."""
    rest = unwrapped(words)
    if manage(rest) == "makemigrations":
        return "--check" not in rest and "--dry-run" not in rest
    tail = set(rest)
    return (program(rest) == "alembic" and "revision" in tail) or (
        program(rest) == "flask" and "db" in tail and "migrate" in tail
    )


def collects(words: Words) -> bool:
    """Whether it collects static files."""
    return manage(words) == "collectstatic"


def is_worker(words: Words) -> bool:
    """Whether it takes jobs from a queue or a clock."""
    name = program(words)
    if name == "celery" and {"inspect", "status", "flower", "call", "purge"} & set(words):
        return False
    return name in WORKERS[:-1] or manage(words) in WORKERS or name.startswith("huey_consumer")


def serves(words: Words) -> bool:
    """Whether it is a server that stays."""
    rest = unwrapped(words)
    name = program(rest)
    if name == "flask":
        return "run" in rest
    if name == "fastapi":
        return "run" in rest or "dev" in rest
    return name in SERVERS or manage(rest) in SERVERS


def waits(words: Words) -> bool:
    """Whether it waits for something to answer."""
    rest = unwrapped(words)
    name, command = program(rest), manage(rest)
    if name in WAITERS or command in WAITERS:
        return True
    if name == "tidegate":
        return bool({"boot", "wait"} & set(rest))
    if name in ("nc", "ncat", "netcat"):
        return any(word.startswith("-") and "z" in word for word in rest)
    said = (command or name).lower()
    return bool(re.search(r"wait|check_?db|db_?ready|pre_?start|ping_?db|until", said))


def gated(words: Words) -> bool:
    """Whether tidegate, or another lock, lets one at a time through."""
    return any(name_of(word) in LOCKS for word in words) or (
        program(words) == "tidegate" and bool({"boot", "migrate"} & set(words))
    )


def behind_wrapper(words: Words) -> tuple[str, ...]:
    """Return the command that a waiter or tidegate becomes; empty where it ends by itself."""
    rest = unwrapped(words)
    name = program(rest)
    if "--" in rest and (name in WAITERS or name == "tidegate"):
        return rest[rest.index("--") + 1 :]
    if name == "dockerize":
        index = 1
        while index < len(rest) and rest[index].startswith("-"):
            index += 1 if "=" in rest[index] else 2
        return rest[index:]
    return ()
