"""`tidegate apply`: exactly what was rehearsed, to exactly the database it was meant for."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidegate as package
from support.gate import Database, Ended, Runner, eventually
from support.projects import SmallProject

Make = Callable[..., SmallProject]
Apply = Callable[..., Ended]


@pytest.fixture
def apply(tidegate: Runner) -> Apply:
    """Run `tidegate apply` of a plan's file."""

    def run(planned: Any, project: SmallProject, url: str, *flags: str, **env: str) -> Ended:
        return tidegate("apply", str(planned.path), *flags, cwd=project.root,
                        env={"DATABASE_URL": url, **env})  # fmt: skip

    return run


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: Make) -> SmallProject:
    return make_project(request.param)


@pytest.fixture
def harmless(make_project: Make) -> SmallProject:
    """An Alembic project: its empty ways down need no approval."""
    return make_project("alembic")


def test_a_plan_is_applied_and_written_down(
    project: SmallProject, deployed: Any, plan: Any, apply: Apply
) -> None:
    """The planned steps are applied, the ledger has the plan's name, and once more is no harm."""
    database = deployed(project)
    project.add("CREATE TABLE planned (id integer)")
    planned = plan(project, database.url)
    name = planned.document["plan"]
    word = f" --approve {name}" if planned.document["needs_approval"] else ""
    assert planned.ended.err.endswith(f"is written; next: tidegate apply {planned.path}{word}\n")
    assert "rehearsing 1 step of" in planned.ended.err
    done = apply(planned, project, database.url, "--approve", name)
    assert done.code == 0, done.said
    assert "planned" in database.tables()
    assert f"{name}|done" in database.rows("SELECT fingerprint, state FROM tidegate_run")
    again = apply(planned, project, database.url, "--approve", name)
    assert again.code == 0, again.said
    assert "is applied already" in again.err


def test_a_stale_plan_says_what_moved(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply, tidegate: Runner,
    fresh: Callable[[str], Database],
) -> None:  # fmt: skip
    """Each of the four parts that moves is named, with exit code 6, and nothing is applied."""
    database = deployed(harmless)
    step = harmless.add("CREATE TABLE planned (id integer)")
    planned = plan(harmless, database.url)
    file = harmless.files[step]
    text = file.read_text()

    def refused(words: str, where: Database = database) -> None:
        done = apply(planned, harmless, where.url)
        assert done.code == 6, done.said
        assert words in done.err
        assert "Nothing was applied" in done.err
        assert "planned" not in where.tables()

    file.write_text(text + "\n# edited\n")
    refused(f"the code of the steps: {step}")
    file.write_text(text)
    database.rows("CREATE INDEX drift ON made_1 (id)")
    refused("the database's schema")
    database.rows("DROP INDEX drift")
    assert apply(planned, harmless, database.url).code == 0
    later = harmless.add("SELECT 1")
    other = fresh("newest")
    harmless.remove(later)
    assert tidegate("migrate", harmless.ids[1], cwd=harmless.root, env=other.environ).code == 0
    refused("the plan was made for another one", other)


def test_other_steps_make_it_stale(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply
) -> None:
    """A step that came after the plan is named, and so is one that someone else has applied."""
    database = deployed(harmless)
    harmless.add("CREATE TABLE planned (id integer)")
    planned = plan(harmless, database.url)
    late = harmless.add("CREATE TABLE late (id integer)")
    done = apply(planned, harmless, database.url)
    assert done.code == 6
    assert f"steps that the plan doesn't know are pending: {late}" in done.err
    assert database.tables() == ["made_1", "made_2"]


def test_what_loses_data_needs_a_word(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply
) -> None:
    """Without the plan's own fingerprint a destructive plan is refused; with it, applied."""
    database = deployed(harmless)
    harmless.add("DROP TABLE made_1")
    planned = plan(harmless, database.url)
    name = planned.document["plan"]
    assert apply(planned, harmless, database.url).code == 6
    wrong = apply(planned, harmless, database.url, "--approve", "000000000000")
    assert wrong.code == 6
    assert "not the fingerprint of this plan" in wrong.err
    assert "made_1" in database.tables()
    assert apply(planned, harmless, database.url, "--approve", name).code == 0
    assert "made_1" not in database.tables()


def test_an_agent_cannot_approve_itself(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply, tmp_path: Path
) -> None:
    """With an agent's mark in the environment only a record from a terminal counts, once."""
    database = deployed(harmless)
    harmless.add("DROP TABLE made_1")
    planned = plan(harmless, database.url)
    name = planned.document["plan"]
    agent = {"AI_AGENT": "some", "XDG_STATE_HOME": str(tmp_path / "state")}
    refused = apply(planned, harmless, database.url, "--approve", name, **agent)
    assert refused.code == 6
    assert f"tidegate approve {name}" in refused.err
    person = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert approve(name, {**person, "AI_AGENT": "some"}, tmp_path) == 6
    assert approve(name, person, tmp_path) == 0
    assert apply(planned, harmless, database.url, "--approve", name, **agent).code == 0
    harmless.add("DROP TABLE made_2")
    again = plan(harmless, database.url)
    assert again.document["plan"] != name
    assert apply(again, harmless, database.url, "--approve", again.document["plan"],
                 **agent).code == 6  # fmt: skip


def approve(name: str, env: dict[str, str], folder: Path) -> int:
    """Type the fingerprint on a terminal."""
    main, other = pty.openpty()
    try:
        os.write(main, f"{name}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "tidegate", "approve", name], stdin=other, cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **env}, capture_output=True,
            timeout=30,
        )  # fmt: skip
        return done.returncode
    finally:
        os.close(main)
        os.close(other)


def test_an_approval_is_for_an_hour(tmp_path: Path) -> None:
    """A record is spent once, and an old one doesn't hold."""
    from tidegate.container import approval

    env = {"XDG_STATE_HOME": str(tmp_path)}
    path = Path(approval.record("abc", env))
    assert approval.spend("abc", env)
    assert not approval.spend("abc", env)
    path = Path(approval.record("abc", env))
    path.write_text(str(float(path.read_text()) - 3601))
    assert not approval.spend("abc", env)


def test_a_killed_apply_is_gone_on_with(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply, tidegate: Runner
) -> None:
    """After kill -9 between two steps the same plan finishes: the ledger knows that it began."""
    database = deployed(harmless)
    harmless.add("CREATE TABLE first (id integer)")
    harmless.add(
        "CREATE TABLE second AS SELECT 1 AS id FROM pg_sleep((SELECT 20 * count(*) FROM made_1))"
    )
    planned = plan(harmless, database.url)
    database.rows("INSERT INTO made_1 VALUES (1)")  # the scratch has no row, and does not sleep
    running = tidegate.start("apply", str(planned.path), cwd=harmless.root, env=database.environ)
    eventually(lambda: "first" in database.tables(), what="the first step")
    running.kill()
    database.rows("DELETE FROM made_1")
    done = apply(planned, harmless, database.url)
    assert done.code == 0, done.said
    assert {"first", "second"} <= set(database.tables())
    assert database.rows(harmless.recorded_sql) == harmless.heads()


def test_a_plan_is_not_edited(harmless: SmallProject, deployed: Any, plan: Any,
                              apply: Apply) -> None:  # fmt: skip
    """A plan whose contents are not those of its name is no plan, and neither is another file."""
    database = deployed(harmless)
    harmless.add("CREATE TABLE planned (id integer)")
    planned = plan(harmless, database.url)
    document = planned.document
    document["steps"][0]["digest"] = "0" * 64
    planned.path.write_text(json.dumps(document))
    done = apply(planned, harmless, database.url)
    assert done.code == 2
    assert "changed by hand" in done.err
    planned.path.write_text("{}")
    assert apply(planned, harmless, database.url).code == 2
    planned.path.unlink()
    assert apply(planned, harmless, database.url).code == 2


def test_a_plan_without_its_database_is_not_applied(
    harmless: SmallProject, deployed: Any, plan: Any, apply: Apply
) -> None:
    """A rehearsal from the steps alone proves nothing about one database."""
    database = deployed(harmless)
    harmless.add("CREATE TABLE planned (id integer)")
    planned = plan(harmless, "postgresql://no:no@127.0.0.1:1/none", "--from", harmless.ids[1])
    done = apply(planned, harmless, database.url)
    assert done.code == 6
    assert "made without its database" in done.err


def test_apply_by_a_python_without_the_framework(
    make_project: Callable[..., SmallProject], fresh: Any, tmp_path: Path
) -> None:
    """A tidegate that was installed by itself goes on in the project's own Python."""
    database, project = fresh("sqlite"), make_project("alembic")
    venv.create(tmp_path / "bare", with_pip=False)
    folder = tmp_path / "only"
    folder.mkdir()
    (folder / "tidegate").symlink_to(Path(package.__file__).parent)
    env = {**database.environ, "PYTHONPATH": str(folder), "VIRTUAL_ENV": sys.prefix,
           "TIDEGATE_LOCAL": "1", "XDG_CACHE_HOME": str(tmp_path / "cache"),
           "PATH": os.environ["PATH"]}  # fmt: skip
    done = subprocess.run([tmp_path / "bare/bin/python", "-m", "tidegate", "status"], env=env,
                          cwd=project.root, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert "pending" in done.stdout, done.stderr
