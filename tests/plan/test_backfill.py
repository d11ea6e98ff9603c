"""`tidegate.backfill`: batches that commit, from both frameworks, and after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from support.gate import Database, Runner, eventually
from support.projects import SmallProject
from tidegate.backfill import BackfillRefused, State, backfill

ROWS = 5000


@pytest.fixture(params=["newest", "sqlite"])
def filled(request: pytest.FixtureRequest, fresh: Callable[[str], Database]) -> Database:
    """A database with a table of rows whose `total` is to be filled."""
    database = fresh(request.param)
    engine = create_engine(driver(database))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item (id integer PRIMARY KEY, qty integer, "
                                   "total integer)")  # fmt: skip
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
            f"{ROWS}) INSERT INTO item SELECT i * 3, i, NULL FROM n"
        )
    engine.dispose()
    return database


def driver(database: Database) -> str:
    return database.url.replace("postgresql://", "postgresql+psycopg://")


def test_all_rows_are_filled_in_batches(filled: Database) -> None:
    """Every row is written once, in several transactions, and a second call does nothing."""
    engine = create_engine(driver(filled))
    sizes: list[int] = []
    done = backfill(engine, "item", set="total = qty * 2", where="total IS NULL", most=700,
                    progress=lambda state: sizes.append(state.rows))  # fmt: skip
    assert (done.rows, done.finished) == (ROWS, True)
    assert done.batches >= ROWS / 700 - 1
    assert sizes == sorted(sizes)
    assert filled.rows("SELECT count(*) FROM item WHERE total = qty * 2") == [str(ROWS)]
    again = backfill(engine, "item", set="total = qty * 2", where="total IS NULL")
    assert (again.batches, again.finished) == (0, True)


def test_the_size_follows_the_time(filled: Database) -> None:
    """Batches grow while they are faster than the target."""
    engine = create_engine(driver(filled))
    seen: list[int] = []
    backfill(engine, "item", set="total = 1", target=30, progress=lambda s: seen.append(s.size))
    assert seen[0] == 2000
    assert max(seen) <= 50_000


def test_a_transaction_is_refused(filled: Database) -> None:
    """In a transaction no batch could be committed: the message says what to change."""
    engine = create_engine(driver(filled))
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE item SET qty = qty")
        with pytest.raises(BackfillRefused, match="atomic = False"):
            backfill(connection, "item", set="total = 1")


SLOW = """\
import sys
from sqlalchemy import create_engine
from tidegate.backfill import backfill
backfill(create_engine(sys.argv[1]), "item", set="total = coalesce(total, 0) + 1", least=50,
         most=50, target=0.001, rest=20)
"""


def test_a_killed_run_goes_on_where_it_was(filled: Database) -> None:
    """After kill -9 no row is written twice and none is left out."""
    child = subprocess.Popen([sys.executable, "-c", SLOW, driver(filled)])
    noted = "SELECT done FROM tidegate_backfill"

    def begun() -> bool:
        try:
            return int((filled.rows(noted) or ["0"])[0]) > 1000
        except Exception:
            return False

    eventually(begun, 60, "a few batches")
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = int(filled.rows(noted)[0])
    assert before < ROWS
    done = backfill(create_engine(driver(filled)), "item", set="total = coalesce(total, 0) + 1")
    assert done.rows == ROWS
    assert filled.rows("SELECT count(*) FROM item WHERE total = 1") == [str(ROWS)]


def test_it_waits_while_many_are_at_work(fresh: Callable[[str], Database]) -> None:
    """With `max_active` no batch begins while more sessions are at work, and it says so."""
    database = fresh("newest")
    engine = create_engine(driver(database))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item AS SELECT i AS id, 0 AS total "
                                   "FROM generate_series(1, 300) i")  # fmt: skip
    told: list[tuple[str, int]] = []
    with psycopg.connect(database.url, autocommit=True) as busy, ThreadPoolExecutor() as pool:
        others = [pool.submit(_sleeping, database.url) for _ in range(2)]
        eventually(lambda: _sleepers(busy) == 2, 20, "both at work")

        def hear(state: State) -> None:
            told.append((state.waiting, state.batches))
            if len(told) == 1:
                busy.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE query = 'SELECT pg_sleep(60)'")  # fmt: skip

        done = backfill(engine, "item", set="total = 1", max_active=1, progress=hear)
        assert all(isinstance(one.exception(), psycopg.Error) for one in others)
    engine.dispose()
    assert told[0] == ("2 sessions are at work (max_active 1)", 0)
    assert (done.rows, done.finished, done.waiting) == (300, True, "")


def _sleeping(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SELECT pg_sleep(60)")


def _sleepers(session: psycopg.Connection[tuple[Any, ...]]) -> int:
    found = session.execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                            "query = 'SELECT pg_sleep(60)'").fetchone()  # fmt: skip
    return int(found[0]) if found else 0


def test_a_lock_in_the_way_is_waited_out(fresh: Callable[[str], Database]) -> None:
    """A batch that meets a row lock gives up its own, and tries again, until it is free."""
    database = fresh("newest")
    engine = create_engine(driver(database))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item AS SELECT i AS id, 0 AS total "
                                   "FROM generate_series(1, 300) i")  # fmt: skip
    holder = create_engine(driver(database)).connect()
    holder.exec_driver_sql("SELECT 1 FROM item WHERE id = 7 FOR UPDATE")
    child = subprocess.Popen([sys.executable, "-c", (
        "import sys; from sqlalchemy import create_engine; from tidegate.backfill import backfill;"
        "backfill(create_engine(sys.argv[1]), 'item', set='total = 1', lock_timeout=0.05)"),
        driver(database)])  # fmt: skip
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    eventually(lambda: database.rows(waiting) != ["0"], 30, "a batch that waits")
    holder.rollback()
    holder.close()
    assert child.wait(30) == 0
    assert database.rows("SELECT count(*) FROM item WHERE total = 1") == ["300"]


STEPS = {
    "django": """\
from django.db import migrations
from tidegate.backfill import backfill


def fill(apps, editor):
    backfill(editor.connection, "made_1", set="id = id", where="id % 2 = 0")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_step")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
""",
    "alembic": """\
from alembic import op
from tidegate.backfill import backfill

revision = {own!r}
down_revision = {parent!r}


def upgrade():
    with op.get_context().autocommit_block():
        backfill(op.get_bind(), "made_1", set="id = id", where="id % 2 = 0")


def downgrade():
    pass
""",
}


@pytest.mark.parametrize("flavour", ["django", "alembic", "alembic-async"])
def test_it_works_in_a_migration(
    flavour: str, make_project: Any, deployed: Any, plan: Any, tidegate: Runner
) -> None:
    """Called by a step, it is rehearsed and applied as any other step."""
    project: SmallProject = make_project(flavour)
    database = deployed(project)
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 2000)")
    parent = project.ids[-1]
    own = project.add("SELECT 1")
    text = STEPS[project.framework].replace("{own!r}", repr(own)).replace("{parent!r}",
                                                                          repr(parent))  # fmt: skip
    Path(project.files[own]).write_text(text)
    found = plan(project, database.url, "--fail-on", "never")
    assert found.step(own)["applied"], found.ended.said
    done = tidegate("migrate", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert database.rows("SELECT done, finished FROM tidegate_backfill") == ["1000|1"]
