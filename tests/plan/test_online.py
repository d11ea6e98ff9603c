"""`plan --online` and its `apply`: forms that keep nobody waiting, with the same end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import kinds
from support.gate import Database, Ended, Runner
from support.projects import SmallProject
from tidegate.databases import pgonline, pgschema

FORMED = (
    "add index",
    "set not null",
    "unique field",
    "unique together",
    "field index",
    "add check",
    "add foreign key",
)
Make = Callable[..., SmallProject]


@pytest.fixture(params=["django", "alembic", "alembic-async"])
def project(request: pytest.FixtureRequest, make_project: Make) -> SmallProject:
    return make_project(request.param, steps=0)


@pytest.fixture
def at_base(
    tidegate: Runner, fresh: Callable[[str], Database]
) -> Callable[[SmallProject, str], Database]:
    """Return a new database at the level of the base."""

    def make(project: SmallProject, base: str) -> Database:
        database = fresh("newest")
        done = tidegate("migrate", base, cwd=project.root, env=database.environ)
        assert done.code == 0, done.said
        return database

    return make


@pytest.fixture
def apply(tidegate: Runner) -> Callable[..., Ended]:
    def run(planned: Any, project: SmallProject, database: Database, *flags: str) -> Ended:
        return tidegate("apply", str(planned.path), *flags, cwd=project.root,
                        env=database.environ)  # fmt: skip

    return run


def own_command(project: SmallProject, database: Database, runner: Runner) -> None:
    """Let the framework apply everything by itself."""
    words = ["manage.py", "migrate"]
    if project.framework == "alembic":
        words = ["-m", "alembic", "upgrade", "heads"]
    subprocess.run([sys.executable, *words], cwd=project.root, check=True, capture_output=True,
                   env=runner.environ(database.environ), timeout=60)  # fmt: skip


def schema(database: Database) -> list[str]:
    def run(sql: str) -> list[tuple[str, ...]]:
        import psycopg

        with psycopg.connect(database.url) as session:
            return session.execute(sql.encode()).fetchall()

    return pgschema.lines(run)


def transactions(log: str) -> list[str]:
    """Return what each transaction sent, of a log of all statements."""
    sent = re.sub(r"^.*LOG:  (statement|execute [^:]*): ", "> ", log, flags=re.MULTILINE)
    return re.findall(r"^> BEGIN;?$(.*?)^> (?:COMMIT|ROLLBACK);?$", sent, re.DOTALL | re.MULTILINE)


def test_the_end_is_the_framework_s_own(
    project: SmallProject, at_base: Any, plan: Any, apply: Any, tidegate: Runner, servers: Any
) -> None:
    """Each kind gets its form, and schema and history are those of the framework's own command.

    No form's transaction reads more of the schema than what it has changed: everybody waits for it.
    """
    base, steps = kinds.write(project.root, project.framework, FORMED)
    database, other = at_base(project, base), at_base(project, base)
    planned = plan(project, database.url, "--online")
    assert planned.path.exists(), planned.ended.said
    for step, kind in steps:
        found = planned.step(step)
        assert found["online"], (kind, found["online_why"])
    assert "apply runs it statement by statement" in planned.ended.out
    rules = {one["rule"] for one in planned.document["findings"]}
    assert not rules & {"index-without-concurrently", "not-null-scans", "unique-builds-index",
                        "foreign-key-validates", "check-validates"}  # fmt: skip
    name = planned.document["plan"]
    database.rows("ALTER DATABASE " + database.name + " SET log_statement = 'all'")
    log = servers("newest").log
    before = log.stat().st_size
    done = apply(planned, project, database, "--approve", name)
    assert done.code == 0, done.said
    parts = [one for one in transactions(log.read_bytes()[before:].decode())
             if "ADD CONSTRAINT" in one or "SET NOT NULL" in one]  # fmt: skip
    assert len(parts) >= 5
    assert not [one for one in parts if "pg_get_functiondef" in one]
    assert "online: CREATE INDEX CONCURRENTLY" in done.err
    own_command(project, other, tidegate)
    assert schema(database) == schema(other)
    assert database.rows(project.recorded_sql) == other.rows(project.recorded_sql)
    said = " ".join(database.rows("SELECT sql FROM tidegate_step"))
    assert "ADD CONSTRAINT" in said


def test_what_writes_rows_stays_one_transaction(
    make_project: Make, deployed: Any, plan: Any, apply: Any
) -> None:
    """A step that writes rows beside is left as it is, and the plan says why."""
    project = make_project("alembic")
    database = deployed(project)
    step = project.add("CREATE INDEX by_id ON made_1 (id)", "INSERT INTO made_2 VALUES (1)")
    planned = plan(project, database.url, "--online")
    assert planned.step(step)["online"] == []
    assert "it also writes rows" in planned.step(step)["online_why"]
    assert planned.found("no-online-form")
    done = apply(planned, project, database)
    assert done.code == 0, done.said
    assert "online" not in done.err


def test_a_change_that_is_noticed_half_way(make_project: Make, deployed: Any, plan: Any) -> None:
    """A step that also drops something isn't taken apart; nor is one on a partitioned table."""
    project = make_project("alembic")
    database = deployed(project)
    database.rows("CREATE TABLE p (id integer) PARTITION BY RANGE (id)")
    drops = project.add("CREATE INDEX by_id ON made_1 (id)", "ALTER TABLE made_2 DROP COLUMN id")
    parted = project.add("CREATE INDEX p_id ON p (id)")
    planned = plan(project, database.url, "--online")
    assert "may notice half way" in planned.step(drops)["online_why"]
    assert planned.step(parted)["online"] == []
    assert "p is partitioned" in planned.step(parted)["online_why"]


def test_a_partitioned_table(make_project: Make, deployed: Any, plan: Any, apply: Any) -> None:
    """NOT NULL and a CHECK of a partitioned table have their forms, and end in the same schema."""
    project = make_project("alembic")
    database = deployed(project)
    database.rows("CREATE TABLE p (id integer) PARTITION BY RANGE (id)")
    database.rows("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    step = project.add("ALTER TABLE p ALTER COLUMN id SET NOT NULL",
                       "ALTER TABLE p ADD CONSTRAINT small CHECK (id < 9)")  # fmt: skip
    planned = plan(project, database.url, "--online")
    assert len(planned.step(step)["online"]) == 2, planned.step(step)["online_why"]
    done = apply(planned, project, database)
    assert done.code == 0, done.said
    assert "online: ALTER TABLE p VALIDATE CONSTRAINT small" in done.err


def test_forms_are_part_of_the_plan(
    make_project: Make, deployed: Any, plan: Any, apply: Any
) -> None:
    """A form that was edited makes the plan another one."""
    project = make_project("alembic")
    database = deployed(project)
    step = project.add("CREATE INDEX by_id ON made_1 (id)")
    plain = plan(project, database.url).document["plan"]
    planned = plan(project, database.url, "--online")
    assert planned.document["plan"] != plain
    document = planned.document
    document["steps"][0]["online"][0]["groups"] = [["DROP TABLE made_1"]]
    planned.path.write_text(json.dumps(document))
    done = apply(planned, project, database)
    assert (done.code, step in database.rows(project.recorded_sql)) == (2, False), done.said


def test_a_large_rewrite_needs_a_word(
    make_project: Make, deployed: Any, plan: Any, apply: Any
) -> None:
    """Above the size in the settings a rewrite is refused, with the way round it to paste; the
    printed way is SQL that the server takes."""
    project = make_project("alembic")
    Path(project.root, "tidegate.toml").write_text('[plan]\nrewrite_above = "100kB"\n')
    database = deployed(project)
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 20000)")
    database.rows("ANALYZE")
    project.add("ALTER TABLE made_1 ALTER COLUMN id TYPE bigint")
    planned = plan(project, database.url, "--online")
    name = planned.document["plan"]
    done = apply(planned, project, database)
    assert done.code == 6, done.said
    assert 'ALTER TABLE made_1 ADD COLUMN "id_new" bigint;' in done.err
    assert "backfill(connection, 'made_1'" in done.err
    lines = [one for one in planned.document["rewrites"][0]["instead"]
             if not one.startswith(("--", "from ", "backfill("))]  # fmt: skip
    first = "\n".join(lines)
    database.rows("CREATE TABLE copy AS TABLE made_1")
    database.rows(first.replace("made_1", "copy"))
    kind = "SELECT format_type(atttypid, 0) FROM pg_attribute WHERE attname = 'id' AND attrelid = "
    assert database.rows(f"{kind}'copy'::regclass") == ["bigint"]
    database.rows("DROP TABLE copy")
    assert apply(planned, project, database, "--approve", name).code == 0
    assert database.rows(f"{kind}'made_1'::regclass") == ["bigint"]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX CONCURRENTLY i ON a (b)",
        "CREATE INDEX i ON ONLY a (b)",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID",
        "ALTER TABLE a ADD CONSTRAINT c UNIQUE NULLS NOT DISTINCT (b)",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0), ADD COLUMN d integer",
        "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c (id)",
        "ALTER TABLE a ADD CONSTRAINT c PRIMARY KEY (id)",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL, ALTER COLUMN c SET NOT NULL",
        "CREATE INDEX i ON a (b); CREATE INDEX j ON a (c)",
    ],
)
def test_no_form(sql: str) -> None:
    """What has no form that ends the same is left alone."""
    assert pgonline.form(sql) is None


def test_filling_nulls_may_be_done_twice() -> None:
    """Only an UPDATE of one column where it is NULL counts as such."""
    assert pgonline.fills('UPDATE "a" SET "b" = 1 WHERE "b" IS NULL; SET CONSTRAINTS ALL IMMEDIATE')
    assert not pgonline.fills('UPDATE "a" SET "b" = 1 WHERE "c" IS NULL')
    assert not pgonline.fills('UPDATE "a" SET "b" = 1')
