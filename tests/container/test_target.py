"""What is pending stands in the order of application, and a target counts what it needs."""

from __future__ import annotations

import json
from collections.abc import Callable

from support.gate import Database, Runner
from support.projects import SmallProject, put

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
APPS = '["shop", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"]'


def many(make_project: MakeProject) -> SmallProject:
    """A project with Django's own apps, which need each other in no simple order."""
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    put(settings, settings.read_text().replace('["shop"]', APPS))
    return project


def test_pending_as_applied(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """status names the pending steps in the very order in which Django then applies them."""
    project, database = many(make_project), fresh("sqlite")

    def pending(seed: str) -> list[str]:
        env = {**database.environ, "PYTHONHASHSEED": seed}
        done = tidegate("status", "--format", "json", cwd=project.root, env=env)
        found: list[str] = json.loads(done.out)["databases"][0]["pending"]
        return found

    first = pending("1")
    assert pending("2") == first
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 0
    assert database.rows("SELECT step FROM tidegate_step ORDER BY position") == first


def test_head_of_several(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """Of several Alembic heads `head` means none: refused at once; `heads` applies them all."""
    project, database = make_project("alembic"), fresh("sqlite")
    side = project.add("SELECT 1", name="side", after=project.ids[0])
    done = tidegate("migrate", "head", cwd=project.root, env=database.environ)
    assert (done.code, "elect" in done.err) == (2, False), done.said
    assert f"head means several steps: {project.ids[1]}, {side}" in done.err
    done = tidegate("migrate", "heads", cwd=project.root, env=database.environ)
    assert (done.code, "done (3 of 3)" in done.err) == (0, True), done.said


def test_target(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """`migrate app 0001`, as Django takes it, applies and counts what that step needs; what is
    there already is said so, and nobody is elected for it."""
    project, database = many(make_project), fresh("sqlite")

    def migrated(*words: str) -> str:
        done = tidegate("migrate", *words, cwd=project.root, env=database.environ)
        assert done.code == 0, done.said
        return done.err

    said = migrated("auth", "0001")
    assert "this process migrates: 2 steps pending" in said
    assert "done (2 of 2)" in said
    again = migrated("auth.0001_initial")
    assert "nothing to apply for auth.0001_initial" in again
    assert "elect" not in again
    assert database.runs() == ["done"]
    whole = migrated("shop")
    assert "this process migrates: 2 steps pending" in whole
    assert database.tables()[-2:] == ["made_1", "made_2"]
