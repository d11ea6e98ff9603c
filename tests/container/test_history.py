"""The ledger and `tidegate history`: who, what, how long; tampering; older ledgers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Ended, Runner, eventually
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
KEYS = {"id", "plan", "state", "started", "seconds", "by", "host", "revision", "image", "backup",
        "steps"}  # fmt: skip


def boot(tidegate: Runner, project: SmallProject, database: Database, **env: str) -> Ended:
    return tidegate("boot", "--", *APP, cwd=project.root, env={**database.environ, **env})


def history(
    tidegate: Runner, project: SmallProject, database: Database, *words: str
) -> dict[str, Any]:
    done = tidegate("--format", "json", "history", *words, cwd=project.root, env=database.environ)
    assert done.out, done.said
    found: dict[str, Any] = json.loads(done.out)
    return found


def verify(tidegate: Runner, project: SmallProject, database: Database) -> Ended:
    return tidegate("history", "--verify", cwd=project.root, env=database.environ)


def execute(database: Database, sql: str) -> None:
    """Run SQL behind tidegate's back."""
    if database.server:
        database.server.sql(sql, database.name)
        return
    import sqlite3

    with sqlite3.connect(database.name) as file:
        file.execute(sql)
    file.close()


@pytest.mark.parametrize(
    ("flavour", "which"), [("django", "newest"), ("alembic-async", "oldest"), ("django", "sqlite")]
)
def test_a_run_in_full(
    flavour: str, which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """A run tells who, where, from what, and each step's statements, without their values."""
    project, database = make_project(flavour), fresh(which)
    project.add("INSERT INTO made_1 (id) SELECT 7 WHERE 'top secret' <> ''")
    done = boot(tidegate, project, database, TIDEGATE_BY="anna", TIDEGATE_IMAGE="shop:2",
                TIDEGATE_REVISION="abc123", TIDEGATE_AGENT="helper", CI="true")  # fmt: skip
    assert done.code == 0, done.said
    found = history(tidegate, project, database)
    (run,) = found["runs"]
    assert set(run) >= KEYS
    said = {key: run[key] for key in ("state", "by", "image", "revision", "agent", "ci", "number")}
    assert said == {"state": "done", "by": "anna", "image": "shop:2", "revision": "abc123",
                    "agent": "helper", "ci": "ci", "number": 1}  # fmt: skip
    assert [step["step"] for step in run["steps"]] == project.ids
    statements = [said["sql"] for step in run["steps"] for said in step["sql"]]
    assert any("CREATE TABLE made_1" in sql for sql in statements)
    assert "top secret" not in json.dumps(found)
    if database.server:
        locks = [lock for step in run["steps"] for lock in step["locks"]]
        assert {"mode": "AccessExclusiveLock", "relation": "made_2"} in locks
        sql = "SELECT DISTINCT run, step_state FROM tidegate_history WHERE step IS NOT NULL"
        assert database.rows(sql) == [f"{run['id']}|done"]
    text = tidegate("history", "1", cwd=project.root, env=database.environ).out
    assert "CREATE TABLE made_1" in text
    assert "anna" in text


@pytest.mark.parametrize(("flavour", "which"), [("django", "oldest"), ("alembic", "sqlite")])
def test_the_chain_holds(
    flavour: str, which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """Several runs, a failed one among them, verify."""
    project, database = make_project(flavour), fresh(which)
    assert boot(tidegate, project, database).code == 0
    bad = project.add("SELECT nothing FROM nowhere")
    assert boot(tidegate, project, database).code == 5
    project.remove(bad)
    project.add("SELECT 1")
    assert boot(tidegate, project, database).code == 0
    done = verify(tidegate, project, database)
    assert (done.code, "3 runs are as they were written" in done.out) == (0, True), done.said
    states = [run["state"] for run in history(tidegate, project, database)["runs"]]
    assert states == ["done", "failed", "done"]


TAMPERINGS = {
    "a run's author": ("UPDATE tidegate_run SET \"by\" = 'eve' WHERE number = 2", "was changed"),
    "a step's digest": ("UPDATE tidegate_step SET digest = 'x' WHERE run = "
                        "(SELECT id FROM tidegate_run WHERE number = 1)", "was changed"),
    "a step added": ("INSERT INTO tidegate_step (run, step, state) "
                     "SELECT id, 'shop.more', 'done' FROM tidegate_run WHERE number = 2",
                     "was changed"),
    "a run taken out": ("DELETE FROM tidegate_run WHERE number = 2", "number 2 is missing"),
    "a hash taken out": ("UPDATE tidegate_run SET hash = NULL WHERE number = 2",
                         "not in the chain"),
    "two swapped": ("UPDATE tidegate_run SET number = 5 - number WHERE number IN (2, 3)", "follow"),
}  # fmt: skip


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_tampering_is_told(which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Whatever is changed, taken out or put in among the written runs, --verify says no."""
    project, database = make_project("alembic", 1), fresh(which)
    assert boot(tidegate, project, database).code == 0
    for _ in range(2):
        project.add("SELECT 1")
        assert boot(tidegate, project, database).code == 0
    for table in ("run", "step"):
        execute(database, f"CREATE TABLE kept_{table} AS SELECT * FROM tidegate_{table}")
    for what, (sql, says) in TAMPERINGS.items():
        execute(database, sql)
        done = verify(tidegate, project, database)
        assert (done.code, says in done.out) == (1, True), f"{what}\n{done.said}"
        for table in ("run", "step"):
            execute(database, f"DELETE FROM tidegate_{table}")
            execute(database, f"INSERT INTO tidegate_{table} SELECT * FROM kept_{table}")
    assert verify(tidegate, project, database).code == 0  # what was put back is whole


def test_rows_changed_by_something_else(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A step recorded or removed by another program is shown, with the run that found it so."""
    project, database = make_project("django"), fresh("newest")
    assert boot(tidegate, project, database).code == 0
    execute(database, "DELETE FROM django_migrations WHERE name = '0002_step'")
    execute(database, "DROP TABLE made_2")
    (one,) = history(tidegate, project, database)["databases"]
    assert (one["changed_since"], one["gone"]) == (True, ["shop.0002_step"])
    assert boot(tidegate, project, database).code == 0
    found = history(tidegate, project, database)
    assert [run["changed_before"] for run in found["runs"]] == [True, False]
    for words in ((), ("2",)):
        said = tidegate("history", *words, cwd=project.root, env=database.environ).out
        assert "before it, something other than tidegate recorded or removed steps" in said
        assert "next: compare with the database: tidegate status" in said
    assert found["databases"][0]["changed_since"] is False


OLD = """
CREATE TABLE tidegate_run (id text PRIMARY KEY, plan text, state text NOT NULL, database text,
  framework text, started {time} NOT NULL, finished {time}, seconds double precision, "by" text,
  host text, pid integer, revision text, image text, backup text, message text);
CREATE TABLE tidegate_step (run text NOT NULL, step text NOT NULL, digest text, state text NOT NULL,
  seconds double precision, finished {time});
INSERT INTO tidegate_run (id, state, database, framework, started) VALUES
  ('older', 'running', '{alias}', '{framework}', '2026-01-01T00:00:00+00:00')
"""


@pytest.mark.parametrize("which", ["oldest", "sqlite"])
def test_an_older_ledger_is_widened(
    which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """The tables of the first version get the new columns and keep their rows."""
    project, database = make_project("django"), fresh(which)
    time = "timestamptz" if database.server else "text"
    for sql in OLD.format(time=time, alias="default", framework="django").split(";"):
        execute(database, sql)
    assert history(tidegate, project, database)["runs"][0]["id"] == "older"
    assert boot(tidegate, project, database).code == 0
    states = [run["state"] for run in history(tidegate, project, database)["runs"]]
    assert states == ["done", "abandoned"]
    assert verify(tidegate, project, database).code == 0


LEDGER_UNREAD = {
    ("history",): "permission denied for table tidegate_run",
    ("rollback", "--plan"): "permission denied for table tidegate_run",
    ("backup",): "the rows could not be counted",
}


def test_a_ledger_of_another_role(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Tables that may be written and not widened are written as far as they go; without any right
    a start goes on and says so, and what needs the ledger names the grant."""
    project, database = make_project("alembic"), fresh("newest")
    server = database.server
    assert server
    role = f"app_{database.name}"
    for sql in OLD.format(time="timestamptz", alias="alembic", framework="alembic").split(";"):
        execute(database, sql)
    execute(database, f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    execute(database, f"GRANT ALL ON SCHEMA public TO {role}")
    execute(database, f"GRANT ALL ON tidegate_run, tidegate_step TO {role}")
    url = server.url(role, "s3cret", database.name)
    done = tidegate("boot", "--", *APP, cwd=project.root, env={"DATABASE_URL": url})
    assert (done.code, "the ledger was not written" in done.err) == (0, False), done.said
    assert database.rows("SELECT state FROM tidegate_run ORDER BY started") == ["abandoned", "done"]
    execute(database, f"REVOKE ALL ON tidegate_run, tidegate_step FROM {role}")
    project.add("SELECT 1")
    done = tidegate("boot", "--", *APP, cwd=project.root, env={"DATABASE_URL": url})
    assert (done.code, "the ledger was not written" in done.err) == (0, True), done.said
    for words, said in LEDGER_UNREAD.items():
        done = tidegate(*words, cwd=project.root, env={"DATABASE_URL": url})
        assert (done.code, said in done.err) == (4, True), done.said
        assert f'GRANT SELECT ON tidegate_run TO "{role}"' in done.err
    execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_locked_ledger(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Whoever locks the ledger is named instead of waited for: by what needs it with 7, by what
    can do without it beside its answer."""
    project, database = make_project("django", 1), fresh("newest")
    assert boot(tidegate, project, database).code == 0
    locker = subprocess.Popen(
        ["psql", database.url, "-qXc", "BEGIN; LOCK TABLE tidegate_run, tidegate_step IN ACCESS "
         "EXCLUSIVE MODE; SELECT pg_sleep(120)"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        eventually(lambda: database.rows(held) == ["2"], what="the lock")
        who = "tidegate_run, tidegate_step, by process"
        done = tidegate("history", cwd=project.root, env=database.environ)
        assert (done.code, who in done.err) == (7, True), done.said
        project.add("CREATE TABLE later (id integer)")
        done = tidegate("status", cwd=project.root, env=database.environ)
        assert (done.code, who in done.out, "1 pending" in done.out) == (0, True, True), done.said
        late = tidegate("boot", "--timeout", "1", "--", *APP, cwd=project.root,
                        env=database.environ)  # fmt: skip
        assert (late.code, who in late.err) == (7, True), late.said
    finally:
        locker.kill()
        locker.wait()
    execute(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()")  # fmt: skip


def test_wrong_words(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A run that isn't there and an option that isn't one are exit code 2."""
    project, database = make_project("django"), fresh("sqlite")
    wrong = (("nothing",), ("--limit", "many"), ("--nope",), ("--since", "soon"),
             ("--state", "good"), ("--kind", "dump"))  # fmt: skip
    for words in wrong:
        assert tidegate("history", *words, cwd=project.root, env=database.environ).code == 2
    done = tidegate("history", cwd=project.root, env=database.environ)
    assert (done.code, done.out) == (0, "no run is on record\n")


def test_filters(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Runs by age, moment, outcome, kind and step; several filters at once mean all of them."""
    project, database = make_project("django", 1), fresh("sqlite")
    assert boot(tidegate, project, database).code == 0
    bad = project.add("SELECT nothing FROM nowhere")
    assert boot(tidegate, project, database).code == 5
    project.remove(bad)
    execute(database, "UPDATE tidegate_run SET started = '2026-03-01T12:00:00.000+00:00' "
                      "WHERE number = 1")  # fmt: skip
    cases = {
        ("--since", "1h"): [2],
        ("--since", "2026-03-01"): [2, 1],
        ("--since", "2026-03-01T12:00:00"): [2, 1],
        ("--since", "2026-03-01T14:30:00+02:00"): [2],
        ("--state", "failed"): [2],
        ("--state", "done", "--kind", "migrate"): [1],
        ("--step", "0001_step"): [1],
        ("--step", "0001_step", "--since", "1h"): [],
        ("--kind", "restore"): [],
    }
    for words, numbers in cases.items():
        found = history(tidegate, project, database, *words)["runs"]
        assert [run["number"] for run in found] == numbers, words


def test_a_step_in_full(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """`history RUN` says of each step its seconds, statements, locks and refused locks."""
    project, database = make_project("django", 1), fresh("newest")
    assert boot(tidegate, project, database).code == 0
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    server = database.server
    assert server
    lock = subprocess.Popen(["psql", database.url, "-qXc", "BEGIN; LOCK TABLE made_1 IN ACCESS "
                             "SHARE MODE; SELECT pg_sleep(60)"])  # fmt: skip
    try:
        held = "SELECT 1 FROM pg_locks WHERE relation = 'made_1'::regclass AND granted"
        eventually(lambda: database.rows(held), what="the lock")
        running = tidegate.start("migrate", "--lock-timeout", "0.2", cwd=project.root,
                                 env=database.environ)  # fmt: skip
        running.until("released, asking again")
    finally:
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                   "'%pg_sleep%' AND pid <> pg_backend_pid()")  # fmt: skip
        lock.wait()
    assert running.end().code == 0
    said = tidegate("history", "2", cwd=project.root, env=database.environ).out
    assert re.search(r"shop\.0002_step: done, \d+\.\d{3} s, \d+ statements?\n", said), said
    assert re.search(r"its lock was refused and asked for again \d+ times?", said), said
    assert re.search(r"\d+\.\d{3} s  ALTER TABLE made_1 ADD COLUMN more integer", said), said
    assert "held AccessExclusiveLock on made_1" in said


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_the_documented_view(which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """The view has the columns that its page lists, and the page's queries run on it."""
    project, database = make_project("django"), fresh(which)
    assert boot(tidegate, project, database).code == 0
    page = (Path(__file__).resolve().parents[2] / "docs/reference/ledger.md").read_text()
    part = page[page.index("## tidegate_history") :]
    listed = re.findall(r"`(\w+)`", part[part.index("| column |") : part.index("```sql")])
    sql = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'tidegate_history'::regclass "
        "AND attnum > 0 ORDER BY attnum"
        if database.server
        else "SELECT name FROM pragma_table_info('tidegate_history') ORDER BY cid"
    )
    assert database.rows(sql) == listed
    queries = re.findall(r"```sql\n(.*?);\n```", part, re.DOTALL)
    assert len(queries) == 2
    steps = database.rows(queries[0])
    assert [row.split("|")[2] for row in steps] == project.ids
    assert len(database.rows(queries[1])) == 1
