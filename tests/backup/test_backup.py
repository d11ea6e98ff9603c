"""Backups of real databases: made, proved, damaged, killed, and before migrations."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Ended, Runner, eventually
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

RICH = (
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    'CREATE TABLE "Odd name" (id serial PRIMARY KEY, "text" text NOT NULL, feels mood)',
    "INSERT INTO \"Odd name\" (text, feels) SELECT md5(g::text) || E'\\n\\\\.', 'good' "
    "FROM generate_series(1, 3000) g",
    'CREATE INDEX odd_text ON "Odd name" (text)',
    'CREATE VIEW short AS SELECT id FROM "Odd name" WHERE id < 10',
    'CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM "Odd name"',
    "CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 2'",
)
PLAIN = (
    "CREATE TABLE odd (id integer PRIMARY KEY, text varchar(80))",
    "INSERT INTO odd WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 3000)"
    " SELECT i, 'row ' || i FROM g",
)


def rich(project: SmallProject, database: Database) -> None:
    project.add(*(RICH if database.server else PLAIN), name="rich")


def run(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Ended:
    return tidegate(*words, cwd=project.root, env=database.environ)


def migrate(tidegate: Runner, project: SmallProject, database: Database) -> None:
    done = run(tidegate, project, database, "migrate")
    assert done.code == 0, done.said


def backup(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Path:
    done = run(tidegate, project, database, "backup", *words)
    assert done.code == 0, done.said
    return Path(done.out.splitlines()[-1])


@pytest.mark.parametrize("which", ["newest", "oldest", "sqlite"])
def test_a_full_backup(which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Restored into a scratch server and compared; private; its receipt is in the ledger."""
    project, database = make_project("django", 1), fresh(which)
    rich(project, database)
    migrate(tidegate, project, database)
    done = run(tidegate, project, database, "--format", "json", "backup", "--verify", "full")
    assert done.code == 0, done.said
    (receipt,) = json.loads(done.out)["backups"]
    path = Path(receipt["path"])
    modes = {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()}
    assert (stat.S_IMODE(path.stat().st_mode), modes) == (0o700, {0o600})
    manifest = json.loads((path / "manifest.json").read_text())
    odd = "public.Odd name" if database.server else "odd"
    assert manifest["tables"][odd] == 3000
    assert set(manifest["level"]) == set(project.ids)
    found = json.loads(run(tidegate, project, database, "--format", "json", "history").out)
    run_of_it = found["runs"][0]
    assert (run_of_it["kind"], run_of_it["state"]) == ("backup", "done")
    assert run_of_it["backup"]["digest"] == receipt["digest"]
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=path, check=False,
                             capture_output=True)  # fmt: skip
    assert checked.returncode == 0
    if database.server:
        major = manifest["server"].split(".")[0]
        assert manifest["tool"].startswith(f"pg_dump {major}")


@pytest.fixture(scope="module")
def whole(
    servers: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One good backup of each kind, to be damaged in copies."""
    out = {}
    for which in ("newest", "sqlite"):
        folder = tmp_path_factory.mktemp(f"whole-{which}")
        project = SmallProject(folder / "app", "django", 1)
        name = f"whole_{which}"
        if which == "sqlite":
            database = Database(f"sqlite:///{folder}/db.sqlite3", f"{folder}/db.sqlite3")
        else:
            server = servers(which)
            server.sql(f"CREATE DATABASE {name}")
            database = Database(server.url(dbname=name), name, server)
        rich(project, database)
        (folder / "runs").mkdir()
        runner = Runner(folder / "runs")
        migrate(runner, project, database)
        out[which] = backup(runner, project, database)
        runner.close()
    return out


def damage(rng: random.Random, file: Path, how: str) -> str:
    data = bytearray(file.read_bytes())
    if how == "cut":
        size = rng.randrange(len(data))
        file.write_bytes(data[:size])
        return f"{file.name} cut to {size} of {len(data)}"
    at, bit = rng.randrange(len(data)), rng.randrange(8)
    data[at] ^= 1 << bit
    file.write_bytes(data)
    return f"{file.name} byte {at} bit {bit}"


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_every_cut_and_flip_is_refused(which: str, whole: dict[str, Path], tmp_path: Path):
    """200 random cuts and 200 flipped bits, in any of the files: each is refused."""
    from tidegate.container.backup.archive import Damaged, check_digests

    rng = random.Random(which)
    good = whole[which]
    check_digests(good)
    names = [one.name for one in good.iterdir()]
    for number in range(400):
        copy = tmp_path / "copy"
        shutil.copytree(good, copy)
        name = rng.choice(names) if number % 4 else next(n for n in names if n.startswith("data"))
        what = damage(rng, copy / name, "cut" if number < 200 else "flip")
        with pytest.raises(Damaged):
            check_digests(copy)
            pytest.fail(f"passed: {what}")
        shutil.rmtree(copy)


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_the_read_back_stands_by_itself(
    which: str, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An archive that was cut before its digest was taken is refused by reading it back."""
    from tidegate.container.backup import archive, proving

    copy = tmp_path / "copy"
    shutil.copytree(whole[which], copy)
    found = archive.open_backup(copy)
    data = found.data.read_bytes()
    (copy / "SHA256SUMS").unlink()
    (copy / "manifest.json").unlink()
    draft = archive.Draft(copy)
    found.data.unlink()
    with draft.file(found.data.name, lambda count: None) as out:
        out.write(data[: len(data) * 6 // 10])
    manifest = {k: v for k, v in found.manifest.items() if k not in ("files", "form")}
    forged = draft.finish(tmp_path / "forged", manifest)
    archive.check_digests(forged.path)
    with pytest.raises(archive.Damaged):
        proving.prove(forged, "quick", "", os.environ)


def test_a_backup_that_lacks_rows_is_refused(whole: dict[str, Path], tmp_path: Path):
    """Quick verification counts the archive's rows against the database's."""
    from tidegate.container.backup import archive, pgread

    found = archive.open_backup(whole["newest"])
    found.manifest["tables"]["public.Odd name"] += 1
    with pytest.raises(archive.Damaged, match="does not hold all"):
        pgread.read_back(found, os.environ)


def test_check_says_which(tidegate: Runner, whole: dict[str, Path], tmp_path: Path):
    """`backup --check` says good or names what is damaged, with exit code 5."""
    words = ("backup", "--check", str(whole["newest"]))
    done = tidegate(*words, "--verify", "full", cwd=tmp_path, env={}, timeout=120)
    assert (done.code, "good (full)" in done.err) == (0, True), done.said
    copy = tmp_path / "copy"
    shutil.copytree(whole["newest"], copy)
    (data,) = copy.glob("data*")
    damage(random.Random(1), data, "flip")
    done = tidegate("backup", "--check", str(copy), cwd=tmp_path, env={})
    assert (done.code, f"{data.name} is not what was written" in done.err) == (5, True), done.said


def test_programs_in_a_closed_folder(
    tidegate: Runner, whole: dict[str, Path], servers: Callable[[str], Any], tmp_path: Path
):
    """A full verification by root works with programs that only root may reach."""
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    bindir = servers("newest").bindir
    copy = closed.joinpath(*bindir.parts[-3:-1])
    shutil.copytree(bindir.parent, copy, symlinks=True)
    libraries = bindir.parents[1].with_suffix(".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name, symlinks=True)
    env = {"TIDEGATE_PG_BIN": str(copy / bindir.name)}
    words = ("backup", "--check", str(whole["newest"]), "--verify", "full")
    done = tidegate(*words, cwd=tmp_path, env=env, timeout=120)
    assert (done.code, "good (full)" in done.err) == (0, True), done.said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_pg_dump_leaves_nothing(
    number: int, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """pg_dump is killed in the middle of the dump: it is said, and nothing has a name."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    database.rows("CREATE TABLE slow (id int); INSERT INTO slow VALUES (1); SELECT 1")
    # pg_dump waits for the lock of this table.
    lock = subprocess.Popen(
        ["psql", database.url, "-qXc", "BEGIN; LOCK TABLE slow IN ACCESS EXCLUSIVE MODE; "
         "SELECT pg_sleep(60)"], stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        eventually(lambda: database.rows(held), what="the lock")
        started = tidegate.start("backup", cwd=project.root, env=database.environ)
        dumping = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tidegate backup'"
        eventually(lambda: database.rows(dumping), what="the dump")
        os.kill(program_of(started.pid, "pg_dump"), number)
        done = started.end()
        assert (done.code, "pg_dump failed" in done.err) == (5, True), done.said
    finally:
        lock.kill()
        lock.wait()
    assert list((project.root / "backups").iterdir()) == []


A_DAY_AHEAD = """
import datetime

class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=1)

datetime.datetime = Ahead
"""


def test_a_clock_that_is_ahead(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """A backup made by a machine whose clock is wrong is of the server's time, so that one made
    later by another machine is the newer one."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    (tmp_path / "sitecustomize.py").write_text(A_DAY_AHEAD)
    done = tidegate("backup", cwd=project.root,
                    env={**database.environ, "PYTHONPATH": str(tmp_path)})  # fmt: skip
    assert done.code == 0, done.said
    path = Path(done.out.splitlines()[-1])
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y%m%d")
    assert f"-{tomorrow}T" in path.name, "its clock is ahead"
    made = datetime.fromisoformat(json.loads((path / "manifest.json").read_text())["created"])
    assert abs(datetime.now(UTC) - made) < timedelta(hours=2)


def test_killed_at_any_point(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """tidegate is killed at ten random moments of a backup: what has the name of a backup is whole,
    and the next one clears away what was left."""
    from tidegate.container.backup.archive import check_digests

    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 300000); SELECT 1")
    whole = run(tidegate, project, database, "backup")
    assert whole.code == 0, whole.said
    rng, folder = random.Random(11), project.root / "backups"
    for number in range(10):
        started = tidegate.start("backup", cwd=project.root, env=database.environ)
        time.sleep(rng.uniform(0.1, 0.9) * whole.seconds)  # the moment is the point of this test
        started.signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        started.process.wait(60)
        for one in folder.iterdir():
            if not one.name.startswith(".part-"):
                check_digests(one)
    backup(tidegate, project, database)
    assert [one.name for one in folder.iterdir() if one.name.startswith(".part-")] == []


def program_of(parent: int, name: str) -> int:
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text()
        except OSError:
            continue
        if f"({name})" in fields and int(fields.rsplit(")", 1)[1].split()[1]) == parent:
            return int(entry.name)
    raise AssertionError(f"{parent} has no {name}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)],
                             check=False, capture_output=True)  # fmt: skip
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


RANDOM = (
    "INSERT INTO big SELECT string_agg(md5(random()::text), '') "
    "FROM generate_series(1, 1600000) g GROUP BY g % 700; SELECT 1"
)


def test_a_disk_that_is_too_small(
    small_disk: Path, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """What can't fit is refused before; what fills the disk all the same leaves nothing."""
    project, database = make_project("django", 1), fresh("newest")
    project.add("CREATE TABLE big (a text); ALTER TABLE big ALTER a SET STORAGE EXTERNAL")
    migrate(tidegate, project, database)
    filler = small_disk / "filler"
    words = ("backup", "--to", str(small_disk))
    filler.write_bytes(b"x" * (12 << 20))
    done = run(tidegate, project, database, *words)
    assert (done.code, "free, and the backup of default needs" in done.err) == (6, True), done.said
    assert list(small_disk.iterdir()) == [filler]
    filler.unlink()
    # The first backup is tiny for its table, so the second is thought to fit, and doesn't.
    database.rows("INSERT INTO big SELECT repeat('x', 20000000); SELECT 1")
    assert database.server
    database.server.sql("VACUUM ANALYZE", database.name)
    first = Path(run(tidegate, project, database, *words).out.strip())
    assert first.name in {one.name for one in small_disk.iterdir()}
    database.rows(RANDOM)
    database.server.sql("VACUUM ANALYZE", database.name)
    filler.write_bytes(b"x" * (5 << 20))
    full = run(tidegate, project, database, *words)
    assert (full.code, f"the disk of {small_disk} is full" in full.err) == (5, True), full.said
    assert {one.name for one in small_disk.iterdir()} == {first.name, filler.name}


def test_retention(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """--keep keeps the newest so many, --days those of so many days; other folders in the place are
    left alone."""
    project, database = make_project("django", 1), fresh("sqlite")
    migrate(tidegate, project, database)
    other = project.root / "backups" / "default-by-hand"
    other.mkdir(parents=True)
    made = []
    for _ in range(3):
        made.append(backup(tidegate, project, database, "--keep", "2").name)
        database_touch(database)
        time.sleep(1.05)  # names are by the second
    folder = project.root / "backups"
    assert {one.name for one in folder.iterdir()} == {other.name, *made[1:]}
    for name in made[1:]:  # both are of ten days ago, from now on
        manifest = json.loads((folder / name / "manifest.json").read_text())
        manifest["created"] = (datetime.now(UTC) - timedelta(days=10)).isoformat()
        (folder / name / "manifest.json").write_text(json.dumps(manifest))
    last = backup(tidegate, project, database, "--days", "11").name
    assert {one.name for one in folder.iterdir()} == {other.name, *made[1:], last}
    newest = backup(tidegate, project, database, "--days", "9").name
    assert {one.name for one in folder.iterdir()} == {other.name, last, newest}


def database_touch(database: Database) -> None:
    with sqlite3.connect(database.name) as file:
        file.execute("INSERT INTO made_1 VALUES (1)")
    file.close()


def test_while_it_is_written_to(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A SQLite file with a writer that does not rest is copied as it was at one moment."""
    project, database = make_project("django", 1), fresh("sqlite")
    project.add("CREATE TABLE pairs (a integer, b integer)")
    migrate(tidegate, project, database)
    script = (
        "import sqlite3, sys, time\n"
        "f = sqlite3.connect(sys.argv[1], timeout=30)\nf.execute('PRAGMA journal_mode=WAL')\n"
        "i = 0\nwhile True:\n    i += 1\n"
        "    with f: f.execute('INSERT INTO pairs VALUES (?, ?)', (i, 0)); "
        "f.execute('UPDATE pairs SET b = a')\n    i > 400 and time.sleep(0.01)\n"
    )
    writer = subprocess.Popen(["python3", "-c", script, database.name])
    try:
        eventually(lambda: int(database.rows("SELECT count(*) FROM pairs")[0]) > 50)
        path = backup(tidegate, project, database)
    finally:
        writer.kill()
        writer.wait()
    copy = sqlite3.connect(path / "data.sqlite3")
    assert copy.execute("SELECT count(*) FROM pairs WHERE a <> b").fetchone() == (0,)
    assert copy.execute("SELECT count(*) > 50 FROM pairs").fetchone() == (1,)
    copy.close()


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_before_a_migration(which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """AUTO_BACKUP=true: the backup holds the level before, and the run names it; none is made
    when nothing is pending."""
    project, database = make_project("alembic", 1), fresh(which)
    env = {**database.environ, "AUTO_BACKUP": "true"}
    first = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (first.code, first.out) == (0, "app started\n"), first.said
    project.add("CREATE TABLE later (id integer)")
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert done.code == 0, done.said
    found = json.loads(run(tidegate, project, database, "--format", "json", "history").out)
    receipt = found["runs"][0]["backup"]
    manifest = json.loads((Path(receipt["path"]) / "manifest.json").read_text())
    assert manifest["level"] == project.ids[:1]
    count = len(list((project.root / "backups").iterdir()))
    again = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert again.code == 0
    assert len(list((project.root / "backups").iterdir())) == count


AUTO = {
    "django": ("migrations.RunSQL('ALTER TABLE made_1 ADD a integer', 'SELECT 1')",
               "migrations.RunSQL('ALTER TABLE made_1 DROP COLUMN a', 'SELECT 1')"),
    "alembic": ("op.add_column('made_1', sa.Column('a', sa.Integer))",
                "op.drop_column('made_1', 'a')"),
}  # fmt: skip


@pytest.mark.parametrize("flavour", ["django", "alembic"])
def test_auto_backs_up_what_takes_data_away(
    flavour: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """With a folder named and nothing else asked for: none before a column is added, one before
    it is dropped."""
    project, database = make_project(flavour, 1), fresh("newest")
    file = project.files[project.ids[0]]
    if flavour == "django":
        file.write_text(file.read_text().replace("(id integer)')", "(id integer)', 'SELECT 1')"))
    else:
        file.write_text(file.read_text().replace("    pass", "    op.execute('SELECT 1')"))
    folder = project.root / "kept"
    env = {**database.environ, "TIDEGATE_BACKUP_DIR": str(folder)}
    assert tidegate("boot", "--", *APP, cwd=project.root, env=env).code == 0
    for expected, operation in enumerate(AUTO[flavour]):
        step = project.files[project.add("SELECT 1")]
        text = step.read_text()
        if flavour == "django":
            text = text.replace("migrations.RunSQL('SELECT 1')", operation)
        else:
            text = "import sqlalchemy as sa\n" + text.replace("op.execute('SELECT 1')", operation)
            text = text.replace("    pass", "    op.execute('SELECT 1')")
        step.write_text(text)
        done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
        assert done.code == 0, done.said
        assert (len(list(folder.iterdir())) if folder.exists() else 0) == expected, operation


def test_without_a_fitting_pg_dump(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """In an image without pg_dump, or with an older one, nothing is applied, and it is said what
    to install."""
    project, database = make_project("django"), fresh("newest")
    env = {**database.environ, "AUTO_BACKUP": "true", "TIDEGATE_PG_BIN": str(tmp_path)}
    none = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (none.code, "there is no pg_dump here" in none.err) == (6, True), none.said
    assert "postgresql-client-" in none.err
    older = tmp_path / "pg_dump"
    older.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.3'\n")
    older.chmod(0o755)
    old = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (old.code, "pg_dump 12.3" in old.err) == (6, True), old.said
    assert database.tables() == []


def test_nowhere_to_restore_it(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A full verification without a server that it could use is refused before anything is dumped:
    programs without a server's, and a server that is older than the database's."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    assert database.server
    clients = project.root / "clients"
    clients.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (clients / name).symlink_to(database.server.bindir / name)
    env = {**database.environ, "TIDEGATE_PG_BIN": str(clients)}
    none = tidegate("backup", "--verify", "full", cwd=project.root, env=env)
    assert (none.code, "or newer here to restore the backup into" in none.err) == (6, True)
    older = run(tidegate, project, database, "backup", "--verify", "full", "--scratch",
                fresh("oldest").url)  # fmt: skip
    assert (older.code, "No backup was begun" in older.err) == (6, True), older.said
    assert not list((project.root / "backups").glob("*"))


def test_migrations_wait_for_a_backup(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """While a backup is made nobody migrates; an app with nothing to migrate starts. Whoever keeps
    the backup from a table is named."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    lock = subprocess.Popen(
        ["psql", database.url, "-qXc", "BEGIN; LOCK TABLE made_1 IN ACCESS EXCLUSIVE MODE; "
         "SELECT pg_sleep(60)"], stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        eventually(lambda: database.rows(held), what="the lock")
        dumping = tidegate.start("backup", cwd=project.root, env=database.environ)
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tidegate backup'"
        eventually(lambda: database.rows(asked), what="the dump")
        dumping.until("waits for ACCESS SHARE on made_1, 60 s at most. In the way: server process")
        idle = tidegate("boot", "--", *APP, cwd=project.root, env=database.environ)
        assert idle.code == 0, idle.said
        project.add("CREATE TABLE later (id integer)")
        booting = tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ)
        booting.until("migrates; wait")
        assert "later" not in database.tables()
    finally:
        lock.kill()
        lock.wait()
    assert database.server
    database.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")  # fmt: skip
    assert dumping.end().code == 0
    assert booting.end().code == 0
    assert "later" in database.tables()


@pytest.mark.parametrize("patient", [True, False])
def test_migrations_wait_for_a_dump_of_somebody_else(
    patient: bool, tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """While a pg_dump holds its locks a migration asks for none; then it is refused."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    pipe = project.root / "pipe"
    os.mkfifo(pipe)
    # Nobody reads the pipe yet, so this pg_dump stays in the middle of its work.
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 200000); SELECT 1")
    server = database.server
    assert server
    dump = subprocess.Popen(
        [server.bindir / "pg_dump", "-d", database.url, "-f", pipe], stderr=subprocess.DEVNULL
    )
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        running = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump'"
        eventually(lambda: database.rows(running), what="the dump")
        project.add("ALTER TABLE made_1 ADD COLUMN more integer")
        flags = () if patient else ("--timeout", "2")
        booting = tidegate.start("migrate", *flags, cwd=project.root, env=database.environ)
        booting.until("is running; wait for its end")
        if patient:
            dump.kill()
        done = booting.end()
    finally:
        dump.kill()
        dump.wait()
        os.close(reader)
    assert done.code == (0 if patient else 7), done.said
    sql = "SELECT 1 FROM information_schema.columns WHERE column_name = 'more'"
    assert database.rows(sql) == (["1"] if patient else [])


def test_a_dump_that_begins_during_the_backup(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """Somebody else's pg_dump that began while the backup was made is waited for as well."""
    project, database = make_project("django", 1), fresh("newest")
    migrate(tidegate, project, database)
    server, pipe = database.server, project.root / "pipe"
    assert server
    os.mkfifo(pipe)
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 200000); SELECT 1")
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    command = "sh -c 'touch begun; until [ -e go ]; do sleep 0.05; done; echo done'"
    env = {**database.environ, "AUTO_BACKUP": "true", "TIDEGATE_BACKUP_COMMAND": command}
    booting = tidegate.start("boot", "--", *APP, cwd=project.root, env=env)
    eventually((project.root / "begun").exists, what="the backup")
    dump = subprocess.Popen(
        [server.bindir / "pg_dump", "-d", database.url, "-f", pipe], stderr=subprocess.DEVNULL
    )
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        running = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump'"
        eventually(lambda: database.rows(running), what="the dump")
        (project.root / "go").touch()
        booting.until("is running; wait for its end")
    finally:
        dump.kill()
        dump.wait()
        os.close(reader)
    assert booting.end().code == 0
    sql = "SELECT 1 FROM information_schema.columns WHERE column_name = 'more'"
    assert database.rows(sql) == ["1"]


def test_a_project_in_a_folder_below(tidegate: Runner, fresh: Fresh, tmp_path: Path):
    """Boot and backup read the settings, and put backups, where tidegate is run."""
    project, database = SmallProject(tmp_path / "app", "django", 1), fresh("sqlite")
    (tmp_path / "tidegate.toml").write_text("[backup]\ndir = 'kept'\n")
    for words in (("boot", "--backup", "always", "--", *APP), ("backup",)):
        done = tidegate(*words, cwd=tmp_path, env=database.environ)
        assert done.code == 0, done.said
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert not (project.root / "backups").exists()


def test_the_sites_own_command(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A command in place of ours: its last line is the receipt; if it fails nothing is applied."""
    project, database = make_project("django", 1), fresh("newest")
    env = {**database.environ, "AUTO_BACKUP": "true"}
    bad = {**env, "TIDEGATE_BACKUP_COMMAND": "sh -c 'echo no room >&2; exit 3'"}
    refused = tidegate("boot", "--", *APP, cwd=project.root, env=bad)
    assert (refused.code, "sh failed: no room" in refused.err) == (5, True), refused.said
    assert database.tables() == []
    good = {**env, "TIDEGATE_BACKUP_COMMAND": "sh -c 'echo snapshot of $PGDATABASE'"}
    done = tidegate("boot", "--", *APP, cwd=project.root, env=good)
    assert done.code == 0, done.said
    found = json.loads(run(tidegate, project, database, "--format", "json", "history").out)
    assert found["runs"][0]["backup"]["label"] == f"snapshot of {database.name}"


def test_what_the_site_has_is_recognised(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A server whose log pgBackRest keeps: a backup says so, with the way to run it instead, and
    nothing else of the setting; the receipt of the site's own command names its tool."""
    project, database = make_project("django", 1), fresh("spare")
    server = database.server
    assert server
    archiving = {
        "archive_mode": "on",
        "archive_command": "PGPASS=hidden /usr/bin/pgbackrest --stanza=x archive-push %p",
    }
    server.settings.update(archiving)  # fmt: skip
    server.restart()
    try:
        migrate(tidegate, project, database)
        done = run(tidegate, project, database, "backup")
        said = "the server's log is kept by pgBackRest; TIDEGATE_BACKUP_COMMAND runs it"
        assert (done.code, said in done.err, "hidden" in done.err) == (0, True, False), done.said
    finally:
        for name in archiving:
            del server.settings[name]
        server.restart()
    silent = run(tidegate, project, database, "backup")
    assert (silent.code, "log is kept" in silent.err) == (0, False), silent.said
    program = project.root / "wal-g"
    program.write_text("#!/bin/sh\necho base_000000010000000000000005\n")
    program.chmod(0o755)
    env = {**database.environ, "TIDEGATE_BACKUP_COMMAND": f"{program} backup-push"}
    own = tidegate("backup", cwd=project.root, env=env)
    assert own.code == 0, own.said
    found = json.loads(run(tidegate, project, database, "--format", "json", "history").out)
    receipt = found["runs"][0]["backup"]
    assert (receipt["tool"], receipt["label"]) == ("WAL-G", "base_000000010000000000000005")


def test_wrong_settings(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Bad words and a setting that does not exist are exit code 2."""
    project, database = make_project("django", 1), fresh("sqlite")
    for words in (("--verify", "no"), ("--keep", "x"), ("--nope", "1"), ("word",)):
        assert run(tidegate, project, database, "backup", *words).code == 2
    (project.root / "tidegate.toml").write_text("[backup]\nfolder = 'x'\n")
    done = run(tidegate, project, database, "backup")
    assert (done.code, "has no setting folder" in done.err) == (2, True), done.said
