"""`tidegate status`, end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from support.gate import APP, Database, Runner
from support.postgres import PASSWORD, free_port
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

KEYS = {"alias", "vendor", "state", "applied", "pending", "unknown", "edited", "heads"}


def status(
    runner: Runner, project: SmallProject, env: dict[str, str], *flags: str
) -> tuple[int, dict[str, Any]]:
    """The exit code and the one database of the JSON document."""
    done = runner("--format", "json", "status", *flags, cwd=project.root, env=env)
    found = json.loads(done.out)
    named = {key: found["project"][key] for key in ("framework", "root")}
    assert named == {"framework": project.framework, "root": str(project.root)}
    assert set(found) >= {"project", "databases", "services"}
    (one,) = found["databases"]
    assert set(one) >= KEYS
    return done.code, one


def migrate(runner: Runner, project: SmallProject, database: Database) -> None:
    done = runner("boot", "--", *APP, cwd=project.root, env=database.environ)
    assert done.code == 0, done.said


def stable(project: SmallProject, database: Database, **found: object) -> dict[str, object]:
    """The stable keys as they are when nothing is said against the database."""
    return {
        "alias": "default" if project.framework == "django" else "alembic",
        "vendor": database.vendor,
        "pending": [],
        "unknown": [],
        "edited": [],
        "heads": project.ids[-1:],
        **found,
    }


def only_stable(one: dict[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in KEYS}


def test_empty(tidegate: Runner, project: SmallProject, database: Database):
    """An empty database: every step is pending, in order, and status writes nothing."""
    code, one = status(tidegate, project, database.environ)
    expected = stable(project, database, state="empty", applied=0, pending=project.ids)
    assert (code, only_stable(one)) == (0, expected)
    if database.server:
        assert database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    assert status(tidegate, project, database.environ, "--check")[0] == 1


def test_current(tidegate: Runner, project: SmallProject, database: Database):
    """A current database: nothing pending, and --check says yes."""
    migrate(tidegate, project, database)
    code, one = status(tidegate, project, database.environ, "--check")
    assert (code, only_stable(one)) == (0, stable(project, database, state="current", applied=2))


def test_behind(tidegate: Runner, project: SmallProject, database: Database):
    """A database behind: the missing step is named, and --check says no."""
    migrate(tidegate, project, database)
    new = project.add("SELECT 1")
    code, one = status(tidegate, project, database.environ, "--check")
    expected = stable(project, database, state="behind", applied=2, pending=[new])
    assert (code, only_stable(one)) == (1, expected)


def test_ahead(tidegate: Runner, project: SmallProject, database: Database):
    """A database ahead: the unknown step is named, and --check says no."""
    migrate(tidegate, project, database)
    gone = project.ids[-1]
    project.remove(gone)
    code, one = status(tidegate, project, database.environ, "--check")
    expected = stable(project, database, state="ahead", applied=1, unknown=[gone])
    assert (code, only_stable(one)) == (1, expected)


def test_diverged(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A diverged database: what either side lacks is named."""
    database = fresh("newest")
    migrate(tidegate, project, database)
    first, gone = project.ids
    project.remove(gone)
    other = project.add("SELECT 1", name="other", after=first)
    code, one = status(tidegate, project, database.environ, "--check")
    expected = stable(
        project, database, state="diverged", applied=1, pending=[other], unknown=[gone]
    )
    assert (code, only_stable(one)) == (1, expected)


def test_edited(tidegate: Runner, project: SmallProject, database: Database):
    """A file edited after it was applied is named; the database is current all the same."""
    migrate(tidegate, project, database)
    step = project.ids[0]
    project.files[step].write_text(project.files[step].read_text() + "# a word more\n")
    code, one = status(tidegate, project, database.environ)
    expected = stable(project, database, state="current", applied=2, edited=[step])
    assert (code, only_stable(one)) == (0, expected)


def test_two_heads(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Two heads in the code are both named."""
    database = fresh("sqlite")
    other = project.add("SELECT 1", name="other", after=project.ids[0])
    _, one = status(tidegate, project, database.environ)
    assert one["heads"] == sorted([project.ids[1], other])
    assert sorted(one["pending"]) == sorted(project.ids)


def test_unreachable(tidegate: Runner, project: SmallProject):
    """A server that is not there is a state, not a crash: said at once, --check says no."""
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{free_port()}/app"
    for flags, expected in (((), 0), (("--check",), 1)):
        code, one = status(tidegate, project, {"DATABASE_URL": url}, *flags)
        assert (code, one["state"], one["applied"], one["pending"]) == (
            expected, "unreachable", 0, [],
        )  # fmt: skip
        assert one["heads"] == project.ids[-1:]


def test_text(tidegate: Runner, project: SmallProject, database: Database):
    """The text for people names the state and each pending step."""
    done = tidegate("status", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said
    assert "empty: 0 applied, 2 pending" in done.out
    assert all(step in done.out for step in project.ids)


def test_unknown_word(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A word that status does not know is refused with 2."""
    done = tidegate("status", "everything", cwd=project.root, env=fresh("sqlite").environ)
    assert (done.code, done.out) == (2, ""), done.said


def test_the_last_line_says_what_to_do(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
) -> None:
    """For people status ends with what to type next, whatever the state; -q is taken anywhere."""
    project, database = make_project("alembic", 2), fresh("sqlite")

    def last(**env: str) -> str:
        done = tidegate("status", cwd=project.root, env={**database.environ, **env})
        return done.out.splitlines()[-1]

    assert last() == "next: tidegate migrate    (alembic lacks 2 steps)"
    silent = tidegate("migrate", "-q", cwd=project.root, env=database.environ)
    assert (silent.code, silent.out, silent.err) == (0, "", "")
    assert last() == "next: nothing to do"
    away = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    assert last(DATABASE_URL=away).startswith("next: tidegate wait ")
    side = project.add("SELECT 1", after=project.ids[0])
    assert last() == "next: tidegate make --merge    (alembic has 2 heads)"
    project.remove(side)
    project.remove(project.ids[-1])
    assert last().startswith("next: start the newer release")
    told = tidegate("--format", "json", "settings", cwd=project.root, env=database.environ)
    found = json.loads(told.out)["tidegate"]
    assert [found[name]["value"] for name in ("framework", "databases")] == ["alembic"] * 2
    for verb in (["up"], ["logs"], ["run", "--", "ls"]):
        none = tidegate(*verb, cwd=project.root, env={})
        assert (none.code, "tidegate init" in none.err) == (2, True), none.said
