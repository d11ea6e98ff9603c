"""Where a backup goes and in what shape: several jobs, encrypted, to object storage, by way of the
database's own container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Ended, Runner
from support.postgres import free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
ROWS = (
    "CREATE TABLE sold (id integer, what varchar(40))",
    "INSERT INTO sold WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 500)"
    " SELECT i, 'a thing that is sold' FROM g",
)


class Shop:
    """A migrated project with 500 rows."""

    def __init__(self, tidegate: Runner, project: SmallProject, database: Database) -> None:
        self.run_it, self.project, self.database = tidegate, project, database
        self.env = dict(database.environ)
        project.add(*ROWS)
        assert self("migrate").code == 0

    def __call__(self, *words: str, **env: str) -> Ended:
        return self.run_it(*words, cwd=self.project.root, env={**self.env, **env}, timeout=120)

    def backup(self, *words: str, **env: str) -> str:
        done = self("backup", *words, **env)
        assert done.code == 0, done.said
        return done.out.splitlines()[-1]

    def restore(self, backup: str, *words: str, **env: str) -> Ended:
        """Spoil the data, then bring the backup back with the word that is asked for."""
        self.spoil()
        asked = self("restore", backup, *words, **env)
        assert asked.code == 6, asked.said
        advised = re.search(r"if that is meant: tidegate (.*)", asked.err)
        assert advised, asked.said
        done = self(*advised[1].split(), **env)  # word for word what it says to type
        assert done.code == 0, done.said
        assert self.rows() == ["500"]
        if self.database.server:
            self.database.server.sql(f'DROP DATABASE "{done.out.strip()}"')
        return done

    def spoil(self) -> None:
        if self.database.server:
            self.database.server.sql("DELETE FROM sold WHERE id > 100", self.database.name)
            return
        import sqlite3

        with sqlite3.connect(self.database.name) as file:
            file.execute("DELETE FROM sold WHERE id > 100")
        file.close()

    def rows(self) -> list[str]:
        return self.database.rows("SELECT count(*) FROM sold")


@pytest.fixture
def shop(tidegate: Runner, make_project: MakeProject, fresh: Fresh) -> Callable[[str], Shop]:
    return lambda which: Shop(tidegate, make_project("django", 1), fresh(which))


def test_several_jobs(shop: Callable[[str], Shop], tmp_path: Path):
    """--jobs 2 writes pg_dump's directory format, proved as the other is; it comes back."""
    one = shop("newest")
    path = Path(one.backup("--jobs", "2", "--verify", "full"))
    manifest = json.loads((path / "manifest.json").read_text())
    assert (manifest["form"], manifest["jobs"]) == (2, 2)
    assert "data/toc.dat" in manifest["files"]
    assert {file.stat().st_mode & 0o777 for file in (path / "data").iterdir()} == {0o600}
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=path, capture_output=True)
    assert sums.returncode == 0
    one.restore(str(path))
    cut = tmp_path / "cut"
    shutil.copytree(path, cut)
    largest = max((cut / "data").iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    done = one("backup", "--check", str(cut))
    assert (done.code, f"data/{largest.name} has" in done.err) == (5, True), done.said
    largest.unlink()
    done = one("backup", "--check", str(cut))
    assert (done.code, f"data/{largest.name} is missing" in done.err) == (5, True), done.said


@pytest.mark.parametrize(("which", "jobs"), [("newest", "2"), ("sqlite", "1")])
def test_encrypted_with_age(
    which: str, jobs: str, shop: Callable[[str], Shop], age_key: tuple[str, str], tmp_path: Path
):
    """Proved, then encrypted: nothing readable is left; the key brings it back, no other does."""
    one, (public, secret) = shop(which), age_key
    path = Path(one.backup("--jobs", jobs, "--recipient", public))
    names = {file.name for file in path.iterdir()}
    assert len(names) == 3, names
    assert [name for name in names if name.endswith(".age")], names
    assert all(b"a thing that is sold" not in file.read_bytes() for file in path.iterdir())
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    (run,) = json.loads(one("--format", "json", "history", "--kind", "backup").out)["runs"]
    assert (run["backup"]["encrypted"], run["backup"]["verified"]) == ("age", "quick")
    checked = one("backup", "--check", str(path))
    assert (checked.code, "--identity FILE" in checked.err) == (2, True), checked.said
    other = tmp_path / "other"
    subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
    wrong = one("backup", "--check", str(path), "--identity", str(other))
    assert (wrong.code, f"age can't decrypt {path}" in wrong.err) == (5, True), wrong.said
    good = one("backup", "--check", str(path), "--identity", secret)
    assert (good.code, "good (quick)" in good.err) == (0, True), good.said
    one.restore(str(path), "--identity", secret)
    spool = Path(f"/tmp/tidegate-{os.getuid()}")
    assert not spool.exists() or not list(spool.glob(".part-*"))


def test_encrypted_with_gpg(shop: Callable[[str], Shop], tmp_path: Path):
    """A name that is no age key is looked up in gpg's key ring, and decrypted from it."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = Path(f"/tmp/tidegate-gpg-{os.getpid()}")  # short: its sockets are in it
    home.mkdir(mode=0o700)
    ring = {"GNUPGHOME": str(home)}
    try:
        subprocess.run(
            ["gpg", "--batch", "--quick-gen-key", "--passphrase", "", "ops@shop.example"],
            env={**os.environ, **ring}, check=True, capture_output=True,
        )  # fmt: skip
        one = shop("newest")
        path = Path(one.backup("--recipient", "ops@shop.example", **ring))
        assert [file.name for file in path.iterdir() if file.suffix == ".gpg"]
        one.restore(str(path), **ring)
        missing = one("backup", "--recipient", "nobody@shop.example", **ring)
        assert (missing.code, "gpg can't encrypt for nobody@shop.example" in missing.err) == (
            2, True), missing.said  # fmt: skip
        locked = one("backup", "--check", str(path), GNUPGHOME=str(tmp_path))
        assert (locked.code, "gpg can't decrypt" in locked.err) == (5, True), locked.said
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **ring}, check=False)
        shutil.rmtree(home, ignore_errors=True)


def test_a_missing_tool_and_a_wrong_key(shop: Callable[[str], Shop], tmp_path: Path):
    """Without age, or with what is no key, nothing is dumped, and one message says so."""
    one = shop("sqlite")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("python3", "env"):
        (bare / name).symlink_to(shutil.which(name) or "")
    key = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"
    none = one("backup", "--recipient", key, PATH=str(bare))
    assert (none.code, "there is no age here" in none.err) == (6, True), none.said
    assert "apt-get install age" in none.err
    if shutil.which("age"):
        wrong = one("backup", "--recipient", "age1nokey")
        assert (wrong.code, "age can't encrypt for age1nokey" in wrong.err) == (2, True), wrong.said
    env = {**one.env, "TIDEGATE_BACKUP_RECIPIENT": key, "AUTO_BACKUP": "true"}
    one.project.add("CREATE TABLE later (id integer)")
    boot = one("boot", "--", *APP, **{**env, "PATH": str(bare) + ":" + str(tmp_path)})
    assert boot.code != 0, boot.said
    assert "later" not in one.database.tables()
    assert not (one.project.root / "backups").exists()


def client_of(env: dict[str, str]) -> Any:
    from tidegate.container.backup import stores

    return stores._client(env, env["AWS_ENDPOINT_URL_S3"])


def keys(env: dict[str, str], prefix: str) -> list[str]:
    found = client_of(env).list_objects_v2(Bucket="shop-backups", Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", ())]


def test_to_object_storage_and_back(
    shop: Callable[[str], Shop], store: dict[str, str], age_key: tuple[str, str]
):
    """A backup is put there, compared, found by rollback, and brought back; also an encrypted one
    of several files; what is over --keep is removed there."""
    one, (public, secret) = shop("newest"), age_key
    where = f"s3://shop-backups/{one.database.name}"
    first = one.backup("--to", where, **store)
    assert first.startswith(f"{where}/default-")
    name = first.rpartition("/")[2]
    put = keys(store, f"{one.database.name}/{name}/")
    assert {key.rpartition("/")[2] for key in put} >= {"manifest.json", "SHA256SUMS"}
    assert not (one.project.root / "backups").exists()
    assert one("backup", "--check", first, **store).code == 0
    one.restore(first, **store)
    time.sleep(1.05)  # names are by the second
    second = one.backup("--to", where, "--jobs", "2", "--recipient", public, "--keep", "1", **store)
    left = keys(store, f"{one.database.name}/")
    assert {key.split("/")[1] for key in left} == {second.rpartition("/")[2]}
    one.restore(second, "--identity", secret, **store)
    one.project.add("CREATE TABLE later (id integer)")
    assert one("migrate").code == 0
    planned = one("rollback", "--plan", TIDEGATE_BACKUP_DIR=where, **store)
    assert f"way backup {second}" in planned.out, planned.said
    gone = one("restore", first, **store)
    assert (gone.code, f"{first} does not exist" in gone.err) == (2, True), gone.said
    spool = Path(f"/tmp/tidegate-{os.getuid()}")
    assert not list(spool.glob(".part-*"))


LARGE = (
    "CREATE TABLE large (a text); ALTER TABLE large ALTER a SET STORAGE EXTERNAL; "
    "INSERT INTO large SELECT string_agg(md5(random()::text), '') "
    "FROM generate_series(1, 600000) g GROUP BY g % 600; SELECT 1"
)
CAN_NOT_READ = (
    "#!/bin/sh\n[ $1 = --version ] && exec {real} --version\necho 'error: no' >&2; exit 1\n"
)


def test_no_room_on_the_way(
    shop: Callable[[str], Shop], store: dict[str, str], disk: Callable[[int], Path],
    age_key: tuple[str, str], tmp_path: Path,
):  # fmt: skip
    """A dump larger than the disk that it would pass through goes straight into the bucket, is
    proved from there, and comes back from there; one that is encrypted is proved on its way. What
    was cut there is refused, and what can't be proved is not left there."""
    one, spool, (public, secret) = shop("newest"), disk(4), age_key
    one.database.rows(LARGE)
    where = f"s3://shop-backups/{one.database.name}"
    env = {**store, "TIDEGATE_BACKUP_SPOOL": str(spool)}
    done = one("--format", "json", "backup", "--to", where, **env)
    assert (done.code, "straight from the dump" in done.err) == (0, True), done.said
    (receipt,) = json.loads(done.out)["backups"]
    assert receipt["bytes"] > 9 << 20, "in several parts"
    one.restore(receipt["path"], **env)
    assert one.database.rows("SELECT count(*) FROM large") == ["600"]
    sealed = one.backup("--to", where, "--recipient", public, "--verify", "full", **env)
    asked = one("backup", "--check", sealed, **env)
    assert (asked.code, "--identity FILE" in asked.err) == (2, True), asked.said
    one.restore(sealed, "--identity", secret, **env)
    before = keys(store, one.database.name)
    assert sum("/data" in key for key in before) == 2
    assert sum(key.endswith(".age") for key in before) == 1
    assert one.database.server
    real = one.database.server.bindir
    (tmp_path / "pg_dump").symlink_to(real / "pg_dump")
    (tmp_path / "pg_restore").write_text(CAN_NOT_READ.format(real=real / "pg_restore"))
    (tmp_path / "pg_restore").chmod(0o755)
    for words in ((), ("--recipient", public)):
        bad = one("backup", "--to", where, *words, TIDEGATE_PG_BIN=str(tmp_path), **env)
        assert (bad.code, "can't be read back" in bad.err) == (5, True), bad.said
    assert keys(store, one.database.name) == before
    client = client_of(store)
    for path in (receipt["path"], sealed):
        (key,) = [name for name in before if f"{path.rpartition('/')[2]}/data" in name]
        data = client.get_object(Bucket="shop-backups", Key=key)["Body"].read()
        client.put_object(Bucket="shop-backups", Key=key, Body=data[:-1000])
        cut = one("backup", "--check", path, "--identity", secret, **env)
        assert (cut.code, "is not used" in cut.err) == (5, True), cut.said
    assert list(spool.iterdir()) == []


def test_before_a_migration_to_object_storage(shop: Callable[[str], Shop], store: dict[str, str]):
    """AUTO_BACKUP with a bucket: the run in the ledger names the address."""
    one = shop("sqlite")
    one.project.add("CREATE TABLE later (id integer)")
    where = f"s3://shop-backups/boot{os.getpid()}"
    env = {"AUTO_BACKUP": "true", "TIDEGATE_BACKUP_DIR": where, **store}
    done = one("boot", "--", *APP, **env)
    assert done.code == 0, done.said
    (run, *_) = json.loads(one("--format", "json", "history").out)["runs"]
    assert run["backup"]["path"].startswith(where)


def test_a_store_that_says_no(shop: Callable[[str], Shop], store: dict[str, str], tmp_path: Path):
    """No bucket, a wrong key, no answer, a changed object: each has its exit code and message, and
    a refused backup leaves nothing behind."""
    one = shop("sqlite")
    cases = [
        (("s3://no-such-bucket/x", {}), 4, "there is no bucket no-such-bucket"),
        (("s3://shop-backups/x", {"AWS_SECRET_ACCESS_KEY": "wrong"}), 4, "may not be looked at"),
        (("s3://shop-backups/x", {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}"}), 3,
         "can't be reached"),
    ]  # fmt: skip
    for (where, env), code, text in cases:
        done = one("backup", "--to", where, **{**store, **env})
        assert (done.code, text in done.err) == (code, True), done.said
    found = json.loads(one("--format", "json", "history", **store).out)
    assert not any(run["changed_before"] for run in found["runs"]), "a refusal is no change"
    where = f"s3://shop-backups/flip{os.getpid()}"
    path = one.backup("--to", where, **store)
    (key,) = [one for one in keys(store, where[len("s3://shop-backups/") :]) if "/data" in one]
    client = client_of(store)
    data = bytearray(client.get_object(Bucket="shop-backups", Key=key)["Body"].read())
    data[len(data) // 2] ^= 1
    client.put_object(Bucket="shop-backups", Key=key, Body=bytes(data))
    done = one("backup", "--check", path, **store)
    assert (done.code, "is not what was written" in done.err) == (5, True), done.said


def test_without_the_extra(shop: Callable[[str], Shop], tmp_path: Path):
    """Without boto3 one message names the extra."""
    one = shop("sqlite")
    (tmp_path / "hide" / "boto3").mkdir(parents=True)
    (tmp_path / "hide" / "boto3" / "__init__.py").write_text(
        "raise ModuleNotFoundError('no boto3', name='boto3')\n"
    )
    done = one("backup", "--to", "s3://x/y", PYTHONPATH=str(tmp_path / "hide"))
    assert (done.code, "pip install 'tidegate[s3]'" in done.err) == (2, True), done.said


def test_progress(monkeypatch: pytest.MonkeyPatch, fresh: Fresh, tmp_path: Path):
    """A dump says how many bytes are written, what share that is, and what time is left."""
    from tidegate.container.backup import archive, pgdump, progress
    from tidegate.container.report import Report
    from tidegate.databases.postgresql import PostgreSQL
    from tidegate.model.connection import Connection, Secret

    database = fresh("newest")
    server = database.server
    assert server
    database.rows("CREATE TABLE big AS SELECT md5(random()::text) || md5(random()::text) AS a "
                  "FROM generate_series(1, 150000); SELECT 1")  # fmt: skip
    size = int(database.rows("SELECT pg_table_size('big')")[0])
    monkeypatch.setattr(progress, "SAY_EVERY", 0.0)
    heard: list[tuple[str, dict[str, object]]] = []
    report = Report(quiet=True)
    report.listeners.append(lambda stage, subject, text, seconds, more: heard.append((text, more)))
    login = Connection("default", "postgresql", "127.0.0.1", str(server.port), "postgres",
                       Secret("s3cret"), database.name)  # fmt: skip
    tell = progress.Progress(report, "default", size)
    with archive.drafting(tmp_path) as draft:
        found = pgdump.dump(PostgreSQL(login, os.environ), draft, os.environ, tell)
    assert 0.5 < found["dump_bytes"] / size < 2
    shares = [float(str(more["share"])) for _, more in heard if "share" in more]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] > 0.5
    assert re.fullmatch(r"[0-9.]+ MB written, \d+%, about \d+ s left", heard[-1][0]), heard[-1]


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """PostgreSQL in a container with a published port: its URL and name."""
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine is running")
    name, port = f"way-{os.getpid()}-db", free_port()
    started = subprocess.run(
        [docker, "run", "-d", "--rm", "--name", name, "-e", "POSTGRES_PASSWORD=s3cret",
         "-p", f"127.0.0.1:{port}:5432", "postgres:15"], capture_output=True, text=True,
    )  # fmt: skip
    if started.returncode:
        pytest.skip(f"postgres:15 can't be started: {started.stderr}")
    try:
        yield f"postgresql://postgres:s3cret@127.0.0.1:{port}/postgres", name
    finally:
        subprocess.run([docker, "rm", "-f", "-v", name], capture_output=True)


def test_by_the_databases_own_container(
    contained: tuple[str, str],
    tidegate: Runner,
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """Where no pg_dump is on this machine, that of the database's container dumps, reads back and
    restores."""
    url, name = contained
    bare = tmp_path / "bare"
    bare.mkdir()
    for program in ("docker", "zstd"):
        (bare / program).symlink_to(shutil.which(program) or "")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "from tidegate.container.backup import tools\ntools.FOLDERS, tools.EMBEDDED = (), ()\n"
    )  # a machine without PostgreSQL, on this one
    env = {"PATH": str(bare), "PYTHONPATH": str(hidden)}
    env |= {key: os.environ[key] for key in ("DOCKER_HOST",) if key in os.environ}
    one = Shop(tidegate, make_project("django", 1), Database(url, "postgres"))
    path = Path(one.backup(**env))
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["tool"].endswith(f"(in the container {name})")
    assert manifest["tables"]["public.sold"] == 500
    assert one("backup", "--check", str(path), **env).code == 0
    into = url.rpartition("/")[0] + "/copy"
    done = one("restore", str(path), "--into", into, **env)
    assert done.code == 0, done.said
    psql = ["docker", "exec", name, "psql", "-U", "postgres", "-AtXc", "SELECT count(*) FROM sold"]
    said = subprocess.run([*psql, "copy"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "500"
