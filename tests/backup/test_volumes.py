"""Backups into a named volume of Docker's, from where the command is typed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Database, Ended, Runner
from support.projects import SmallProject

SOLD = "INSERT INTO sold WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g " \
       "WHERE i < 500) SELECT i FROM g"  # fmt: skip


# An engine that answers, and starts no container.
GONE = """\
#!/bin/sh
[ "$1" != run ] || {{ echo the engine has gone >&2; exit 125; }}
exec {} "$@"
"""


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def volume() -> Iterator[str]:
    """A volume as Compose makes it, whose folder belongs to an app's account."""
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "info"], capture_output=True).returncode
    ):
        pytest.skip("no Docker engine is running")
    name = f"way-{os.getpid()}_kept"
    docker("volume", "create", "--label", f"com.docker.compose.volume=kept-{os.getpid()}", name)
    try:
        in_it(name, "chown 1234:1234 /b")
        yield name
    finally:
        docker("volume", "rm", "-f", name)


def in_it(volume: str, script: str) -> str:
    return docker(
        "run", "--rm", "-v", f"{volume}:/b", "--entrypoint", "sh", "busybox", "-c", script
    )


def test_there_and_back(
    volume: str, tidegate: Runner, make_project: Callable[..., SmallProject],
    fresh: Callable[[str], Database], tmp_path: Path,
) -> None:  # fmt: skip
    """Named as Compose files name it; the files are the account's that the volume belongs to; a
    rollback finds it by its receipt; it comes back; what was cut there is refused; older ones go; a
    volume that is not there is said, and so is an engine that can't start the container."""
    project, database = make_project("django", 1), fresh("sqlite")
    project.add("CREATE TABLE sold (id integer)", SOLD)
    where = f"volume:kept-{os.getpid()}"
    engine = {key: os.environ[key] for key in ("DOCKER_HOST",) if key in os.environ}

    def run(*words: str) -> Ended:
        return tidegate(*words, cwd=project.root, env={**database.environ, **engine})

    assert run("migrate").code == 0
    made = run("backup", "--to", where)
    assert made.code == 0, made.said
    path = made.out.strip()
    assert path.startswith(f"{where}/default-")
    name = path.rpartition("/")[2]
    assert in_it(volume, f"cd /b/{name}; stat -c '%a %u %n' . *").splitlines() == [
        "700 1234 .", "600 1234 SHA256SUMS", "600 1234 data.sqlite3", "600 1234 manifest.json",
    ]  # fmt: skip
    project.add("DROP TABLE made_1")
    assert run("migrate").code == 0
    assert f"way backup {path}: taken" in run("rollback", "--plan").out
    database.rows("DELETE FROM sold WHERE id > 100")
    asked = run("restore", path)
    words = re.search(r"if that is meant: tidegate (.*)", asked.err)
    assert asked.code == 6 and words, asked.said
    assert run(*words[1].split()).code == 0
    assert database.rows("SELECT count(*) FROM sold") == ["500"]
    in_it(volume, f"cd /b/{name}; head -c 4000 data.sqlite3 > x; cat x > data.sqlite3; rm x")
    cut = run("backup", "--check", path)
    assert (cut.code, "is damaged: data.sqlite3 has 4000 bytes" in cut.err) == (5, True), cut.said
    again = run("backup", "--to", where, "--keep", "1")
    assert (again.code, f"removed {path}" in again.err) == (0, True), again.said
    assert in_it(volume, "ls -A /b").split() == [again.out.strip().rpartition("/")[2]]
    gone = run("restore", path)
    assert (gone.code, "does not exist" in gone.err) == (2, True), gone.said
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "docker").write_text(GONE.format(shutil.which("docker")))
    (broken / "docker").chmod(0o755)
    engine["PATH"] = f"{broken}{os.pathsep}{os.environ['PATH']}"
    failed = run("restore", again.out.strip())
    assert (failed.code, "the engine has gone" in failed.err) == (5, True), failed.said
    del engine["PATH"]
    none = run("backup", "--to", "volume:never-made")
    assert (none.code, "there is no volume never-made" in none.err) == (4, True), none.said
