"""The scratch is as the target is: its search path, its partitions, what is half done there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.gate import Runner
from support.postgres import Server
from support.projects import SmallProject
from tidegate.workflows.plan.impact import impacts

Make = Callable[..., SmallProject]
MIGRATES_ITSELF = """\
from django.apps import AppConfig
from django.core.management import call_command


class Shop(AppConfig):
    name = "shop"

    def ready(self):
        call_command("migrate", verbosity=0)
"""


def test_the_search_path_of_the_app_s_role(
    make_project: Make, fresh: Any, servers: Callable[[str], Server], tidegate: Runner, plan: Any
) -> None:
    """Tables outside of `public`, found by ALTER ROLE ... SET search_path, for a role with odd
    characters in its password: another role that looks finds the level there, the steps and the
    running release's statements reach those tables, and views are part of what it reads."""
    server, database = servers("newest"), fresh("newest")
    server.sql("DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'p@s:/%#?'")
    server.sql(f"ALTER ROLE keeper IN DATABASE {database.name} SET search_path = app, public")
    database.rows("CREATE SCHEMA app; CREATE TABLE public.made_1 (other text)")
    rest = database.url.rpartition("@")[2]
    own = f"postgresql://keeper:p%40s%3A%2F%25%23%3F@{rest}"
    project = make_project("alembic")
    done = tidegate("migrate", cwd=project.root, env={"DATABASE_URL": own})
    assert done.code == 0, done.said
    database.rows("CREATE VIEW app.shown AS SELECT id AS number FROM app.made_1")
    project.add("DROP VIEW shown; ALTER TABLE made_1 RENAME COLUMN id TO key")
    found = plan(project, own, "--against", database.url)
    (step,) = found.document["steps"]
    assert step["applied"], found.ended.said
    assert {one["table"] for one in step["broken"]} == {"app.made_1", "app.shown"}
    assert "app.made_1" in {lock["was"] for one in step["statements"] for lock in one["locks"]}
    server.sql("ALTER ROLE keeper NOLOGIN")


def test_a_role_that_may_not_read_all(
    make_project: Make, deployed: Any, servers: Callable[[str], Server], plan: Any
) -> None:
    """What the role may not read is left out and named, also where the project asks for a server
    that takes writes (target_session_attrs), which a reading session is not; the roles that were
    made on a named scratch server are gone afterwards."""
    server, project = servers("oldest"), make_project("alembic")
    database = deployed(project, "oldest")
    server.sql("DROP ROLE IF EXISTS peeper; CREATE ROLE peeper LOGIN PASSWORD 's3cret'")
    database.rows("GRANT SELECT ON made_1, alembic_version TO peeper; CREATE TABLE closed (a int)")
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    url = server.url(user="peeper", password="s3cret", dbname=database.name)
    found = plan(project, f"{url}?target_session_attrs=read-write")
    assert found.document["steps"][0]["applied"], found.ended.said
    (left_out,) = found.found("scratch-incomplete")
    assert "peeper may not read public.closed" in left_out["message"]
    assert servers("newest").sql("SELECT count(*) FROM pg_roles WHERE rolname = 'peeper'") == "0"


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_an_app_that_writes_while_it_is_loaded(
    which: str, make_project: Make, fresh: Any, plan: Any
) -> None:
    """An app that migrates itself when it is loaded can't: it is refused, with the line, and the
    target stays as it is."""
    project, database = make_project("django"), fresh(which)
    (project.root / "shop" / "apps.py").write_text(MIGRATES_ITSELF)
    found = plan(project, database.url)
    assert found.ended.code == 2, found.ended.said
    assert f"while it is loaded ({project.root}/shop/apps.py, line 9)" in found.ended.err
    there = ("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'" if which == "newest"
             else "SELECT count(*) FROM sqlite_master")  # fmt: skip
    assert database.rows(there) == ["0"]


def test_a_half_applied_step(
    make_project: Make, deployed: Any, plan: Any, tidegate: Runner
) -> None:
    """The statements that an earlier run has done are left out, as the next run does; its plan is
    applied."""
    project = make_project("django")
    database = deployed(project)
    database.rows("INSERT INTO made_1 VALUES (-1)")
    check = "ALTER TABLE made_1 ADD CONSTRAINT above CHECK (id > 0)"
    step = project.add("CREATE INDEX CONCURRENTLY made_ix ON made_1 (id)", check, atomic=False)
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 5
    database.rows("DELETE FROM made_1")
    found = plan(project, database.url)
    assert [one["step"] for one in found.found("half-applied")] == [step], found.ended.said
    assert found.document["steps"][0]["applied"]
    words = ("apply", str(found.path), "--approve", found.document["plan"])
    done = tidegate(*words, cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert "left out: CREATE INDEX CONCURRENTLY" in done.err


def test_a_locked_table_is_not_waited_for_for_ever(
    make_project: Make, deployed: Any, plan: Any, tidegate: Runner
) -> None:
    """Reading a view waits for whoever has locked its table; `apply` gives up at its deadline (7),
    names who is in the way, and has changed nothing."""
    project = make_project("alembic")
    database = deployed(project)
    database.rows("CREATE VIEW shown AS SELECT id FROM made_1")
    project.add("CREATE TABLE planned (id integer)")
    planned = plan(project, database.url)
    with locked(database, "made_1"):
        done = tidegate("apply", str(planned.path), "--timeout", "1", cwd=project.root,
                        env=database.environ)  # fmt: skip
    assert done.code == 7, done.said
    assert "made_1 by server process" in done.err
    assert "planned" not in database.tables()


class locked:
    """Somebody holds a table against everybody, as long as the block lasts."""

    def __init__(self, database: Any, table: str) -> None:
        import psycopg

        self._connection = psycopg.connect(database.url)
        self._table = table

    def __enter__(self) -> None:
        self._connection.execute(f"LOCK TABLE {self._table} IN ACCESS EXCLUSIVE MODE")

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def test_partitions_are_one_table() -> None:
    """Nobody gets to a partitioned table before the last of its partitions is done: their sizes and
    the waiting are added up, and one finding is told of them."""
    names = [f"event_{number}" for number in range(50)]
    statement = {
        "sql": "ALTER TABLE event ADD CHECK (id > 0)", "rewrites": [], "scans": names, "held": [],
        "locks": [{"was": name, "mode": "ACCESS EXCLUSIVE", "kind": "table"} for name in names],
    }  # fmt: skip
    sizes = {name: {"rows": 1_000_000, "bytes": 40_000_000, "index_bytes": 0} for name in names}
    (one,) = impacts(statement, sizes, dict.fromkeys(names, "event"))
    assert (one.table, one.severity) == ("event", "error")
    assert one.size == "50,000,000 rows in 50 partitions (2.0 GB)"
    assert {each.severity for each in impacts(statement, sizes)} == {"info"}
