"""Restores: beside, compared, swapped by rename; whatever dies, one complete database remains."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gate import Database, Ended, Runner, eventually
from support.postgres import free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
WORD = re.compile(r"--approve ([0-9a-f]{12})")


@pytest.fixture
def shop(tidegate: Runner, make_project: MakeProject, fresh: Fresh) -> Callable[[str], Any]:
    """A migrated database of 500 rows, and its backup."""

    def make(which: str) -> tuple[SmallProject, Database, Path]:
        project, database = make_project("django", 1), fresh(which)
        project.add("CREATE TABLE sold (id integer, what varchar(40))", "INSERT INTO sold "
                    "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 500) "
                    "SELECT i, 'thing' FROM g")  # fmt: skip
        assert run(tidegate, project, database, "migrate").code == 0
        done = run(tidegate, project, database, "backup")
        assert done.code == 0, done.said
        return project, database, Path(done.out.splitlines()[-1])

    return make


def run(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Ended:
    return tidegate(*words, cwd=project.root, env=database.environ, timeout=120)


def approved(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Ended:
    """Ask for the word, then run it with the word."""
    asked = run(tidegate, project, database, *words)
    assert asked.code == 6, asked.said
    found = WORD.search(asked.err)
    assert found, asked.said
    return run(tidegate, project, database, *words, "--approve", found[1])


def spoil(database: Database) -> None:
    """What a bad release does."""
    statements = ("DELETE FROM sold WHERE id > 100", "INSERT INTO sold VALUES (9001, 'new')",
                  "DROP TABLE made_1")  # fmt: skip
    if database.server:
        database.server.sql(";".join(statements), database.name)
        return
    with sqlite3.connect(database.name) as file:
        for one in statements:
            file.execute(one)
    file.close()


@pytest.mark.parametrize("which", ["newest", "oldest", "sqlite"])
def test_back_to_the_backup(which: str, tidegate: Runner, shop: Callable[[str], Any]):
    """First it says what is lost and asks for a word; then the old name has the old data, what
    was there is kept, and the ledger has the restore."""
    project, database, path = shop(which)
    spoil(database)
    asked = run(tidegate, project, database, "restore", str(path))
    assert asked.code == 6, asked.said
    if database.server:
        assert "public.sold: 1 row written or changed since" in asked.err
    assert database.rows("SELECT count(*) FROM sold") == ["101"]
    if which == "sqlite":
        wrong = run(tidegate, project, database, "restore", str(path), "--approve", "0123456789ab")
        assert (wrong.code, "is the word for another plan" in wrong.err) == (6, True), wrong.said
    done = approved(tidegate, project, database, "restore", str(path))
    assert done.code == 0, done.said
    assert database.rows("SELECT count(*) FROM sold") == ["500"]
    assert "made_1" in database.tables()
    kept = done.out.strip()
    if database.server:
        assert database.server.sql("SELECT count(*) FROM sold", kept) == "101"
        database.server.sql(f'DROP DATABASE "{kept}"')
        database.rows("DELETE FROM sold WHERE id = 7")
        word = WORD.search(asked.err)
        assert word
        again = run(tidegate, project, database, "restore", str(path), "--approve", word[1]).err
        assert "is the word for another plan" in again, "the database is another one"
        assert "public.sold: 499 rows now, 500 in the backup" in again
        assert "The database was restored since that backup" in again
        assert "or changed since" not in again
    else:
        assert Database("", kept).rows("SELECT count(*) FROM sold") == ["101"]
    runs = run(tidegate, project, database, "history", "--verify")
    assert (runs.code, " restore  done" in runs.out) == (0, True), runs.said
    assert run(tidegate, project, database, "status", "--check").code == 0


def test_an_agent_can_ask_and_not_approve(tidegate: Runner, shop: Callable[[str], Any]):
    """The word has to come from a person."""
    project, database, path = shop("sqlite")
    asked = run(tidegate, project, database, "restore", str(path))
    word = WORD.search(asked.err)
    assert word
    env = {**database.environ, "TIDEGATE_AGENT": "helper"}
    done = tidegate("restore", str(path), "--approve", word[1], cwd=project.root, env=env)
    assert (done.code, "has to come from a person" in done.err) == (6, True), done.said


def test_settings_grants_and_sessions(tidegate: Runner, shop: Callable[[str], Any]):
    """The restored database has the settings and grants of the old one, and an app that logs in
    again and again does not keep the name. A prepared transaction, which would, is named before a
    word is asked for; and so is a replication slot, which stays with the old one."""
    project, database, path = shop("newest")
    server, name = database.server, database.name
    server.sql(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    server.sql(f"ALTER DATABASE {name} SET work_mem = '7MB'")
    server.sql(f"CREATE ROLE reader_{name}; GRANT TEMPORARY ON DATABASE {name} TO reader_{name}")
    slot = f"slot_{name}"
    server.sql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')", name)
    server.sql(f"BEGIN; DELETE FROM sold WHERE id = 1; PREPARE TRANSACTION '{name}'", name)
    held = run(tidegate, project, database, "restore", str(path))
    assert (held.code, f"1 prepared transaction: {name}" in held.err) == (6, True), held.said
    assert not WORD.search(held.err)
    server.sql(f"ROLLBACK PREPARED '{name}'", name)
    assert f"{slot} stays with" in run(tidegate, project, database, "restore", str(path)).err
    script = (
        "import psycopg, sys\nwhile True:\n  try:\n    c = psycopg.connect(sys.argv[1])\n"
        "    while True: c.execute('SELECT pg_sleep(0.01)')\n  except psycopg.Error: pass\n"
    )
    python = os.path.join(os.path.dirname(os.sys.executable), "python")  # type: ignore[attr-defined]
    apps = [subprocess.Popen([python, "-c", script, database.url]) for _ in range(4)]
    try:
        busy = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"
        eventually(lambda: int(server.sql(busy)) >= 4, what="the app's sessions")
        done = approved(tidegate, project, database, "restore", str(path))
    finally:
        for app in apps:
            app.kill()
            app.wait()
    assert done.code == 0, done.said
    assert database.rows("SHOW work_mem") == ["7MB"]
    assert database.rows("SHOW search_path") == ["public, pg_catalog"]
    sql = f"SELECT has_database_privilege('reader_{name}', '{name}', 'TEMP')"
    assert database.rows(sql) == ["t"]
    server.sql(f"SELECT pg_drop_replication_slot('{slot}')", done.out.strip())
    server.sql(f'DROP DATABASE "{done.out.strip()}"')
    server.sql(f"DROP OWNED BY reader_{name}; DROP ROLE reader_{name}", name)


def test_an_ordinary_role(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """The owner of a database who may make databases, and no more, gets it back."""
    project, database = make_project("django", 1), fresh("newest")
    server, name = database.server, database.name
    assert server
    server.sql(f"CREATE ROLE owner_{name} LOGIN CREATEDB PASSWORD 's3cret'")
    server.sql(f"ALTER DATABASE {name} OWNER TO owner_{name}")
    own = Database(server.url(f"owner_{name}", "s3cret", name), name, server)
    try:
        assert run(tidegate, project, own, "migrate").code == 0
        made = run(tidegate, project, own, "backup")
        assert made.code == 0, made.said
        server.sql("DROP TABLE made_1", name)
        done = approved(tidegate, project, own, "restore", made.out.splitlines()[-1])
        assert done.code == 0, done.said
        assert "made_1" in own.tables()
        sql = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'"
        assert server.sql(sql) == f"owner_{name}"
        server.sql(f'DROP DATABASE "{done.out.strip()}"')
    finally:
        server.sql(f"ALTER DATABASE {name} OWNER TO postgres")
        server.sql(f"REASSIGN OWNED BY owner_{name} TO postgres", name)
        server.sql(f"DROP OWNED BY owner_{name}", name)
        server.sql(f"DROP ROLE owner_{name}")


def test_the_locale_stays(tidegate: Runner, shop: Callable[[str], Any]):
    """A database with a locale of ICU's comes back with it."""
    project, database, path = shop("oldest")
    server, name = database.server, database.name
    server.sql(f"DROP DATABASE {name}")
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de'")
    assert run(tidegate, project, database, "migrate").code == 0
    done = approved(tidegate, project, database, "restore", str(path))
    assert done.code == 0, done.said
    sql = f"SELECT datlocprovider FROM pg_database WHERE datname = '{name}'"
    assert server.sql(sql) == "i"
    server.sql(f'DROP DATABASE "{done.out.strip()}"')


def databases(database: Database) -> list[str]:
    assert database.server
    sql = f"SELECT datname FROM pg_database WHERE datname LIKE '{database.name}%' ORDER BY 1"
    return database.server.sql(sql).splitlines()


def nobody_else(database: Database) -> bool:
    assert database.server
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tidegate%' "
    return database.server.sql(f"{sql} AND datname <> '{database.name}'") == "0"


def test_killed_at_any_point(tidegate: Runner, shop: Callable[[str], Any]):
    """Killed at random moments: under the old name there is always one complete database, the
    old one or the new one; and the next restore goes through."""
    project, database, path = shop("newest")
    spoil(database)

    def words() -> tuple[str, ...]:
        asked = run(tidegate, project, database, "restore", str(path))
        word = WORD.search(asked.err)
        assert word, asked.said
        return ("restore", str(path), "--approve", word[1])

    typed = words()
    whole = run(tidegate, project, database, *typed)
    assert whole.code == 0, whole.said
    rng = random.Random(7)
    seen, made = set(), True
    for number in range(4):
        if made:  # else it is as it was before the restore that was killed
            spoil(database)
            typed = words()
        started = tidegate.start(*typed, cwd=project.root, env=database.environ)
        time.sleep(rng.uniform(0.1, 1.0) * whole.seconds)  # the moment is the point of this test
        started.signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        started.process.wait(60)
        eventually(lambda: nobody_else(database), 30, "the end of its sessions")
        count = database.rows("SELECT count(*) FROM sold")[0]
        made = "made_1" in database.tables()
        assert (count, made) in {("101", False), ("500", True)}
        seen.add(count)
    assert "101" in seen
    left = [name for name in databases(database) if "_restore_" in name]
    again = run(tidegate, project, database, *(words() if made else typed))
    assert again.code == 0, again.said
    assert all(name in again.err for name in left)
    for name in databases(database):
        if name != database.name:
            database.server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_server_dies_meanwhile(tidegate: Runner, shop: Callable[[str], Any], servers: Any):
    """The server is killed during a restore: the old database is there when it comes back."""
    project, database, path = shop("spare")
    spoil(database)
    asked = run(tidegate, project, database, "restore", str(path))
    word = WORD.search(asked.err)
    assert word
    started = tidegate.start("restore", str(path), "--approve", word[1], cwd=project.root,
                             env=database.environ)  # fmt: skip
    eventually(lambda: len(databases(database)) > 1, what="the new database")
    database.server.stop("immediate")
    done = started.end()
    assert done.code != 0
    servers("spare")
    assert database.rows("SELECT count(*) FROM sold") == ["101"]
    for name in databases(database):
        if name != database.name:
            database.server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_other_major_versions(
    tidegate: Runner, shop: Callable[[str], Any], fresh: Fresh, tmp_path: Path
):
    """A newer server takes it under a new name without asking; an older one is refused."""
    _, _, old = shop("oldest")
    newer = fresh("newest")
    url = newer.url.replace(newer.name, f"{newer.name}_new")
    done = tidegate("restore", str(old), "--into", url, cwd=tmp_path, env={}, timeout=120)
    assert done.code == 0, done.said
    copy = Database(url, f"{newer.name}_new", newer.server)
    assert copy.rows("SELECT count(*) FROM sold") == ["500"]
    assert newer.server
    newer.server.sql(f"DROP DATABASE {copy.name}")


def test_an_older_server_is_refused(
    tidegate: Runner, shop: Callable[[str], Any], fresh: Fresh, tmp_path: Path
):
    """What a newer server wrote is not restored into an older one; nothing is made there."""
    _, _, new = shop("newest")
    older = fresh("oldest")
    url = older.url.replace(older.name, f"{older.name}_new")
    refused = tidegate("restore", str(new), "--into", url, cwd=tmp_path, env={})
    assert (refused.code, "the server is 15" in refused.err) == (6, True), refused.said
    assert databases(older) == [older.name]


def test_a_damaged_backup_changes_nothing(tidegate: Runner, shop: Callable[[str], Any]):
    """A flipped bit is refused before anything is touched."""
    project, database, path = shop("newest")
    (data,) = path.glob("data*")
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 1
    data.write_bytes(raw)
    done = run(tidegate, project, database, "restore", str(path))
    assert (done.code, "is damaged" in done.err) == (5, True), done.said
    assert databases(database) == [database.name]


def test_what_is_not_there(tidegate: Runner, shop: Callable[[str], Any]):
    """A path where nothing is: exit 2, and it does not exist; a folder that is no backup is 5."""
    project, database, path = shop("sqlite")
    for words in (("restore", "nowhere/at-all"), ("backup", "--check", "nowhere/at-all")):
        done = run(tidegate, project, database, *words)
        assert (done.code, "nowhere/at-all does not exist" in done.err) == (2, True), done.said
    done = run(tidegate, project, database, "restore", str(path.parent))
    assert (done.code, "damaged" in done.err) == (5, True), done.said


def test_into_another_file(tidegate: Runner, shop: Callable[[str], Any], tmp_path: Path):
    """SQLite's backup comes back as a file that --into names; over one that is there only with
    the word, and the old one is kept; another kind of database is refused."""
    project, database, path = shop("sqlite")
    copy = tmp_path / "copy.sqlite3"
    url = f"sqlite:///{copy}"
    done = run(tidegate, project, database, "restore", str(path), "--into", url)
    assert (done.code, done.out.strip()) == (0, str(copy)), done.said
    assert Database("", str(copy)).rows("SELECT count(*) FROM sold") == ["500"]
    spoil(Database("", str(copy)))
    again = approved(tidegate, project, database, "restore", str(path), "--into", url)
    assert again.code == 0, again.said
    assert Database("", str(copy)).rows("SELECT count(*) FROM sold") == ["500"]
    assert Database("", again.out.strip()).rows("SELECT count(*) FROM sold") == ["101"]
    other = run(tidegate, project, database, "restore", str(path), "--into",
                "postgresql://a:b@127.0.0.1:1/c")  # fmt: skip
    assert (other.code, "the backup is of sqlite" in other.err) == (6, True), other.said
    lost = f"sqlite:///{tmp_path}/no/such/file"
    wrong = run(tidegate, project, database, "restore", str(path), "--into", lost)
    assert (wrong.code, f"{tmp_path}/no/such does not exist" in wrong.err) == (2, True), wrong.said


def test_a_server_that_is_not_there_is_named(
    tidegate: Runner, shop: Callable[[str], Any], tmp_path: Path
):
    """history, restore and a verification at a closed port: exit 3, with the address that did not
    answer; the backup is not begun."""
    project, database, path = shop("newest")
    closed = f"127.0.0.1:{free_port()}"
    url = f"postgresql://shop:s3cret@{closed}/shop"
    for words, text in (
        (("history",), f"shop@{closed}/shop does not answer: connection refused"),
        (("restore", str(path), "--into", url), f"shop@{closed}/postgres does not answer"),
    ):
        done = tidegate(*words, cwd=project.root, env={"DATABASE_URL": url})
        assert (done.code, text in done.err) == (3, True), done.said
    words = ("backup", "--verify", "full", "--scratch", url, "--to", str(tmp_path / "none"))
    done = run(tidegate, project, database, *words)
    said = f"the server for the verification does not answer: shop@{closed}/shop"
    assert (done.code, said in done.err) == (3, True), done.said
    assert not (tmp_path / "none").exists()


def test_a_failure_shows_the_users_statement(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """What SQLite's schema editor sends around a step is not shown as its last statement."""
    project, database = make_project("django", 1), fresh("sqlite")
    step = project.files[project.add("INSERT INTO made_1 (id) VALUES (7)")]
    broken = (
        "\n\ndef broken(apps, editor):\n    raise ValueError('no such shop')\n\n\n"
        "Migration.operations.append(migrations.RunPython(broken))\n"
    )
    step.write_text(step.read_text() + broken)
    done = run(tidegate, project, database, "migrate")
    assert (done.code, "last statement: INSERT INTO made_1" in done.err) == (5, True), done.said
    assert "PRAGMA" not in done.err
