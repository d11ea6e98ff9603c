"""What databases have beside rows, and who shares a server, a folder or a name with them."""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Database, Ended, Runner
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
WORD = re.compile(r"--approve ([0-9a-f]{12})")
ODD = """
CREATE TABLE st (id serial PRIMARY KEY, s varchar(9) CHECK (s IN ('a', 'b')), at date);
CREATE INDEX st_part ON st (id) WHERE s IN ('a', 'b');
CREATE VIEW stv AS SELECT id FROM st WHERE s IN ('a', 'b');
INSERT INTO st (s) VALUES ('a');
CREATE MATERIALIZED VIEW stale AS SELECT s, count(*) FROM st GROUP BY s;
CREATE MATERIALIZED VIEW never AS SELECT * FROM st WITH NO DATA;
INSERT INTO st (s) VALUES ('b');
CREATE SEQUENCE down INCREMENT -1;
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
COPY public.st FROM '/tmp/x.csv';
END $$;
ALTER TABLE st ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON st TO app_NAME USING (s = 'a');
SELECT lo_from_bytea(0, 'large');
"""
OWN = """
ALTER DATABASE NAME CONNECTION LIMIT 77;
COMMENT ON DATABASE NAME IS 'it''s the shop';
GRANT CONNECT ON DATABASE NAME TO app_NAME WITH GRANT OPTION;
"""


def run(tidegate: Runner, project: SmallProject, database: Database, *words: str,
        **env: str) -> Ended:  # fmt: skip
    return tidegate(*words, cwd=project.root, env={**database.environ, **env}, timeout=120)


def well(tidegate: Runner, project: SmallProject, database: Database, *words: str,
         **env: str) -> Ended:  # fmt: skip
    done = run(tidegate, project, database, *words, **env)
    assert done.code == 0, done.said
    return done


def word_of(asked: Ended) -> str:
    found = WORD.search(asked.err)
    assert asked.code == 6 and found, asked.said
    return found[1]


@pytest.fixture
def shop(tidegate: Runner, make_project: MakeProject) -> Callable[[Database], SmallProject]:
    """A project of one table `sold`; each database is migrated."""
    project = make_project("django", 0)
    project.add("CREATE TABLE sold (id integer)")

    def migrated(database: Database) -> SmallProject:
        well(tidegate, project, database, "migrate")
        return project

    return migrated


@pytest.fixture
def odd(shop: Callable[[Database], SmallProject], fresh: Fresh) -> Iterator[
    tuple[SmallProject, Database]
]:  # fmt: skip
    """A database with all that comes back in other words than it went."""
    database = fresh("newest")
    project, server, name = shop(database), database.server, database.name
    assert server
    server.sql(f"CREATE ROLE app_{name}")
    server.sql(ODD.replace("NAME", name), name)
    server.sql(OWN.replace("NAME", name))
    yield project, database
    for (one,) in [row.split("|") for row in
                   server.sql(f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%'")
                   .splitlines()]:  # fmt: skip
        server.sql(f"DROP OWNED BY app_{name}", one)
        if one != name:
            server.sql(f'DROP DATABASE "{one}" WITH (FORCE)')
    server.sql(f"DROP ROLE app_{name}")


def about(database: Database) -> str:
    assert database.server
    return database.server.sql(
        "SELECT datconnlimit, shobj_description(oid, 'pg_database'), ARRAY(SELECT a::text FROM "
        f"unnest(datacl) a ORDER BY 1) FROM pg_database WHERE datname = '{database.name}'"
    )


def test_what_comes_back_in_other_words(tidegate: Runner, odd: tuple[SmallProject, Database]):
    """A CHECK over a varchar, a stale view, a falling sequence, a policy for a role: all of it is
    proved on another server and comes back, and the database has its limit, comment and grants."""
    project, database = odd
    before = about(database)
    assert before.startswith("77|it's the shop|")
    done = well(tidegate, project, database, "backup", "--verify", "full")
    path = done.out.splitlines()[-1]
    asked = run(tidegate, project, database, "restore", path)
    assert "No row was written or changed since" in asked.err
    seen: list[str] = []
    done_it = threading.Event()

    def watch() -> None:  # as a container that starts at once
        kept = f"SELECT count(*) FROM pg_database WHERE datname LIKE '{database.name}_before_%'"
        while not seen and not done_it.is_set():
            assert database.server
            if database.server.sql(kept) == "1":
                seen.extend(database.rows("SELECT kind FROM tidegate_run WHERE kind = 'restore'")
                            or ["nothing"])  # fmt: skip

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        well(tidegate, project, database, "restore", path, "--approve", word_of(asked))
    finally:
        done_it.set()
        watching.join()
    assert about(database) == before
    assert database.rows("SELECT count(*) FROM st") == ["2"]
    assert seen in ([], ["restore"])  # the ledger is written before the names change


def test_what_is_lost(tidegate: Runner, odd: tuple[SmallProject, Database]):
    """Rows of a transaction that was open at the backup, of its savepoint, and of a table that is
    newer than the backup are counted."""
    project, database = odd
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(database.url) as opened:
        opened.execute("INSERT INTO sold SELECT generate_series(1, 20)")
        with opened.transaction():
            opened.execute("INSERT INTO sold SELECT generate_series(1, 30)")
        database.rows("INSERT INTO sold VALUES (0); SELECT 1")  # this one is in the backup
        path = well(tidegate, project, database, "backup").out.splitlines()[-1]
    database.rows("CREATE TABLE newer AS SELECT generate_series(1, 33) AS id")
    said = run(tidegate, project, database, "restore", path).err
    assert "public.newer: 33 rows written or changed since" in said
    assert "public.sold: 20 rows written or changed since" in said, said
    assert "public.sold: up to 31 rows more, by transactions that were open" in said


def test_a_copy_leaves_the_project_alone(
    tidegate: Runner, shop: Callable[[Database], SmallProject], fresh: Fresh
):
    """`restore --into` goes where it says, also where a direct way to the project is set."""
    database = fresh("newest")
    project, server, copy = shop(database), database.server, f"{database.name}_copy"
    assert server
    path = well(tidegate, project, database, "backup").out.splitlines()[-1]
    database.rows("INSERT INTO sold VALUES (7); SELECT 1")
    words = ("restore", path, "--into", server.url(dbname=copy))
    well(tidegate, project, database, *words, TIDEGATE_DIRECT_URL=database.url)
    assert database.rows("SELECT count(*) FROM sold") == ["1"]
    assert server.sql("SELECT count(*) FROM sold", copy) == "0"
    server.sql(f"DROP DATABASE {copy}")


def test_two_databases_in_one_folder(
    tidegate: Runner, shop: Callable[[Database], SmallProject], fresh: Fresh, tmp_path: Path
):
    """A stage and production keep theirs in one place: neither removes the other's, nor goes back
    to it unless a person names the folder."""
    stage, production = fresh("newest"), fresh("newest")
    project = shop(stage)
    shop(production)
    folder = ("--to", str(tmp_path / "all"), "--keep", "1")
    theirs = well(tidegate, project, stage, "backup", *folder).out.strip()
    ours = well(tidegate, project, production, "backup", *folder).out.strip()
    assert Path(theirs).is_dir()
    again = well(tidegate, project, stage, "backup", *folder).out.strip()
    assert (Path(theirs).exists(), Path(ours).is_dir()) == (False, True)
    step = project.add("CREATE TABLE more (id integer)")
    well(tidegate, project, production, "migrate")
    plan = ("rollback", "--to", project.ids[0], "--plan")
    env = {"TIDEGATE_BACKUP_DIR": str(tmp_path / "all")}
    said = well(tidegate, project, production, *plan, **env).out
    assert (f"undo {step}" in said, f"way backup {ours}: taken" in said) == (True, True), said
    shutil.rmtree(ours)
    said = well(tidegate, project, production, *plan, **env).out
    assert f"there is one of another database, {stage.name}" in said
    assert "only forward is left" in said
    said = well(tidegate, project, production, *plan, "--from", str(tmp_path / "all")).out
    assert f"way backup {again}: taken" in said
    assert f"The backup is of another database: {stage.name}." in said


def test_rows_that_the_role_may_not_see(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """With row level security forced on it, a full table looks empty to its owner: it is not
    dropped as one that holds nothing, and no backup is made without its rows."""
    from support.projects import put

    database = fresh("newest")
    server, name = database.server, database.name
    assert server
    project = SmallProject(tmp_path / "app", "django", 1)
    put(project.root / "shop/migrations/0002_note.py",
        "from django.db import migrations, models\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('shop', '0001_step')]\n    operations = [migrations.CreateModel("
        "'Note', [('id', models.BigAutoField(primary_key=True))])]\n")  # fmt: skip
    server.sql(f"CREATE ROLE owner_{name} LOGIN PASSWORD 's3cret'; "
               f"ALTER DATABASE {name} OWNER TO owner_{name}")  # fmt: skip
    own = Database(server.url(f"owner_{name}", "s3cret", name), name, server)
    try:
        well(tidegate, project, own, "migrate")
        server.sql("ALTER TABLE shop_note ENABLE ROW LEVEL SECURITY; ALTER TABLE shop_note "
                   "FORCE ROW LEVEL SECURITY; INSERT INTO shop_note VALUES (1)", name)  # fmt: skip
        done = run(tidegate, project, own, "rollback", "--to", "shop.0001_step", "--safe")
        assert (done.code, "its rows can't be counted" in done.err) == (6, True), done.said
        assert server.sql("SELECT count(*) FROM shop_note", name) == "1"
        done = run(tidegate, project, own, "backup")
        hidden = f"row level security hides rows of public.shop_note from owner_{name}"
        assert (done.code, hidden in done.err) == (6, True), done.said
    finally:
        server.sql(f"ALTER DATABASE {name} OWNER TO postgres")
        server.sql(f"REASSIGN OWNED BY owner_{name} TO postgres; DROP OWNED BY owner_{name}", name)
        server.sql(f"DROP ROLE owner_{name}")


def test_an_odd_path(tidegate: Runner, shop: Callable[[Database], SmallProject], tmp_path: Path):
    """A SQLite file whose path has what a URL means something by is proved by its own rows, and
    nothing is left beside the copy of one in WAL mode."""
    folder = tmp_path / "a?b#c%41"
    folder.mkdir()
    database = Database(f"sqlite:///{folder}/db.sqlite3", f"{folder}/db.sqlite3")
    project = shop(database)
    with sqlite3.connect(database.name) as file:
        file.execute("INSERT INTO sold VALUES (1), (2)")
        file.execute("PRAGMA journal_mode = wal")
    file.close()
    done = well(tidegate, project, database, "backup", "--to", str(folder / "kept"))
    assert "read back: 5 rows of 4 tables" in done.err, done.said
    names = {one.name for one in Path(done.out.strip()).iterdir()}
    assert names == {"SHA256SUMS", "data.sqlite3", "manifest.json"}


def test_a_file_that_is_damaged(
    tidegate: Runner, shop: Callable[[Database], SmallProject], fresh: Fresh
):
    """What a backup is for: the file is kept as it is, and the backup has its name."""
    database = fresh("sqlite")
    project = shop(database)
    path = well(tidegate, project, database, "backup").out.splitlines()[-1]
    what = b"no database at all" * 200
    Path(database.name).write_bytes(what)
    word = word_of(run(tidegate, project, database, "restore", path))
    kept = well(tidegate, project, database, "restore", path, "--approve", word).out.strip()
    assert Path(kept).read_bytes() == what
    assert database.rows("SELECT count(*) FROM sold") == ["0"]
    assert " restore  done" in well(tidegate, project, database, "history", "--verify").out
