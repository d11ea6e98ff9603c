"""Migrations that lie where the configuration says, and not where they usually do."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import ALEMBIC, DJANGO, OFF, ORDERS, Django, said
from tidegate.model.finding import Findings
from tidegate.workflows.check.fixing import fix
from tidegate.workflows.check.review import review
from tidegate.workflows.check.settings import load

pytest.importorskip("pgparse")
INDEX = 'migrations.AddIndex("order", models.Index(fields=["total"], name="o_total")),'


def revision(path: Path, name: str, down: object, upgrade: str) -> None:
    """Write one Alembic revision."""
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{name}.py").write_text(
        f"{ALEMBIC}\nrevision = {name!r}\ndown_revision = {down!r}\n\n\n"
        f"def upgrade():\n    {upgrade}\n\n\ndef downgrade():\n    pass\n",
        "utf-8",
    )


def history(first: Path, second: Path) -> None:
    """Write a table in one folder, and a hazard for it in another."""
    revision(first, "a1", None, 'op.create_table("orders", sa.Column("total", sa.Integer()))')
    revision(second, "a2", "a1", 'op.create_index("o_total", "orders", ["total"])')


def reviewed(root: Path, environ: dict[str, str] = OFF) -> list[tuple[str, str]]:
    """Return path and rule of what is said aloud of the hazard."""
    found = review(str(root), environ=environ)
    return [(x.place.path, x.rule) for x in found.findings if x.rule.startswith("index-")]


@pytest.mark.parametrize(("file", "text"), [
    ("alembic.ini", "[alembic]\nscript_location = db\n"
     "version_locations = %(here)s/one/steps:%(here)s/two/steps\npath_separator = :\n"),
    ("alembic.ini", "[alembic]\nscript_location = %(here)s/db\n"
     "version_locations =\n    one/steps\n    two/steps\npath_separator = newline\n"),
    ("conf/alembic.ini", "[alembic]\nscript_location = db\n"
     "version_locations = one:steps, two:steps\n"),
    ("pyproject.toml", '[tool.alembic]\nscript_location = "%(here)s/db"\n'
     'version_locations = ["%(here)s/one/steps", "%(here)s/two/steps"]\n'),
])  # fmt: skip
def test_revisions_outside_of_the_environment(tmp_path: Path, file: str, text: str) -> None:
    """`version_locations` names folders of revisions; none of them is left unread."""
    (tmp_path / "db").mkdir()
    for name in ("env.py", "script.py.mako"):
        (tmp_path / "db" / name).write_text("", "utf-8")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, "utf-8")
    history(tmp_path / "one" / "steps", tmp_path / "two" / "steps")
    assert reviewed(tmp_path) == [("two/steps/a2.py", "index-without-concurrently")]


def test_an_environment_without_a_template(tmp_path: Path) -> None:
    """The configuration names the folder; script.py.mako is for new revisions only."""
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = db\n", "utf-8")
    history(tmp_path / "db" / "versions", tmp_path / "db" / "versions")
    (tmp_path / "db" / "env.py").write_text("", "utf-8")
    assert reviewed(tmp_path) == [("db/versions/a2.py", "index-without-concurrently")]


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Two apps whose migrations MIGRATION_MODULES puts into one package."""
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    for app in ("shop", "desk"):
        folder = tmp_path / "db" / f"{app}_steps"
        folder.mkdir(parents=True)
        for name, needs, operation in (
            ("0001_initial", [], ORDERS), ("0002_index", [(app, "0001_initial")], INDEX),
        ):  # fmt: skip
            (folder / f"{name}.py").write_text(
                f"{DJANGO}\n\nclass Migration(migrations.Migration):\n"
                f"    dependencies = {needs!r}\n    operations = [\n        {operation}\n    ]\n",
                "utf-8",
            )
    return tmp_path


def test_migrations_that_django_is_told_to_find_elsewhere(moved: Path) -> None:
    """The files say whose they are, with a cache too: two apps, their tables, no second head."""
    kept = {"TIDEGATE_CACHE": str(moved / "cache")}
    for _ in range(2):
        found = review(str(moved), environ=kept)
        assert sorted(one.rule for one in found.findings) == ["index-without-concurrently"] * 2
        assert {one.message.split()[3] for one in found.findings} == {"shop_order", "desk_order"}


def test_a_fix_there_depends_on_the_right_app(moved: Path) -> None:
    """What a rewrite adds is a migration of the app, not of the package."""
    path = moved / "db" / "shop_steps" / "0002_index.py"
    more = '        migrations.AddField("order", "note", models.TextField(null=True)),\n    ]\n'
    path.write_text(path.read_text("utf-8").replace("    ]\n", more), "utf-8")
    made = fix(str(moved), (), "", None, "", OFF).tree
    (new,) = made.new
    assert new.startswith("db/shop_steps/0003_")
    assert '("shop", "0002_index")' in made.texts[new]


def test_numbered_files_beside_the_package_are_no_migrations(tmp_path: Path) -> None:
    """A file of the app's own folder is never run: Django looks into its package only."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    stray = project.add("0002_index", INDEX)
    stray.rename(tmp_path / "shop" / stray.name)
    assert project.check().extra["checked"] == 1


def test_a_beginning_that_is_cut_in_two(tmp_path: Path) -> None:
    """Django writes 0002_initial where models of two apps point at each other: no table is old."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS, body="    initial = True\n")
    second = project.add("0002_initial", INDEX, body="    initial = True\n")
    assert said(project.check()) == []
    second.write_text(second.read_text("utf-8").replace("    initial = True\n", ""), "utf-8")
    assert said(project.check()) == ["index-without-concurrently"]


def found_settings(root: Path, depth: str, engine: str) -> tuple[str, str]:
    """Return the database and user model of a project whose settings lie so deep."""
    folder = root / depth
    folder.mkdir(parents=True)
    (root / "manage.py").write_text("", "utf-8")
    (folder / "settings.py").write_text(
        f'DATABASES = {{"default": {{"ENGINE": "django.db.backends.{engine}"}}}}\n'
        'AUTH_USER_MODEL = "people.Person"\n',
        "utf-8",
    )
    found = load(str(root))
    return found.database, found.user


@pytest.mark.parametrize("depth", ["site", "src/site"])
def test_settings_of_a_package_inside(tmp_path: Path, depth: str) -> None:
    """The database and the user model are found two folders down as well."""
    assert found_settings(tmp_path, depth, "sqlite3") == ("sqlite", "people.Person")


def test_what_stays_unread_is_not_passed_over(tmp_path: Path) -> None:
    """Operations that are added outside of the class are unread: the file is not empty."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    path = project.add("0002_more", "")
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n\nMigration.operations.append({INDEX.rstrip(',')})\n")
    found: Findings = project.check()
    assert [(one.rule, one.severity) for one in found.findings] == [("unread", "info")]
