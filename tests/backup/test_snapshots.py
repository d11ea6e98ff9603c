"""Copies that the server makes beside the database, and their way back by rename."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from support.gate import Database, Ended, Runner
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
WORD = re.compile(r"--approve ([0-9a-f]{12})")


def run(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Ended:
    return tidegate(*words, cwd=project.root, env=database.environ)


def good(tidegate: Runner, project: SmallProject, database: Database, *words: str) -> Ended:
    done = run(tidegate, project, database, *words)
    assert done.code == 0, done.said
    return done


def beside(database: Database) -> list[str]:
    """The databases whose names begin as this one's."""
    assert database.server
    names = database.server.sql("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database")
    return [one for one in names.split() if one.startswith(f"{database.name}_")]


@pytest.mark.parametrize("which", ["newest", "oldest"])
def test_there_and_back(which: str, tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A snapshot is compared with the database, and written down; a rollback finds it, says what
    it loses, and gives it the name; its settings and what was there stay."""
    project, database = make_project("django", 1), fresh(which)
    server, name = database.server, database.name
    assert server
    good(tidegate, project, database, "migrate")
    server.sql("INSERT INTO made_1 VALUES (7)", name)
    server.sql(f"ALTER DATABASE {name} SET work_mem = '7MB'")
    done = good(tidegate, project, database, "--format", "json", "backup", "--snapshot",
                "--verify", "full")  # fmt: skip
    (receipt,) = json.loads(done.out)["backups"]
    assert receipt["path"] == f"snapshot:{beside(database)[0]}"
    assert receipt["verified"] == "full"
    listed = good(tidegate, project, database, "--format", "json", "history").out
    made = json.loads(listed)["runs"][0]
    assert (made["kind"], made["backup"]["path"]) == ("backup", receipt["path"])
    project.add("DELETE FROM made_1")
    good(tidegate, project, database, "migrate")
    words = ("rollback", "--way", "backup")
    asked = good(tidegate, project, database, *words, "--plan")
    assert f"way backup {receipt['path']}: taken, loses:" in asked.out
    word = WORD.search(asked.out)
    assert word
    good(tidegate, project, database, *words, "--approve", word[1])
    assert server.sql("SELECT id FROM made_1", name) == "7"
    assert server.sql("SHOW work_mem", name) == "7MB"
    (kept,) = beside(database)
    assert kept.startswith(f"{name}_before_")
    assert server.sql("SELECT count(*) FROM made_1", kept) == "0"
    shown = good(tidegate, project, database, "history", "--verify").out
    assert "restore  done" in shown and "as they were written" in shown


def test_somebody_is_on_it(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Sessions on the database are named, and ended only when that is asked for; --keep counts
    snapshots, and `restore` takes one by its name after the word of a person."""
    project, database = make_project("alembic", 1), fresh("newest")
    assert database.server
    good(tidegate, project, database, "migrate")
    app = psycopg.connect(database.server.url(dbname=database.name), application_name="shop app")
    with closing(app):
        refused = run(tidegate, project, database, "backup", "--snapshot")
        assert refused.code == 6, refused.said
        assert f"1 session on {database.name}: 1 shop app of postgres" in refused.err
        assert not beside(database)
        words = ("backup", "--snapshot", "--end-sessions", "--keep", "1")
        first = good(tidegate, project, database, *words).out.strip()
        with pytest.raises(psycopg.OperationalError):
            app.execute("SELECT 1")
    second = good(tidegate, project, database, *words).out.strip()
    assert [f"snapshot:{one}" for one in beside(database)] == [second]
    gone = run(tidegate, project, database, "restore", first)
    assert (gone.code, f"has no {first}" in gone.err) == (2, True), gone.said
    asked = run(tidegate, project, database, "restore", second)
    word = WORD.search(asked.err)
    assert asked.code == 6 and word, asked.said
    done = good(tidegate, project, database, "restore", second, "--approve", word[1])
    assert done.out.strip() == beside(database)[0]


def test_where_there_are_none(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """SQLite has no snapshots: exit 2, and the other way is named."""
    project, database = make_project("django", 1), fresh("sqlite")
    done = run(tidegate, project, database, "backup", "--snapshot")
    assert (done.code, "make a backup: tidegate backup" in done.err) == (2, True), done.said
