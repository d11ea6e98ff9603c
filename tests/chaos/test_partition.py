"""The holder's network goes silently: no end of a connection reaches either side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from support.gate import APP, Database, Runner, eventually
from support.projects import SmallProject
from support.proxy import Proxy

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

SLEEPING = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
    "AND pid <> pg_backend_pid() AND datname = current_database()"
)
# docs/explanation/election.md: 10 s of silence, 3 s for the fence, and a machine that is busy.
BOUND = 13 + 12


@pytest.fixture
def database(fresh: Fresh) -> Database:
    return fresh("newest")


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    assert database.server
    one = Proxy(database.server.port)
    yield one
    one.close()


def test_holder_cut_off(
    tidegate: Runner, make_project: MakeProject, database: Database, proxy: Proxy
):
    """Cut off in a step, the holder is replaced in time, ends with 7, and writes nothing more."""
    project = make_project("django")
    slow = project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(2)")
    project.add("CREATE TABLE last (id integer)")
    cut_off = {"DATABASE_URL": proxy.before(database.url)}
    first = tidegate.start("boot", "--", *APP, cwd=project.root, env=cut_off)
    first.until(f"{slow}: applying")
    eventually(lambda: database.rows(SLEEPING), what="the sleep")
    second = tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ)
    second.until("migrates; wait")
    proxy.cut()
    at = time.monotonic()
    done = second.end(60)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert time.monotonic() - at < BOUND
    assert database.tables() == ["last", "made_1", "made_2", "slow"]
    written = database.rows("SELECT run, step, state FROM tidegate_step ORDER BY 1, 2")
    ended = first.end(60)
    assert (ended.code, ended.out) == (7, ""), ended.said
    proxy.mend()
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    eventually(lambda: database.rows(idle) == ["1"], what="the end of every other session")
    assert database.rows("SELECT run, step, state FROM tidegate_step ORDER BY 1, 2") == written
    assert sorted(database.runs()) == ["abandoned", "done"]
    assert database.rows(project.recorded_sql) == project.heads()
