"""`migrate` looks at the pending steps before it applies them; `boot` uses a plan's forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gate import Database, Ended, Runner
from support.projects import SmallProject

Make = Callable[..., SmallProject]
Migrate = Callable[..., Ended]
DROP = "ALTER TABLE made_1 DROP COLUMN id"


@pytest.fixture
def migrate(tidegate: Runner, tmp_path: Path) -> Migrate:
    """Run a verb on a database, with a home of its own."""

    def run(project: SmallProject, database: Database, *words: str, **env: str) -> Ended:
        home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path)}
        return tidegate(*(words or ("migrate",)), cwd=project.root, timeout=90,
                        env={**database.environ, **home, "TIDEGATE_LOCAL": "1", **env})  # fmt: skip

    return run


def word(done: Ended) -> str:
    """The word that a refusal names."""
    assert done.code == 6, done.said
    assert "Nothing was applied." in done.err
    found = done.err.partition("--approve ")[2].split()
    assert found, done.said
    return found[0]


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_what_loses_data_needs_a_word(
    framework: str, make_project: Make, deployed: Any, migrate: Migrate
) -> None:
    """A dropped column is not applied without the word for exactly these steps, and is with it."""
    project = make_project(framework)
    database = deployed(project)
    drop = project.add(DROP)
    read = ("migrate", "--look", "read")
    first = word(migrate(project, database, *read))
    project.add("DROP TABLE made_2")
    second = word(migrate(project, database, *read, "--approve", first))
    assert first != second
    assert word(migrate(project, database, "migrate", drop, "--look", "read")) == first
    assert "made_2" in database.tables()
    agent = migrate(project, database, "migrate", "--approve", second, TIDEGATE_AGENT="robot")
    assert (agent.code, "a person types, on a terminal" in agent.err) == (6, True), agent.said
    done = migrate(project, database, *read, "--approve", second)
    assert done.code == 0, done.said
    assert "made_2" not in database.tables()


def test_who_is_asked(make_project: Make, deployed: Any, fresh: Any, migrate: Migrate) -> None:
    """A new database has nothing to lose, a job has nobody to ask, and an agent is asked."""
    project = make_project("alembic")
    database = deployed(project)
    project.add(DROP)
    empty = fresh("newest")
    assert migrate(project, empty, "migrate", "--look", "read").code == 0
    assert word(migrate(project, database, TIDEGATE_AGENT="robot"))
    assert migrate(project, database, TIDEGATE_AGENT="robot", TIDEGATE_LOOK="never").code == 0
    project.add("DROP TABLE made_2")
    assert migrate(project, database).code == 0


def test_a_rehearsal_first(make_project: Make, deployed: Any, migrate: Migrate) -> None:
    """`--look rehearse` applies nothing where a step fails on the copy, and what it ran else."""
    project = make_project("alembic")
    database = deployed(project)
    wrong = project.add("CREATE TABLE good (id integer)", "SELECT 1 / 0")
    done = migrate(project, database, "migrate", "--look", "rehearse")
    assert done.code == 1, done.said
    assert "the rehearsal speaks against it" in done.err
    assert "good" not in database.tables()
    project.remove(wrong)
    project.add("CREATE INDEX by_id ON made_1 (id)")
    done = migrate(project, database, "migrate", "--online")
    assert done.code == 0, done.said
    assert "online: CREATE INDEX CONCURRENTLY by_id" in done.err
    assert "1 of 1 steps are applied" in done.err
    again = migrate(project, database, "migrate", "--online")
    assert (again.code, "nothing is pending" in again.err) == (0, True), again.said
    up_to = migrate(project, database, "migrate", "head", "--online")
    assert up_to.code == 2
    assert "not up to head" in up_to.err


def test_a_start_uses_the_forms_of_a_plan(
    make_project: Make, deployed: Any, plan: Any, migrate: Migrate, tmp_path: Path
) -> None:
    """`boot --forms` runs a step in the forms that were proved for its code, and no other step."""
    project = make_project("alembic")
    database = deployed(project)
    project.add("CREATE INDEX by_id ON made_1 (id)")
    edited = project.add("CREATE INDEX second ON made_2 (id)")
    planned = plan(project, database.url, "--online")
    file = project.files[edited]
    file.write_text(file.read_text().replace("second", "other"))
    words = ("boot", "--forms", str(planned.path), "--", "true")
    done = migrate(project, database, *words)
    assert done.code == 0, done.said
    assert "online: CREATE INDEX CONCURRENTLY by_id" in done.err
    assert "CONCURRENTLY other" not in done.err
    history = migrate(project, database, "history", "--step", project.ids[-2]).out
    (number,) = re.findall(r"^ *(\d+) ", history, re.MULTILINE)[:1]
    assert "CREATE INDEX CONCURRENTLY by_id" in migrate(project, database, "history", number).out
    names = database.rows("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
    assert {"by_id", "other"} <= set(names)


def test_a_password_that_is_a_word_of_the_schema(
    make_project: Make, deployed: Any, plan: Any
) -> None:
    """What the dump says is taken as it is, whatever the password masks in messages."""
    project = make_project("alembic")
    database = deployed(project)
    database.rows("CREATE ROLE planner LOGIN PASSWORD 'made' IN ROLE pg_read_all_data")
    try:
        project.add("ALTER TABLE made_1 ADD COLUMN more integer")
        host = database.url.partition("@")[2]
        planned = plan(project, f"postgresql://planner:made@{host}")
        assert planned.document["steps"][0]["applied"], planned.ended.said
        assert planned.document["rehearsal"]["not_restored"] == []
    finally:
        database.rows("DROP ROLE planner")
