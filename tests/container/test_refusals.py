"""What the gate refuses, before anything is done: each with its own code, cause and remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.gate import APP, Database, Runner
from support.postgres import PASSWORD, SUPERUSER
from support.projects import SmallProject, put

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]


@pytest.fixture
def django(make_project: MakeProject) -> SmallProject:
    return make_project("django")


def test_direct_url_to_another_database(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """A direct way that ends in another database is refused with 4 and both names, untouched; one
    without a name or a login ends in the project's."""
    project, ours, other = make_project("alembic"), fresh("newest"), fresh("newest")
    assert other.server
    env = {**ours.environ, "TIDEGATE_DIRECT_URL": other.url}
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, done.out) == (4, ""), done.said
    for word in ("TIDEGATE_DIRECT_URL", ours.name, other.name):
        assert word in done.err
    everything = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert (ours.rows(everything), other.rows(everything)) == ([], [])

    env["TIDEGATE_DIRECT_URL"] = f"postgresql://{other.server.host}:{other.server.port}"
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert done.code == 0, done.said
    assert (ours.tables(), other.tables()) == (["made_1", "made_2"], [])


def test_missing_driver(tidegate: Runner, django: SmallProject, fresh: Fresh, tmp_path: Path):
    """Without a driver boot and status end with 4 at once, and name what to install."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("django", "asgiref", "sqlparse", "tidegate", "typing_extensions"):
        spec = find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            origin = origin.parent if origin.name == "__init__.py" else origin
            (packages / origin.name).symlink_to(origin)
    env = {**fresh("newest").environ, "PYTHONPATH": str(packages)}
    for words in (("boot", "--", *APP), ("status",)):
        done = tidegate(*words, cwd=django.root, env=env, python=["-S"])
        assert (done.code, done.out) == (4, ""), done.said
        assert "next: pip install 'psycopg[binary]'" in done.err
        assert "is ready" not in done.err


def test_settings_module_that_is_not_there(tidegate: Runner, django: SmallProject):
    """The message says where the name of the settings module came from."""
    env = {"DJANGO_SETTINGS_MODULE": "nope.settings"}
    done = tidegate("status", cwd=django.root, env=env)
    assert (done.code, done.out) == (2, ""), done.said
    assert "there is no settings module nope.settings" in done.err
    assert "DJANGO_SETTINGS_MODULE in the environment" in done.err
    put(django.root / "manage.py", (django.root / "manage.py").read_text().replace("config.", "x."))
    done = tidegate("status", cwd=django.root, env={})
    assert f"The name comes from {django.root}/manage.py" in done.err


def test_no_right_to_read_what_is_applied(tidegate: Runner, django: SmallProject, fresh: Fresh):
    """A role that may log in and not read the rows is told which GRANT it lacks; status keeps its
    table, and its last line is the remedy, as for a wrong password."""
    database = fresh("newest")
    assert database.server
    assert tidegate("migrate", cwd=django.root, env=database.environ).code == 0
    database.server.sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    try:
        env = {"DATABASE_URL": database.url.replace(f"//{SUPERUSER}:", "//reader:")}
        status = tidegate("status", "--format", "json", cwd=django.root, env=env)
        found = json.loads(status.out)
        assert (status.code, found["databases"][0]["state"]) == (0, "unreachable"), status.said
        assert "permission denied for table django_migrations" in found["databases"][0]["why"]
        assert 'GRANT SELECT ON django_migrations TO "reader"' in found["next"]
        done = tidegate("boot", "--", *APP, cwd=django.root, env=env)
        assert (done.code, "GRANT CONNECT" in done.err) == (4, False), done.said
    finally:
        database.server.sql("DROP ROLE reader")
    env = {"DATABASE_URL": database.url.replace(f":{PASSWORD}@", ":wrong@")}
    wrong = tidegate("status", cwd=django.root, env=env)
    assert f"{database.server.host}:{database.server.port} refuses the password" in wrong.out
    assert "ALTER ROLE" in wrong.out.splitlines()[-1]


def test_two_last_steps(tidegate: Runner, django: SmallProject, fresh: Fresh):
    """Two branches of an app: status says which steps are not joined, nothing elects, 2."""
    database = fresh("sqlite")
    other = django.add("SELECT 1", name="other", after=django.ids[0])
    status = tidegate("status", cwd=django.root, env=database.environ)
    assert f"not joined {django.ids[1]}, {other}" in status.out
    assert "next: tidegate make --merge" in status.out
    for words in (("boot", "--", *APP), ("migrate",)):
        done = tidegate(*words, cwd=django.root, env=database.environ)
        assert (done.code, done.out) == (2, ""), done.said
        assert f"shop has 2 last steps: {django.ids[1]}, {other}" in done.err
        assert "next: tidegate make --merge" in done.err
        assert "this process migrates" not in done.err
    assert database.tables() == []


def test_commands_that_can_not_start(tidegate: Runner, django: SmallProject, fresh: Fresh):
    """126 and 127 as a shell has them, with what to do, and before anything is applied."""
    database = fresh("sqlite")
    script = django.root / "start.sh"
    script.write_text("#!/bin/sh\r\nexec true\r\n")
    plain = django.root / "plain.sh"
    plain.write_text("exec true\n")
    plain.chmod(0o755)
    cases = {"./nope": 127, "/": 126, "./plain.sh": 126}
    if os.geteuid():
        cases["./start.sh"] = 126  # root's access() says yes where any execute bit is set
    for name, code in cases.items():
        done = tidegate("boot", "--", name, cwd=django.root, env=database.environ)
        assert (done.code, "next:" in done.err) == (code, True), done.said
    script.chmod(0o755)
    done = tidegate("wait", "--", "./start.sh", cwd=django.root, env=database.environ)
    assert (done.code, "as Windows does" in done.err) == (127, True), done.said
    assert database.tables() == []


@pytest.mark.parametrize("flavour", ["django-newest", "alembic-sqlite"])
def test_a_table_that_two_steps_make(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, flavour: str
):
    """The other step is named, with its file; nobody is told of tables that were made by hand. Of
    two branches of Alembic it is said, too."""
    kind, which = flavour.split("-")
    project, database = make_project(kind, steps=1), fresh(which)
    first = project.ids[0]
    after = "" if kind == "alembic" else first
    twice = project.add("CREATE TABLE made_1 (id integer)", after=after)
    done = tidegate("migrate", cwd=project.root, env=database.environ)
    assert done.code == 5, done.said
    # Of two roots Alembic takes either one first.
    made, failed = (first, twice) if f"step {twice} failed" in done.err else (twice, first)
    file = project.files[made].resolve()
    assert f"Step {made} makes it too, and is applied: {file}." in done.err
    assert f"take out of {failed} what {made} makes" in done.err
    assert "by hand" not in done.err
    assert ("no step is below both" in done.err) == (kind == "alembic")
