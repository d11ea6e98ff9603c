"""`tidegate check --plan`: what the review says, weighed by what the rehearsal measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gate import Database, Runner
from support.projects import SmallProject

Make = Callable[..., SmallProject]
Deploy = Callable[..., Database]
INDEX = "CREATE INDEX made_1_id ON made_1 (id)"


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: Make) -> SmallProject:
    return make_project(request.param)


@pytest.fixture
def alembic(make_project: Make) -> SmallProject:
    """A project, where the framework plays no part."""
    return make_project("alembic")


def checked(tidegate: Runner, project: SmallProject, plan: Path, code: int) -> list[dict[str, Any]]:
    words = ("--format", "json", "check", "--no-baseline", "--plan", str(plan))
    done = tidegate(*words, cwd=project.root, env={"TIDEGATE_CACHE": "off"})
    assert done.code == code, done.said
    found: list[dict[str, Any]] = json.loads(done.out)["findings"]
    return found


def sized(database: Database, rows: int, pages: int) -> None:
    said = f"UPDATE pg_class SET reltuples = {rows}, relpages = {pages} WHERE relname = 'made_1'"
    database.rows(said)


def test_a_size_decides(
    project: SmallProject, deployed: Deploy, plan: Any, tidegate: Runner
) -> None:
    """The index is for information on 12 rows and an error on 40 million, with the reason."""
    database = deployed(project)
    project.add(INDEX)
    for rows, pages, severity in ((12, 1, "info"), (40_000_000, 300_000, "error")):
        sized(database, rows, pages)
        made = plan(project, database.url)
        found = checked(tidegate, project, made.path, int(severity == "error"))
        (one,) = [each for each in found if each["rule"] == "index-without-concurrently"]
        assert one["severity"] == severity
        (measured,) = [each["note"] for each in one["also"] if "measured: " in each["note"]]
        assert f"{rows:,} rows" in measured


def test_what_no_statement_does_is_harmless(
    make_project: Make, deployed: Deploy, plan: Any, tidegate: Runner
) -> None:
    """A rewrite that the server leaves out, in a session whose zone is UTC, is for information."""
    project = make_project("django")
    project.add("ALTER TABLE made_1 ADD COLUMN at timestamp")
    database = deployed(project)
    project.add("ALTER TABLE made_1 ALTER COLUMN at TYPE timestamptz")
    sized(database, 40_000_000, 300_000)
    made = plan(project, database.url)
    found = checked(tidegate, project, made.path, 0)
    (one,) = [each for each in found if each["rule"] == "type-change-rewrites"]
    assert one["severity"] == "info"
    assert one["also"][-1]["note"].startswith(
        "measured: no statement of this step reads or writes rows under its lock"
    )


def test_a_file_that_changed_since_is_judged_by_itself(
    alembic: SmallProject, deployed: Deploy, plan: Any, tidegate: Runner
) -> None:
    """The plan's word is not taken for it: the error stays, and the step is named."""
    database = deployed(alembic)
    step = alembic.add(INDEX)
    made = plan(alembic, database.url)
    with alembic.files[step].open("a", encoding="utf-8") as file:
        file.write("# more\n")
    (one,) = [each for each in checked(tidegate, alembic, made.path, 1)
              if each["rule"] == "index-without-concurrently"]  # fmt: skip
    assert one["severity"] == "error"
    done = tidegate("check", "--plan", str(made.path), cwd=alembic.root, env={})
    assert f"changed since the rehearsal: {step}" in done.out


def test_without_a_target_nothing_is_lowered(
    alembic: SmallProject, plan: Any, tidegate: Runner
) -> None:
    """A plan that knows no sizes says what it saw, and the severity stays."""
    alembic.add(INDEX)
    made = plan(alembic, "postgresql://no:no@127.0.0.1:1/none", "--from", alembic.ids[1])
    found = checked(tidegate, alembic, made.path, 1)
    assert "error" in [each["severity"] for each in found
                       if each["rule"] == "index-without-concurrently"]  # fmt: skip


def test_what_only_the_rehearsal_sees_is_added(
    make_project: Make, deployed: Deploy, plan: Any, tidegate: Runner
) -> None:
    """Tables that go with their data are among the findings, with the place and the reason."""
    project = make_project("django")
    database = deployed(project)
    project.add("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'made_1'; END $$")
    made = plan(project, database.url)
    found = checked(tidegate, project, made.path, 1)
    assert "running-release-breaks" in [each["rule"] for each in found]
    (one,) = [each for each in found if each["rule"] == "data-loss"]
    assert [each["note"] for each in one["also"]] == ["seen in the rehearsal"]


@pytest.mark.parametrize("text", ["no JSON", "{}", None])
def test_a_file_that_is_no_plan(
    make_project: Make, tidegate: Runner, tmp_path: Path, text: str | None
) -> None:
    """Exit 2, with the command that writes one."""
    path = tmp_path / "it.json"
    if text is not None:
        path.write_text(text, "utf-8")
    done = tidegate("check", "--plan", str(path), cwd=make_project("django").root, env={})
    assert done.code == 2
    assert f"tidegate plan -o {path}" in done.said
