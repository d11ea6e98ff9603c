"""A SQLite file whose last writer was killed in the middle of its transaction."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import APP, Database, Runner
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

WRITER = """
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA cache_size = 1")  # pages go into the file before the commit
file.execute("BEGIN")
file.execute("CREATE TABLE half AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
             "SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(randomblob(50)) FROM n")
print("written", flush=True)
time.sleep(60)
"""


def leave_half(path: str) -> None:
    """Kill a writer; nobody has read the file since, so its journal still has to be undone."""
    command = [sys.executable, "-c", WRITER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "written\n"
        writer.send_signal(signal.SIGKILL)
    assert Path(f"{path}-journal").stat().st_size > 0
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("SELECT count(*) FROM sqlite_master")
    reader.close()


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_the_next_start_undoes_it(
    framework: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh
) -> None:
    """Boot, and status before it, see the database as it was before that transaction."""
    project, database = make_project(framework), fresh("sqlite")
    boot = ("boot", "--timeout", "10", "--", *APP)
    assert tidegate(*boot, cwd=project.root, env=database.environ).code == 0
    leave_half(database.name)
    done = tidegate("status", "--check", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    project.add("CREATE TABLE late (id integer)")
    leave_half(database.name)
    done = tidegate(*boot, cwd=project.root, env=database.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["late", "made_1", "made_2"]
