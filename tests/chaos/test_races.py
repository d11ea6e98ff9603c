"""Many processes at once, and holders that die: exactly one applies, everyone starts."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from support.gate import APP, Database, Ended, Runner, Started, eventually
from support.postgres import PASSWORD, SUPERUSER, PgBouncer
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

pytestmark = pytest.mark.races

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
SLEEPING = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
    "AND pid <> pg_backend_pid() AND datname = current_database()"
)
NOT_THE_SUPERVISOR = "datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    return make_project(request.param, steps=4)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rounds"))


def boots(
    runner: Runner, project: SmallProject, database: Database, count: int, timeout: float = 120
) -> list[Started]:
    return [
        runner.start(
            "boot", "--timeout", str(timeout), "--", *APP, cwd=project.root, env=database.environ
        )
        for _ in range(count)
    ]


def sealed_in_turn(runner: Runner, project: SmallProject, number: int) -> None:
    """Every second round is of sealed images: there the others wait in the fast path's line."""
    path = project.root / "tidegate.seal"
    if number % 2 == 0:
        path.unlink(missing_ok=True)
    elif not path.exists():
        assert runner("seal", cwd=project.root, env={}).code == 0


def all_started(
    ends: list[Ended], project: SmallProject, database: Database, killed: bool = False
) -> None:
    """Every boot became the app and the database has each step, once.

    A holder that is `killed` after its last step and before its last row leaves nothing to do.
    """
    assert [(one.code, one.out) for one in ends] == [(0, "app started\n")] * len(ends), "\n".join(
        one.said for one in ends if one.code
    )
    assert database.rows(project.recorded_sql) == project.heads()
    runs = database.runs()
    assert runs.count("done") == 1 or (killed and runs == ["abandoned"]), runs
    steps = database.rows("SELECT step FROM tidegate_step WHERE state = 'done' ORDER BY 1")
    assert steps == sorted(set(steps)), "a step was applied twice"


def holder(all: list[Started], step: str) -> tuple[Started, list[Started]]:
    """The boot that applies ``step``, and the others."""
    found: list[Started] = []

    def look() -> bool:
        found[:] = [one for one in all if f"{step}: applying" in one.errors()]
        return bool(found)

    eventually(look, 60, f"that somebody applies {step}")
    assert len(found) == 1, "two processes apply the same step"
    return found[0], [one for one in all if one is not found[0]]


@pytest.mark.parametrize("count", [2, 8, 32])
def test_one_applies(
    count: int, rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh
):
    """Of many boots on an empty PostgreSQL database exactly one applies, and all start."""
    for number in range(rounds):
        sealed_in_turn(tidegate, project, number)
        database = fresh("newest")
        ends = [one.end(180) for one in boots(tidegate, project, database, count)]
        all_started(ends, project, database)
        assert database.runs() == ["done"]


def test_one_applies_sqlite(
    rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh, tmp_path
):
    """Of eight boots on an empty SQLite file exactly one applies, and all start."""
    for _ in range(rounds):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        database = fresh("sqlite")
        ends = [one.end(120) for one in boots(tidegate, project, database, 8)]
        all_started(ends, project, database)
        assert database.runs() == ["done"]


def test_holder_killed(rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh):
    """kill -9 of the holder at a random moment: the others finish its work and start."""
    project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(0.6)")
    project.add("CREATE TABLE after_slow (id integer)", "SELECT pg_sleep(0.3)")
    for number in range(rounds):
        sealed_in_turn(tidegate, project, number)
        database = fresh("newest")
        started = boots(tidegate, project, database, 4)
        first, others = holder(started, project.ids[0])
        time.sleep(random.uniform(0, 1.2))
        first.signal(signal.SIGKILL)
        assert first.process.wait(10) in (-9, 0)
        all_started([one.end(60) for one in others], project, database, killed=True)
        assert "running" not in database.runs()


def test_holder_killed_sqlite(
    rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh, tmp_path
):
    """kill -9 of the holder of a SQLite file: the others finish its work and start."""
    for number in range(1, 4):
        project.add(
            f"CREATE TABLE slow_{number} (id integer)",
            f"INSERT INTO slow_{number} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM n WHERE i < 1500000) SELECT count(*) FROM n",
        )
    for _ in range(rounds):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        database = fresh("sqlite")
        started = boots(tidegate, project, database, 3)
        first, others = holder(started, project.ids[0])
        if project.framework == "django":  # Alembic's steps are in no transaction on SQLite
            time.sleep(random.uniform(0, 1.0))
        first.signal(signal.SIGKILL)
        first.process.wait(10)
        ends = [one.end(60) for one in others]
        if project.framework == "django":
            all_started(ends, project, database, killed=True)
        else:
            assert {one.code for one in ends} <= {0, 5}, "\n".join(one.said for one in ends)


def test_holder_terminated(rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh):
    """SIGTERM of the holder in a long step: it ends with 143 at once, another one goes on."""
    slow = project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(2)")
    for number in range(rounds):
        sealed_in_turn(tidegate, project, number)
        database = fresh("newest")
        started = boots(tidegate, project, database, 3)
        first, others = holder(started, slow)
        eventually(lambda at=database: at.rows(SLEEPING), what="the sleep")
        first.signal(signal.SIGTERM)
        at = time.monotonic()
        assert first.end(10).code == 143
        assert time.monotonic() - at < 3
        all_started([one.end(60) for one in others], project, database)
        assert sorted(database.runs()) == ["done", "failed"]


@pytest.mark.parametrize("which", ["election", "step", "all"])
def test_sessions_terminated(
    which: str, rounds: int, tidegate: Runner, project: SmallProject, fresh: Fresh
):
    """pg_terminate_backend of the holder's sessions: nothing is applied twice, all start."""
    slow = project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(2)")
    condition = {
        "election": "application_name LIKE 'tidegate %'",
        "step": "query LIKE '%pg_sleep%'",
        "all": "true",
    }[which]
    for number in range(rounds):
        sealed_in_turn(tidegate, project, number)
        database = fresh("newest")
        started = boots(tidegate, project, database, 3)
        holder(started, slow)
        eventually(lambda at=database: at.rows(SLEEPING), what="the sleep")
        database.rows(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {condition} "
            f"AND {NOT_THE_SUPERVISOR}"
        )
        ends = [one.end(60) for one in started]
        codes = sorted(one.code for one in ends)
        assert codes == [0, 0, 0], "\n".join(one.said for one in ends)
        assert database.rows(project.recorded_sql) == project.heads()
        assert "running" not in database.runs()


def test_holder_frozen(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A holder that is stopped between two statements loses the election in about 20 s.

    On Alembic; Django's holder is cut off in test_partition.py.
    """
    database = fresh("newest")
    if int(database.rows("SHOW server_version_num")[0]) < 140000:
        pytest.skip("PostgreSQL 13 ends no idle session")
    project = make_project("alembic", steps=4)
    project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(1.5)")
    last = project.add("CREATE TABLE last (id integer)")
    started = boots(tidegate, project, database, 2)
    first, (other,) = holder(started, project.ids[-2])
    eventually(lambda: database.rows(SLEEPING), what="the sleep")
    first.signal(signal.SIGSTOP)
    at = time.monotonic()
    done = other.end(60)
    took = time.monotonic() - at
    first.signal(signal.SIGCONT)
    woken = first.end(30)
    assert (done.code, done.out) == (0, "app started\n"), done.said + woken.said
    assert took < 25
    assert woken.code in (0, 7), woken.said
    assert database.rows(project.recorded_sql) == project.heads()
    steps = database.rows("SELECT step FROM tidegate_step WHERE state = 'done' ORDER BY 1")
    assert steps == sorted(set(steps))
    assert last in steps
    assert "running" not in database.runs()


@pytest.fixture
def bouncer(fresh: Fresh) -> Iterator[tuple[PgBouncer, Database]]:
    if PGBOUNCER is None:
        pytest.skip("PgBouncer is not installed")
    database = fresh("newest")
    assert database.server
    pooler = PgBouncer(PGBOUNCER, database.server, {SUPERUSER: PASSWORD}, "transaction")
    pooler.start()
    yield pooler, database
    pooler.stop()


def test_pooler(tidegate: Runner, project: SmallProject, bouncer: tuple[PgBouncer, Database]):
    """Behind PgBouncer boot refuses to migrate and names the way out; with it, it migrates."""
    pooler, database = bouncer
    pooled = f"postgresql://{SUPERUSER}:{PASSWORD}@{pooler.host}:{pooler.port}/{database.name}"
    env = {"DATABASE_URL": pooled}
    refused = tidegate("boot", "--timeout", "20", "--", *APP, cwd=project.root, env=env)
    assert (refused.code, refused.out) == (4, ""), refused.said
    assert "TIDEGATE_DIRECT_URL" in refused.err
    assert refused.seconds < 8
    assert database.tables() == []

    env["TIDEGATE_DIRECT_URL"] = database.url
    started = [
        tidegate.start("boot", "--timeout", "60", "--", *APP, cwd=project.root, env=env)
        for _ in range(4)
    ]
    all_started([one.end(60) for one in started], project, database)
    again = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (again.code, again.out) == (0, "app started\n"), again.said
    assert "current" in again.err


def test_boots_one_after_the_other(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Boots that start one after the other, while one migrates, all start."""
    project.add("SELECT pg_sleep(1)")
    database = fresh("newest")
    started: list[Started] = []
    for _ in range(6):
        started += boots(tidegate, project, database, 1)
        time.sleep(random.uniform(0, 0.5))
    all_started([one.end(60) for one in started], project, database)
