"""`tidegate adopt` on real databases: what was made by hand is compared, and only then recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import APP, Database, Ended, Runner
from support.projects import SmallProject

Fresh = Callable[[str], Database]
EXAMPLE = Path(__file__).parents[2] / "examples" / "menuplanner"
Shop = tuple[SmallProject, Database]


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, fresh: Fresh) -> Shop:
    """Three steps that each make a table."""
    flavour, which = request.param.split("-")
    return SmallProject(tmp_path / "app", flavour, 3), fresh(which)


def run(tidegate: Runner, shop: Shop, *words: str, **env: str) -> Ended:
    project, database = shop
    return tidegate(*words, cwd=project.root, env={**database.environ, **env}, timeout=120)


def by_hand(database: Database, *statements: str) -> None:
    """Run SQL as somebody at a prompt does."""
    import sqlite3

    if database.server:
        for one in statements:
            database.server.sql(one, database.name)
        return
    file = sqlite3.connect(database.name)
    file.executescript(";".join(statements))
    file.close()


def scratches(database: Database) -> list[str]:
    if not database.server:
        return []
    sql = "SELECT datname FROM pg_database WHERE datname LIKE 'tidegate_scratch%'"
    return database.server.sql(sql).splitlines()


@pytest.mark.parametrize("shop", ["django-newest", "alembic-sqlite"], indirect=True)
def test_tables_made_by_hand(tidegate: Runner, shop: Shop):
    """A start ends with 5 and names adopt; adopt records the steps whose tables are there, as the
    ledger says; the rest is migrated; what was adopted is not what a rollback undoes."""
    project, database = shop
    by_hand(database, "CREATE TABLE made_1 (id integer)", "CREATE TABLE made_2 (id integer)",
            "CREATE TABLE mine (id integer)")  # fmt: skip
    booted = run(tidegate, shop, "boot", "--", *APP)
    assert (booted.code, "tidegate adopt --plan" in booted.err) == (5, True), booted.said
    assert "echo was not started" in booted.err
    migrated = run(tidegate, shop, "migrate")
    assert (migrated.code, "was not started" in migrated.err) == (5, False), migrated.said
    planned = json.loads(run(tidegate, shop, "--format", "json", "adopt", "--plan").out)
    (one,) = planned["adoptions"]
    assert (one["adopt"], one["left"]) == (project.ids[:2], project.ids[2:])
    assert [name for name in one["foreign"] if "mine" in name] == one["foreign"]
    assert len(one["foreign"]) == 1
    assert json.loads(run(tidegate, shop, "--format", "json", "status").out)["databases"][0][
        "applied"] == 0  # fmt: skip
    adopted = run(tidegate, shop, "adopt")
    assert adopted.code == 0, adopted.said
    assert f"  adopt  {project.ids[1]}" in adopted.out.splitlines()
    assert scratches(database) == []
    assert run(tidegate, shop, "migrate").code == 0
    assert database.rows(project.recorded_sql) == project.heads()
    assert database.tables() == ["made_1", "made_2", "made_3", "mine"]
    found = json.loads(run(tidegate, shop, "--format", "json", "history").out)["runs"]
    assert [(one["kind"], [s["state"] for s in one["steps"]]) for one in found if one["steps"]] == [
        ("migrate", ["done"]), ("adopt", ["adopted", "adopted"])]  # fmt: skip
    assert run(tidegate, shop, "history", "--verify").code == 0
    back = json.loads(run(tidegate, shop, "--format", "json", "rollback", "--plan").out)
    assert [step["id"] for step in back["rollback"]["steps"]] == [project.ids[2]]
    again = run(tidegate, shop, "adopt")
    assert (again.code, "nothing is there" in again.out) == (0, True), again.said


@pytest.mark.parametrize("shop", ["alembic-oldest", "django-sqlite"], indirect=True)
def test_what_differs_is_listed(tidegate: Runner, shop: Shop):
    """With a difference nothing is recorded; the lines say both sides, and what is equal can be
    adopted by name."""
    project, database = shop
    by_hand(
        database, "CREATE TABLE made_1 (id integer)", "CREATE TABLE made_2 (id text, more text)"
    )
    done = run(tidegate, shop, "adopt")
    assert done.code == 1, done.said
    said = " ".join(done.err.split()).lower()
    for part in ("1 object of it differ", "made_2.id: integer", "made_2.id: text",
                 "made_2.more: text", f"tidegate adopt --to {project.ids[0]}"):  # fmt: skip
        assert part in said, done.said
    status = json.loads(run(tidegate, shop, "--format", "json", "status").out)["databases"][0]
    assert (status["applied"], scratches(database)) == (0, [])
    assert run(tidegate, shop, "adopt", "--to", project.ids[1]).code == 1
    assert run(tidegate, shop, "adopt", "--to", project.ids[0]).code == 0
    status = json.loads(run(tidegate, shop, "--format", "json", "status").out)["databases"][0]
    assert (status["applied"], status["pending"]) == (1, project.ids[1:])


@pytest.mark.parametrize("shop", ["django-newest", "alembic-sqlite"], indirect=True)
def test_nothing_is_there(tidegate: Runner, shop: Shop):
    """On an empty database there is nothing to adopt, which is no failure."""
    done = run(tidegate, shop, "adopt")
    assert (done.code, "nothing is there that a pending step would make" in done.out) == (0, True)


@pytest.mark.parametrize("shop", ["django-newest"], indirect=True)
def test_a_lost_record(tidegate: Runner, shop: Shop):
    """Where Django's own table was emptied, each step of each app is found again; one that only
    changes rows, behind the last that is seen, is left unless it is named."""
    project, database = shop
    settings = project.root / "config" / "settings.py"
    apps = '["django.contrib.auth", "django.contrib.contenttypes", "shop"]'
    settings.write_text(settings.read_text().replace('["shop"]', apps))
    rows = project.add("INSERT INTO made_1 VALUES (1)", name="rows")
    assert run(tidegate, shop, "migrate").code == 0
    before = database.rows(project.recorded_sql)
    by_hand(database, "DELETE FROM django_migrations")
    done = run(tidegate, shop, "adopt")
    assert done.code == 0, done.said
    assert f"  left   {rows}" in done.out
    again = run(tidegate, shop, "adopt", "--to", rows)
    assert (again.code, "rows was not compared" in again.out) == (0, True), again.said
    assert database.rows(project.recorded_sql) == before
    assert database.rows("SELECT count(*) FROM made_1") == ["1"]
    assert run(tidegate, shop, "status", "--check").code == 0


def test_a_role_that_may_not_make_a_database(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """The scratch is then a server of this machine, or the one that --scratch names."""
    shop = (SmallProject(tmp_path / "app", "django", 2), fresh("newest"))
    database = shop[1]
    server = database.server
    assert server
    server.sql("DROP ROLE IF EXISTS adopter")
    server.sql("CREATE ROLE adopter LOGIN PASSWORD 'adopting-4711'")
    server.sql(f"ALTER DATABASE {database.name} OWNER TO adopter")
    server.sql("ALTER SCHEMA public OWNER TO adopter", database.name)
    url = server.url(dbname=database.name, user="adopter", password="adopting-4711")
    by_hand(database, "SET ROLE adopter; CREATE TABLE made_1 (id integer)")
    for words in ((), ("--scratch", server.url(dbname="postgres"))):
        done = run(tidegate, shop, "adopt", "--plan", *words, DATABASE_URL=url)
        assert (done.code, "1 step found to be there" in done.out) == (0, True), done.said
    closed = server.url(dbname="postgres", user="adopter", password="adopting-4711")
    done = run(tidegate, shop, "adopt", "--scratch", closed, DATABASE_URL=url)
    assert (done.code, "ALTER ROLE adopter CREATEDB" in done.err) == (4, True), done.said
    assert database.tables() == ["made_1"]
    assert scratches(database) == []


@pytest.mark.parametrize("shop", ["alembic-newest"], indirect=True)
def test_an_async_project(tidegate: Runner, tmp_path: Path, shop: Shop):
    """An env.py with an async engine is compared and stamped like any other."""
    project, database = SmallProject(tmp_path / "async", "alembic-async", 2), shop[1]
    by_hand(database, "CREATE TABLE made_1 (id integer)")
    done = run(tidegate, (project, database), "adopt")
    assert done.code == 0, done.said
    assert database.rows(project.recorded_sql) == project.ids[:1]


@pytest.mark.parametrize("which", ["newest"])
def test_tables_made_by_create_all(tidegate: Runner, tmp_path: Path, fresh: Fresh, which: str):
    """What `Base.metadata.create_all` makes of the example's models is what its revisions make:
    all are adopted but those behind the last that is seen, which are then applied."""
    root, database = tmp_path / "menuplanner", fresh(which)
    shutil.copytree(EXAMPLE, root)
    code = (
        "from sqlalchemy import create_engine; from menuplanner.config import normalize_url; "
        "from menuplanner import models; from menuplanner.db import Base; "
        f"Base.metadata.create_all(create_engine(normalize_url({database.url!r})))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
    done = tidegate("--format", "json", "adopt", "--local", cwd=root, env=database.environ)
    assert done.code == 0, done.said
    (found,) = json.loads(done.out)["adoptions"]
    files = len(list((root / "migrations" / "versions").glob("*.py")))
    assert len(found["adopt"]) + len(found["left"]) == files
    assert len(found["adopt"]) > 10
    assert tidegate("migrate", "--local", cwd=root, env=database.environ).code == 0
    assert tidegate("status", "--local", "--check", cwd=root, env=database.environ).code == 0
