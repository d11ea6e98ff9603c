"""Fixtures that every folder of tests uses."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Database, Runner
from support.postgres import Server, find_installations
from support.projects import SmallProject

OLDEST = 15
LONGEST = ("compose", "workflows", "chaos", "authoring", "plan", "container")  # what waits most
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Begin with the usual signals: what a shell's `&` ignores, everything started here would."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=1, help="how often each race is run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker has one of them left at the end."""
    folders = [*LONGEST, ""]
    items.sort(key=lambda item: folders.index(next(
        (name for name in LONGEST if item.path.parent.name == name), "")))  # fmt: skip


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Server]]:
    """Return a running server: "newest", "oldest", or "spare", which a test may restart."""
    installed = find_installations()
    if not installed:
        pytest.skip("no PostgreSQL is installed")
    running: dict[str, Server] = {}

    def get(which: str) -> Server:
        if which not in running:
            major = max(installed)
            if which == "oldest":
                major = OLDEST if OLDEST in installed else min(installed)
            settings = {"max_connections": "200", "shared_buffers": "32MB",
                        "wal_level": "logical", "max_prepared_transactions": "4"}  # fmt: skip
            running[which] = Server(installed[major], settings=settings).start()
        if running[which].process is None:
            running[which].start()
        return running[which]

    yield get
    for server in running.values():
        server.stop("immediate")


@pytest.fixture
def fresh(servers: Callable[[str], Server], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Return a new database: on "newest", "oldest" or "spare", or "sqlite"."""
    made: list[Database] = []

    def make(which: str) -> Database:
        if which == "sqlite":
            path = tmp_path / "data" / "db.sqlite3"
            path.parent.mkdir(exist_ok=True)
            return Database(f"sqlite:///{path}", str(path))
        server = servers(which)
        name = f"gate_{next(_numbers)}"
        server.sql(f"CREATE DATABASE {name}")
        made.append(Database(server.url(dbname=name), name, server))
        return made[-1]

    yield make
    for database in made:
        if database.server and database.server.process:
            database.server.sql(f"DROP DATABASE {database.name} WITH (FORCE)")


@pytest.fixture
def tidegate(tmp_path: Path) -> Iterator[Runner]:
    """Run tidegate; whatever still runs at the end of the test is killed."""
    directory = tmp_path / "runs"
    directory.mkdir()
    runner = Runner(directory)
    yield runner
    runner.close()


@pytest.fixture
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SmallProject]:
    """Write a small project, at the same path for each test, as images have it."""
    root = tmp_path_factory.getbasetemp() / "app"
    shutil.rmtree(root, ignore_errors=True)
    return lambda flavour, steps=2, login="either": SmallProject(root, flavour, steps, login)
