"""Disks that fill up while a backup is verified or restored, and under the ledger."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import Database, Ended, Runner
from support.postgres import give_away
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
WORD = re.compile(r"--approve ([0-9a-f]{12})")
BIG = (
    "CREATE TABLE big (a text)",
    "ALTER TABLE big ALTER a SET STORAGE EXTERNAL",
    "INSERT INTO big SELECT repeat('abcdefgh', 125000) FROM generate_series(1, {})",
)  # a megabyte a row, which packs to nothing

UNTIL_FULL = """
DO $$ BEGIN
  FOR i IN 1..100000 LOOP
    BEGIN
      INSERT INTO tidegate_run (id, state, started) VALUES ('old ' || i, 'done', '2000-01-01');
    EXCEPTION WHEN disk_full THEN RETURN;
    END;
  END LOOP;
  RAISE 'never full';
END $$
"""


def run(
    tidegate: Runner, project: SmallProject, database: Database, *words: str, **env: str
) -> Ended:
    return tidegate(*words, cwd=project.root, env={**database.environ, **env}, timeout=120)


def test_full_while_it_is_verified(
    disk: Callable[[int], Path], tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """The scratch server runs out of room: exit 5, the backup is not kept, nothing is left."""
    project, database = make_project("django", 1), fresh("newest")
    project.add(*BIG[:2], BIG[2].format(100))
    assert run(tidegate, project, database, "migrate").code == 0
    small = disk(100)
    done = run(tidegate, project, database, "backup", "--verify", "full", TMPDIR=str(small))
    assert done.code == 5, done.said
    assert "No space left on device" in done.err, done.said
    assert list(small.iterdir()) == []
    assert list((project.root / "backups").iterdir()) == []
    (state, message) = database.rows(
        "SELECT state, message FROM tidegate_run WHERE kind = 'backup'"
    )[0].split("|", 1)
    assert (state, "No space left" in message) == ("failed", True)


def test_full_while_it_is_restored(
    disk: Callable[[int], Path],
    tidegate: Runner,
    make_project: MakeProject,
    fresh: Fresh,
):
    """The tablespace of the database runs out of room: the old database stands, the half-filled
    one is gone, and it can be done again when there is room."""
    project, database = make_project("django", 1), fresh("newest")
    server = database.server
    assert server
    small = disk(64)
    give_away(small)
    space = f"small_{database.name}"
    server.sql(f"CREATE TABLESPACE {space} LOCATION '{small}'")
    server.sql(f"ALTER DATABASE {database.name} SET TABLESPACE {space}")
    try:
        project.add(*BIG[:2], BIG[2].format(30))
        assert run(tidegate, project, database, "migrate").code == 0
        made = run(tidegate, project, database, "backup")
        assert made.code == 0, made.said
        path = made.out.splitlines()[-1]
        asked = run(tidegate, project, database, "restore", path)
        word = WORD.search(asked.err)
        assert word, asked.said
        words = ("restore", path, "--approve", word[1])
        full = run(tidegate, project, database, *words)
        assert (full.code, "No space left on device" in full.err) == (5, True), full.said
        assert "The old database stands as it stood before" in full.err
        assert database.rows("SELECT count(*) FROM big") == ["30"]
        sql = f"SELECT datname FROM pg_database WHERE datname LIKE '{database.name}%'"
        assert server.sql(sql) == database.name
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        again = run(tidegate, project, database, *words)
        assert again.code == 0, again.said
        server.sql(f'DROP DATABASE "{again.out.strip()}"')
        sql = "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace "
        assert server.sql(f"{sql} WHERE datname = '{database.name}'") == space
    finally:
        server.sql(f"ALTER DATABASE {database.name} SET TABLESPACE pg_default")
        server.sql(f"DROP TABLESPACE {space}")


def test_full_while_several_jobs_dump(
    disk: Callable[[int], Path], tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """pg_dump itself runs out of room: it is said of which folder, and nothing of it is left."""
    project, database = make_project("django", 1), fresh("newest")
    project.add(*BIG[:2])
    assert run(tidegate, project, database, "migrate").code == 0
    assert database.server
    small = disk(26)
    words = ("backup", "--to", str(small), "--jobs", "2")
    # The first backup is tiny for its table, so the second is thought to fit, and doesn't.
    for rows in ("repeat('x', 20000000)", "string_agg(md5(random()::text), '') FROM "
                 "generate_series(1, 1600000) g GROUP BY g % 1600"):  # fmt: skip
        database.rows(f"INSERT INTO big SELECT {rows}; SELECT 1")
        database.server.sql("VACUUM ANALYZE", database.name)
        done = run(tidegate, project, database, *words)
    (first,) = json.loads(
        run(tidegate, project, database, "--format", "json", "history", "--state", "done",
            "--kind", "backup").out
    )["runs"]  # fmt: skip
    assert (done.code, f"the disk of {small} is full" in done.err) == (5, True), done.said
    assert [str(one) for one in small.iterdir()] == [first["backup"]["path"]]


def test_full_while_it_is_decrypted(
    disk: Callable[[int], Path], tidegate: Runner, make_project: MakeProject, fresh: Fresh,
    tmp_path: Path,
):  # fmt: skip
    """The folder through which an encrypted backup passes is full: exit 5, nothing is changed."""
    if not shutil.which("age-keygen"):
        pytest.skip("age is not installed")
    key = tmp_path / "key"
    said = subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True, text=True)
    public = said.stderr.split()[-1]
    project, database = make_project("django", 1), fresh("sqlite")
    project.add("CREATE TABLE big (a blob)", "INSERT INTO big VALUES (randomblob(4000000))")
    assert run(tidegate, project, database, "migrate").code == 0
    made = run(tidegate, project, database, "backup", "--recipient", public)
    assert made.code == 0, made.said
    path, small = made.out.splitlines()[-1], disk(2)
    done = run(tidegate, project, database, "backup", "--check", path, "--identity", str(key),
               TIDEGATE_BACKUP_SPOOL=str(small))  # fmt: skip
    assert (done.code, f"the disk of {small} is full" in done.err) == (5, True), done.said
    assert "TIDEGATE_BACKUP_SPOOL" in done.err
    assert list(small.iterdir()) == []


def test_a_full_ledger(
    disk: Callable[[int], Path], tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """The ledger's own disk is full: the steps are applied all the same, and it is said that the
    ledger was not written; when there is room it goes on, and the chain holds."""
    project, database = make_project("django", 1), fresh("newest")
    server = database.server
    assert server
    assert run(tidegate, project, database, "migrate").code == 0
    small = disk(4)
    give_away(small)
    space = f"full_{database.name}"
    server.sql(f"CREATE TABLESPACE {space} LOCATION '{small}'")
    try:
        for table in ("tidegate_run", "tidegate_step"):
            server.sql(f"ALTER TABLE {table} SET TABLESPACE {space}", database.name)
        server.sql("VACUUM FULL tidegate_run", database.name)  # its page has no dead rows to reuse
        filler = small / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        server.sql(UNTIL_FULL, database.name)
        project.add("CREATE TABLE later (id integer)")
        done = run(tidegate, project, database, "migrate")
        assert (done.code, "the ledger was not written" in done.err) == (0, True), done.said
        assert "later" in database.tables()
        filler.unlink()
        project.add("CREATE TABLE last (id integer)")
        assert run(tidegate, project, database, "migrate").code == 0
        assert "last" in database.tables()
    finally:
        filler.unlink(missing_ok=True)
        for table in ("tidegate_run", "tidegate_step"):
            server.sql(f"ALTER TABLE {table} SET TABLESPACE pg_default", database.name)
        server.sql(f"DROP TABLESPACE {space}")
