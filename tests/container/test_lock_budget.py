"""The lock budget: short for what makes others wait, none for a concurrent build, and who waits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from support.gate import Database, Runner, eventually
from support.projects import SmallProject

Fresh = Callable[[str], Database]


@pytest.fixture(params=["django", "alembic", "alembic-async"])
def project(request: pytest.FixtureRequest, make_project: Callable[..., SmallProject]):
    return make_project(request.param)


@pytest.fixture
def pair(make_project: Callable[..., SmallProject], request: pytest.FixtureRequest):
    return make_project("alembic")


@pytest.fixture
def deployed(tidegate: Runner, fresh: Fresh) -> Callable[[SmallProject], Database]:
    def make(project: SmallProject) -> Database:
        database = fresh("newest")
        done = tidegate("migrate", cwd=project.root, env=database.environ)
        assert done.code == 0, done.said
        return database

    return make


@contextmanager
def reader(database: Database, sql: str) -> Iterator[psycopg.Connection]:
    """A session that has read something and leaves its transaction open."""
    with psycopg.connect(database.url, application_name="reports") as session:
        session.execute(sql.encode())
        yield session


def waits(database: Database) -> bool:
    """Whether a session waits for a lock on a table."""
    return bool(database.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))


def test_budgets(tidegate: Runner, project: SmallProject, deployed) -> None:
    """Rows are waited for as long as the setting says; what blocks others, and what follows it in
    its transaction, only briefly."""
    database = deployed(project)
    now = "SELECT current_setting('lock_timeout') AS value"
    project.add(
        f"INSERT INTO made_1 SELECT extract(milliseconds FROM value::interval)::integer "
        f"FROM ({now}) n",
        f"CREATE TABLE blocking AS {now}",
        f"INSERT INTO blocking {now}",
    )
    project.add(f"CREATE TABLE alone AS {now}", f"CREATE TABLE rows AS {now}", atomic=False)
    done = tidegate("migrate", "--lock-timeout", "3", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert database.rows("SELECT id FROM made_1") == ["3000"]
    assert database.rows("SELECT value FROM blocking") == ["50ms", "50ms"]
    assert database.rows("SELECT value FROM alone") == ["50ms"]


def test_the_blocker_is_shown(tidegate: Runner, project: SmallProject, deployed) -> None:
    """While it waits it says who is in the way, without the values of that session's query, and
    it goes on when they are gone."""
    database = deployed(project)
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    with reader(database, "SELECT * FROM made_1 WHERE id = 471147 OR 'hidden' = ''") as session:
        pid = session.info.backend_pid
        running = tidegate.start("migrate", cwd=project.root, env=database.environ)
        said = running.until("In the way")
        assert f"server process {session.info.backend_pid} (reports of postgres)" in said
        assert "ACCESS EXCLUSIVE on made_1 is not free" in said
        assert "idle in transaction, its transaction began" in said
        assert "SELECT * FROM made_1 WHERE id = …" in said
        eventually(lambda: not waits(database), what="that it lets go")
        session.rollback()
        done = running.end()
    assert done.code == 0, done.said
    assert "471147" not in done.err and "hidden" not in done.err
    retries = database.rows("SELECT retries FROM tidegate_step ORDER BY finished DESC LIMIT 1")
    assert int(retries[0]) >= 1
    shown = tidegate("history", "2", "--verify", cwd=project.root, env=database.environ).out
    assert "its lock was refused and asked for again" in shown
    assert re.search(r"    waited \d+\.\d{3} s for ACCESS EXCLUSIVE on made_1\n"
                     rf"      behind server process {pid} \(reports of", shown)  # fmt: skip
    assert "471147" not in shown and "2 runs are as they were written" in shown
    kept = tidegate("--format", "json", "history", "2", cwd=project.root, env=database.environ)
    (wait,) = json.loads(kept.out)["runs"][0]["steps"][0]["waits"]
    assert (wait["wanted"], wait["waited"] > 0.05) == ("ACCESS EXCLUSIVE on made_1", True)


@pytest.mark.parametrize("timeout", ["2", "0.1"])
def test_whose_lock_it_was_at_the_deadline(
    timeout: str, tidegate: Runner, pair: SmallProject, deployed
) -> None:
    """At the deadline the error names the session in the way and how to end it, also when all the
    time was over before the statement was sent."""
    database = deployed(pair)
    pair.add("ALTER TABLE made_1 ADD COLUMN more integer")
    with reader(database, "SELECT * FROM made_1") as session:
        done = tidegate("migrate", "--timeout", timeout, cwd=pair.root, env=database.environ)
        assert done.code == 7, done.said
        assert f"pg_terminate_backend({session.info.backend_pid})" in done.err
        assert "in the way of ACCESS EXCLUSIVE on made_1" in done.err


def test_a_statement_by_itself_is_asked_again(
    tidegate: Runner, project: SmallProject, deployed
) -> None:
    """In a step that is not one transaction only the refused statement is sent again."""
    database = deployed(project)
    project.add(
        "ALTER TABLE made_1 ADD COLUMN more integer",
        "INSERT INTO made_1 (id) VALUES (1)",
        "ALTER TABLE made_2 ADD COLUMN more integer",
        atomic=False,
    )
    with reader(database, "SELECT * FROM made_2") as session:
        running = tidegate.start("migrate", cwd=project.root, env=database.environ)
        running.until("In the way")
        session.rollback()
        done = running.end()
    assert done.code == 0, done.said
    assert database.rows("SELECT count(*) FROM made_1") == ["1"]
    assert database.rows("SELECT count(*) FROM tidegate_part") == ["0"]


def test_an_invalid_index_is_dropped_first(
    tidegate: Runner, project: SmallProject, deployed
) -> None:
    """What a failed concurrent build has left is found, dropped, and built again."""
    database = deployed(project)
    database.rows("INSERT INTO made_1 VALUES (1), (1)")
    project.add('CREATE UNIQUE INDEX CONCURRENTLY "By Id" ON made_1 (id)', atomic=False)
    failed = tidegate("migrate", cwd=project.root, env=database.environ)
    assert failed.code == 5, failed.said
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = '\"By Id\"'::regclass"
    assert database.rows(valid) == ["f"]
    database.rows("DELETE FROM made_1")
    done = tidegate("migrate", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert 'dropping index "By Id": a failed build left it INVALID' in done.err
    assert database.rows(valid) == ["t"]
    assert database.rows(project.recorded_sql) == project.heads()


def test_a_build_is_never_cut_short_but_not_waited_for_without_end(
    tidegate: Runner, pair: SmallProject, deployed
) -> None:
    """A concurrent build has no lock timeout; held up for longer than the deadline allows it is
    ended with the name of who held it up, and the next run begins anew."""
    database = deployed(pair)
    pair.add("CREATE INDEX CONCURRENTLY by_id ON made_1 (id)", atomic=False)
    with reader(database, "INSERT INTO made_1 VALUES (1)"):
        running = tidegate.start(
            "migrate", "--timeout", "4", "--lock-timeout", "0.2", cwd=pair.root,
            env=database.environ,
        )  # fmt: skip
        running.until("the end of a transaction is not free; waiting")
        done = running.end()
        assert done.code == 7, done.said
        assert "(reports of postgres)" in done.err
    again = tidegate("migrate", cwd=pair.root, env=database.environ)
    assert again.code == 0, again.said
    assert database.rows("SELECT indisvalid FROM pg_index i JOIN pg_class c ON c.oid = indexrelid "
                         "WHERE relname = 'by_id'") == ["t"]  # fmt: skip


def half_done(project: SmallProject) -> None:
    project.add(
        "ALTER TABLE made_1 ADD COLUMN first integer",
        "CREATE INDEX CONCURRENTLY by_first ON made_1 (first)",
        "ALTER TABLE made_2 ADD COLUMN second integer",
        atomic=False,
    )


def kill_at_the_last_statement(tidegate: Runner, project: SmallProject, database: Database) -> None:
    """Kill it when all but the last statement of `half_done` is done."""
    with reader(database, "SELECT * FROM made_2"):
        running = tidegate.start("migrate", cwd=project.root, env=database.environ)
        running.until("In the way")
        running.kill()


def test_a_killed_step_goes_on_where_it_was(
    tidegate: Runner, project: SmallProject, deployed
) -> None:
    """After kill -9 in a step that is not one transaction, what is done of it is left out."""
    database = deployed(project)
    half_done(project)
    kill_at_the_last_statement(tidegate, project, database)
    done = tidegate("migrate", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert done.err.count("done by an earlier run, left out") == 2
    assert database.rows(project.recorded_sql) == project.heads()
    assert database.rows("SELECT second FROM made_2") == []


def test_a_half_that_is_not_as_it_was(tidegate: Runner, pair: SmallProject, deployed) -> None:
    """When somebody has changed the schema since, nothing is left out on trust."""
    database = deployed(pair)
    half_done(pair)
    kill_at_the_last_statement(tidegate, pair, database)
    database.rows("ALTER TABLE made_1 DROP COLUMN first")
    done = tidegate("migrate", cwd=pair.root, env=database.environ)
    assert done.code == 6, done.said
    assert "DELETE FROM tidegate_part WHERE step = " in done.err
    database.rows("DELETE FROM tidegate_part")
    again = tidegate("migrate", cwd=pair.root, env=database.environ)
    assert again.code == 0, again.said


def test_an_autovacuum_makes_way(tidegate: Runner, pair: SmallProject, fresh: Fresh) -> None:
    """An autovacuum that a brief request would never move is moved, and the step is applied."""
    database = fresh("spare")
    assert database.server
    assert tidegate("migrate", cwd=pair.root, env=database.environ).code == 0
    database.rows(
        "CREATE TABLE big (id integer, word text) WITH (autovacuum_vacuum_cost_delay = 100, "
        "autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1, "
        "autovacuum_vacuum_scale_factor = 0)"
    )
    database.rows("INSERT INTO big SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i")
    database.rows("DELETE FROM big WHERE id % 2 = 0")
    server = database.server
    server.sql("ALTER SYSTEM SET autovacuum_naptime = 1")
    server.sql("SELECT pg_reload_conf()")
    try:
        at_work = ("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' "
                   "AND query LIKE '%public.big%'")  # fmt: skip
        eventually(lambda: database.rows(at_work), 60, "the autovacuum")
        pair.add("ALTER TABLE big ADD COLUMN more integer")
        done = tidegate("migrate", "--timeout", "40", cwd=pair.root, env=database.environ)
    finally:
        server.sql("ALTER SYSTEM RESET ALL")
        server.sql("SELECT pg_reload_conf()")
    assert done.code == 0, done.said
    assert "autovacuum" in done.err
