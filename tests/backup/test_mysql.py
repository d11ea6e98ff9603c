"""MariaDB, for MySQL's family: backed up by its own dump, proved, and brought back by renaming."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from support.gate import Ended, Runner
from support.mariadb import MariaDB, missing
from support.projects import SmallProject
from tidegate.container.backup.archive import Backup, Damaged
from tidegate.container.backup.mysql import dumping, restoring
from tidegate.errors import PolicyRefused

pytest.importorskip("pymysql")
MakeProject = Callable[..., SmallProject]
PASSWORD = "secret-of-the-shop-7"
ROWS = 3000
SCHEMA = (
    "CREATE TABLE customer (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60), photo blob)",
    "CREATE TABLE `odd ``name (` (id int PRIMARY KEY, customer int NOT NULL, note text, "
    "twice int AS (id * 2), FOREIGN KEY (customer) REFERENCES customer (id) ON DELETE CASCADE)",
    "CREATE TABLE nothing (id int PRIMARY KEY)",
    "INSERT INTO customer (name, photo) VALUES ('Mei', x'00ff0a27'), ('O''Neil;\n),(', NULL)",
    "INSERT INTO `odd ``name (` (id, customer, note) "
    "SELECT seq, 1 + seq % 2, CONCAT('a\nline \\\\'' ),( ', seq) FROM seq_1_to_" + str(ROWS),
)
CODE = (
    "CREATE TABLE audit (what varchar(80))",
    "CREATE TRIGGER seen AFTER INSERT ON customer FOR EACH ROW\nBEGIN\n"
    "INSERT INTO `audit` VALUES (NEW.name);\nEND",
    "CREATE VIEW buyers AS SELECT c.name, count(*) n FROM customer c "
    "JOIN `odd ``name (` o ON o.customer = c.id GROUP BY c.name",
    "CREATE FUNCTION twice(a int) RETURNS int DETERMINISTIC RETURN a * 2",
    "CREATE EVENT weekly ON SCHEDULE EVERY 1 WEEK DO DELETE FROM audit",
)
COUNT = "SELECT count(*) FROM `odd ``name (`"


class Shop:
    """A project on a database of its own, made by its steps' SQL."""

    def __init__(
        self, tidegate: Runner, project: SmallProject, server: MariaDB, *more: str
    ) -> None:
        self.run_it, self.project, self.server = tidegate, project, server
        self.env: dict[str, str] = {}
        self.name = server.database()
        self.user = f"of_{self.name}"
        for pattern in (self.name, self.name.replace("_", r"\_") + r"\_%"):
            server.sql(f"GRANT ALL ON `{pattern}`.* TO '{self.user}'@'%' "
                       f"IDENTIFIED BY '{PASSWORD}'")  # fmt: skip
        self.url = server.url(self.name, f"{self.user}:{PASSWORD}")
        for sql in (*SCHEMA, *more):
            self.sql(sql)

    def sql(self, text: str, name: str = "") -> list[tuple[Any, ...]]:
        import pymysql

        session = pymysql.connect(unix_socket=self.server.socket, user=self.user, autocommit=True,
                                  password=PASSWORD, database=name or self.name)  # fmt: skip
        try:
            with session.cursor() as cursor:
                cursor.execute(text)
                return list(cursor.fetchall())
        finally:
            session.close()

    def __call__(self, *words: str, **env: str) -> Ended:
        done = self.run_it(*words, cwd=self.project.root, timeout=120,
                           env={"DATABASE_URL": self.url, **self.env, **env})  # fmt: skip
        assert PASSWORD not in done.out + done.err
        return done

    def backup(self, *words: str) -> Path:
        done = self("backup", *words)
        assert done.code == 0, done.said
        return Path(done.out.splitlines()[-1])

    def restore(self, backup: Path | str, *words: str) -> Ended:
        """Bring it back with the word that is asked for."""
        asked = self("restore", str(backup), *words)
        assert asked.code == 6, asked.said
        advised = re.search(r"if that is meant: tidegate (.*)", asked.err)
        assert advised, asked.said
        self.asked = asked.err
        return self(*advised[1].split())


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    lacking = missing() or next((f"{name} is not installed" for name in ("mariadb-dump", "mariadb")
                                 if not shutil.which(name)), "")  # fmt: skip
    if lacking:
        pytest.skip(lacking)
    one = MariaDB(whole=True)
    one.sql("SET GLOBAL event_scheduler = OFF")
    yield one
    one.close()


@pytest.fixture
def shop(tidegate: Runner, make_project: MakeProject, server: MariaDB) -> Callable[..., Shop]:
    return lambda *more: Shop(tidegate, make_project("alembic"), server, *more)


def test_there_and_back(shop: Callable[..., Shop]) -> None:
    """Restored into a scratch server and compared, its receipt beside it; what was written since
    is said and kept; foreign keys, triggers, views and routines are those of their own tables."""
    one = shop(*CODE)
    path = one.backup("--verify", "full")
    assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["tables"] == {"audit": 0, "customer": 2, "nothing": 0, "odd `name (": ROWS}
    (line,) = (path.parent / "receipts.jsonl").read_text().splitlines()
    receipt = json.loads(line)
    assert (receipt["kind"], receipt["verified"]) == ("backup", "full")
    assert receipt["digest"] and receipt["by"] and PASSWORD not in line
    one.sql("DELETE FROM customer WHERE name = 'Mei'")
    done = one.restore(path)
    assert done.code == 0, done.said
    assert f"odd `name (: {ROWS // 2} rows now, {ROWS} rows in the backup" in one.asked
    kept = done.out.strip()
    assert kept.startswith(f"{one.name}_before_")
    photo = "SELECT name, photo FROM customer ORDER BY id"
    assert one.sql(photo) == (old := [("Mei", b"\x00\xff\x0a'"), ("O'Neil;\n),(", None)])
    assert one.sql(photo, kept) == old[1:]
    for name, rows in ((one.name, ROWS), (kept, ROWS // 2)):
        assert one.sql(COUNT, name) == [(rows,)]
        one.sql("INSERT INTO customer (name) VALUES ('Jonas')", name)
        assert one.sql("SELECT what FROM audit", name) == [("Jonas",)]
        assert one.sql("SELECT sum(n), twice(4) FROM buyers", name) == [(rows, 8)]
        one.sql("DELETE FROM customer WHERE id = 2", name)
        assert one.sql(COUNT, name) == [(rows // 2 if rows == ROWS else 0,)]
    events = "SELECT status FROM information_schema.events WHERE event_schema = '{}'"
    assert one.sql(events.format(one.name)) == [("ENABLED",)]
    assert one.sql(events.format(kept)) == [("DISABLED",)]
    lines = (path.parent / "receipts.jsonl").read_text().splitlines()
    assert [json.loads(each)["kind"] for each in lines] == ["backup", "restore"]


def test_no_room_on_the_way(
    shop: Callable[..., Shop], store: dict[str, str], disk: Callable[[int], Path],
    age_key: tuple[str, str],
) -> None:  # fmt: skip
    """A dump that this machine has no room for goes straight into the bucket, proved on its way to
    what encrypts it, and comes back from there."""
    one, spool, (public, secret) = shop(), disk(4), age_key
    one.env = {**store, "TIDEGATE_BACKUP_SPOOL": str(spool)}
    done = one("backup", "--to", f"s3://shop-backups/{one.name}", "--recipient", public)
    assert (done.code, "straight from the dump" in done.err) == (0, True), done.said
    assert f"read back: {ROWS + 2} rows of 3 tables" in done.err
    one.sql("DELETE FROM customer WHERE name = 'Mei'")
    brought = one.restore(done.out.strip(), "--identity", secret)
    assert brought.code == 0, brought.said
    assert one.sql(COUNT) == [(ROWS,)]
    assert list(spool.iterdir()) == []


def test_code_that_may_not_be_made_again(shop: Callable[..., Shop], server: MariaDB) -> None:
    """A view of another account's, which this one may not make: the tables change places, what was
    written down of the view stays, and the file to run is named."""
    one = shop()
    path = one.backup()
    server.sql("CREATE DEFINER = root@localhost VIEW few AS SELECT 7 AS seven", one.name)
    done = one.restore(path)
    assert done.code == 5, done.said
    assert "the tables have changed places, but not all" in done.err
    found = re.search(r"mysql (\w+_before_\w+) < (\S+)", done.err)
    assert found, done.said
    assert one.sql(COUNT) == one.sql(COUNT, found[1]) == [(ROWS,)]
    kept = Path(found[2])
    assert (kept.stat().st_mode & 0o777, "AS `seven`" in kept.read_text()) == (0o600, True)
    with kept.open("rb") as source:
        subprocess.run(["mariadb", "-uroot", f"-S{server.socket}", found[1]], stdin=source,
                       check=True, timeout=60)  # fmt: skip
    assert server.sql("SELECT seven FROM few", found[1]) == [(7,)]
    shutil.rmtree(kept.parent)


def test_a_django_project_and_another_name(
    tidegate: Runner, make_project: MakeProject, server: MariaDB, tmp_path: Path
) -> None:
    """The level is read from Django's own table; --into makes a database that is not there. All
    that without zstd on the machine."""
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    own = ('elif os.environ["DATABASE_URL"].startswith("mysql"):\n    DATABASES = {"default": {'
           '"ENGINE": "django.db.backends.mysql", "NAME": os.environ["MYSQL_NAME"], '
           f'"USER": "root", "OPTIONS": {{"unix_socket": "{server.socket}"}}}}}}\n')  # fmt: skip
    text = settings.read_text()
    settings.write_text(text.replace('elif "DATABASE_URL"', own + 'elif "DATABASE_URL"'))
    one = Shop(tidegate, project, server)
    one.sql("CREATE TABLE django_migrations (id int PRIMARY KEY, app text, name text)")
    one.sql("INSERT INTO django_migrations VALUES (1, 'shop', '0001_step')")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("python3", "mariadb", "mariadb-dump"):
        (bare / name).symlink_to(shutil.which(name) or "")
    one.env = {"PATH": str(bare)}
    done = one("backup", MYSQL_NAME=one.name)
    assert done.code == 0, done.said
    path = done.out.splitlines()[-1]
    assert json.loads(Path(path, "manifest.json").read_text())["level"] == ["shop.0001_step"]
    other = f"{one.name}_other"
    url = f"mysql://{one.user}:{PASSWORD}@localhost/{other}?unix_socket={server.socket}"
    done = one("restore", path, "--into", url)
    assert (done.code, done.out.strip()) == (0, other), done.said
    assert one.sql(COUNT, other) == [(ROWS,)]


def test_while_it_is_written_to(shop: Callable[..., Shop]) -> None:
    """Money that moves between two tables in transactions is all there, whenever it was dumped."""
    one = shop("CREATE TABLE purse_a AS SELECT 1000000 n", "CREATE TABLE purse_z AS SELECT 0 n")
    over = threading.Event()

    def move() -> None:
        session = one.server.connect(one.name)
        with session.cursor() as cursor:
            while not over.is_set():
                cursor.execute("BEGIN")
                cursor.execute("UPDATE purse_a SET n = n - 1")
                cursor.execute("UPDATE purse_z SET n = n + 1")
                cursor.execute("COMMIT")
        session.close()

    moving = threading.Thread(target=move, daemon=True)
    moving.start()
    try:
        path = one.backup()
    finally:
        over.set()
        moving.join()
    done = one.restore(path)
    assert done.code == 0, done.said
    assert one.sql("SELECT a.n + z.n, z.n > 0 FROM purse_a a, purse_z z") == [(1_000_000, 1)]


def test_what_is_not_as_it_was_written(shop: Callable[..., Shop], tmp_path: Path) -> None:
    """A cut or a flipped bit is refused by its digest; text that was cut, or lacks rows, before it
    had one is refused by reading it back."""
    one = shop()
    path = one.backup()
    whole = next(path.glob("data.sql.*"))
    data = whole.read_bytes()
    rng = random.Random(7)
    for number in range(2):
        at = rng.randrange(len(data))
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << rng.randrange(8)
        whole.write_bytes(data[:at] if number % 2 else bytes(spoilt))
        done = one("backup", "--check", str(path))
        assert (done.code, "is damaged: data.sql" in done.err) == (5, True), done.said
    whole.write_bytes(data)
    environ = dict(os.environ)
    manifest = json.loads((path / "manifest.json").read_text())
    with dumping.plain(Backup(path, manifest), environ) as stream:
        lines = list(stream)
    last = next(at for at, line in enumerate(lines) if line.endswith(b");\n"))
    lacking = [*lines[: last - 1], *lines[last:]]
    for changed in (lines[: len(lines) // 2], lines[:-1], lacking):
        folder = tmp_path / "changed"
        folder.mkdir(exist_ok=True)
        (folder / "data.sql.gz").write_bytes(gzip.compress(b"".join(changed)))
        spoiled = Backup(folder, {**manifest, "files": {"data.sql.gz": {}}})
        with pytest.raises(Damaged):
            dumping.read_back(spoiled, environ)


def test_killed_at_any_point(shop: Callable[..., Shop]) -> None:
    """Killed at random moments of a restore: under the old name there is always one whole
    database, of the old rows or of the backup's."""
    one = shop()
    path = one.backup()
    one.sql("DELETE FROM customer WHERE name = 'Mei'")
    rng, asked = random.Random(11), one("restore", str(path))
    words = re.search(r"tidegate (restore .*)", asked.err)
    assert words, asked.said
    for _ in range(3):
        running = one.run_it.start(*words[1].split(), cwd=one.project.root,
                                   env={"DATABASE_URL": one.url})  # fmt: skip
        if rng.random() < 0.7:
            running.until("filled" if rng.random() < 0.5 else "is whole")
        threading.Event().wait(rng.random() * 0.3)
        running.kill()
        counted = (one.sql(COUNT), one.sql("SELECT count(*) FROM customer"))
        assert counted in (([(ROWS // 2,)], [(1,)]), ([(ROWS,)], [(2,)]))


def test_a_transaction_is_waited_for(shop: Callable[..., Shop]) -> None:
    """Tables that a transaction has read are moved when it is over, and others are not held up
    behind the wait for longer than a second at a time."""
    one = shop()
    path = one.backup()
    one.sql("DELETE FROM customer WHERE name = 'Mei'")
    reader = one.server.connect(one.name)
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM customer")
    words = re.search(r"tidegate (restore .*)", one("restore", str(path)).err)
    assert words
    running = one.run_it.start(*words[1].split(), cwd=one.project.root,
                               env={"DATABASE_URL": one.url})  # fmt: skip
    running.until("rows and schema are the same")
    for _ in range(3):
        assert one.sql("SELECT count(*) FROM customer") == [(1,)]
    reader.rollback()
    done = running.end()
    assert done.code == 0, done.said
    assert one.sql("SELECT count(*) FROM customer") == [(2,)]
    reader.close()


def test_refusals(shop: Callable[..., Shop], tmp_path: Path) -> None:
    """Each with its exit code and what to do: no programs, a wrong password, no server, an account
    that may make no database, snapshots; nothing is left of any, and nothing is changed."""
    one = shop()
    path = one.backup()
    env = {"TIDEGATE_MYSQL_BIN": str(tmp_path)}
    done = one("backup", **env)
    assert (done.code, "neither mariadb-dump nor mysqldump" in done.err) == (6, True), done.said
    wrong = one.url.replace(PASSWORD, "not-this-one")
    done = one("backup", DATABASE_URL=wrong)
    assert (done.code, "Access denied" in done.err) == (4, True), done.said
    done = one("backup", "--timeout", "1", DATABASE_URL=one.url.replace(one.server.socket, "/no/s"))
    assert (done.code, "does not answer" in done.err) == (3, True), done.said
    done = one("backup", "--snapshot")
    assert (done.code, "no snapshots of mysql" in done.err) == (2, True), done.said
    poor = f"poor_{one.name}"
    one.server.sql(f"GRANT ALL ON {one.name}.* TO '{poor}'@'%' IDENTIFIED BY '{PASSWORD}'")
    one.url = one.server.url(one.name, f"{poor}:{PASSWORD}")
    one.sql("DELETE FROM customer WHERE name = 'Mei'")
    done = one.restore(path)
    assert (done.code, f"TO '{poor}'@'%'" in done.err) == (6, True), done.said
    assert one.sql("SELECT count(*) FROM customer") == [(1,)]
    left = [name for (name,) in one.server.sql("SHOW DATABASES") if name.startswith(one.name)]
    assert left == [one.name]
    assert [each.name for each in path.parent.iterdir() if each.is_dir()] == [path.name]


@pytest.mark.parametrize(
    ("theirs", "ours", "refused"),
    [("10.11.6-MariaDB", "10.6.20-MariaDB", True), ("8.0.36", "11.4.2-MariaDB", True),
     ("10.6.20-MariaDB", "10.11.6-MariaDB", False), ("8.0.30", "8.0.36", False)],
)  # fmt: skip
def test_other_servers(theirs: str, ours: str, refused: bool) -> None:
    """An older server, or one of the other maker, does not get a dump that it may misread."""
    backup = Backup(Path(), {"server": theirs})
    with pytest.raises(PolicyRefused, match=re.escape(theirs)) if refused else nullcontext():
        restoring.refuse_other(backup, ours)


def test_many_rows_a_line() -> None:
    """MySQL's dump has many rows in a line; what stands in quotes is no row, what a trigger
    inserts neither."""
    counter = dumping.Counter()
    for line in (b"CREATE TABLE `a` (\n", b"INSERT INTO `a` VALUES (1,'x),(\\'y'),(2,'it''s (');\n",
                 b"INSERT INTO `a` (`id`, `b`) VALUES (3,_binary '\\\\'),(4,NULL);\n",
                 b"DELIMITER ;;\n", b"INSERT INTO `a` VALUES (9);\n", b"DELIMITER ;\n",
                 b"-- Dump completed on 2026-01-01\n"):  # fmt: skip
        counter(line)
    assert (counter.rows, counter.complete) == ({"a": 4}, True)


def test_what_an_option_file_leaves_out(shop: Callable[..., Shop], tmp_path: Path) -> None:
    """A table that an option file of the machine's leaves out of the dump is missed."""
    one = shop()
    (tmp_path / "my.cnf").write_text(f"[mariadb-dump]\nignore-table={one.name}.customer\n")
    url = f"{one.url}&read_default_file={tmp_path / 'my.cnf'}"
    done = one("backup", DATABASE_URL=url)
    assert (done.code, "customer: has rows, and none is in it" in done.err) == (5, True), done.said
    assert subprocess.run(["ls", "-A", one.project.root / "backups"], capture_output=True,
                          check=True).stdout == b""  # fmt: skip
