"""Django's ways with history: squashes, run_before, a swappable user."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from support.gate import Database
from support.trees import MANAGE, Tree, make, migration

Fresh = Callable[[str], Database]

SETTINGS = """\
import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = APPS
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": url.hostname, "PORT": url.port,
    "USER": url.username, "PASSWORD": url.password, "NAME": url.path[1:]}}
"""

SQUASH = "shop/migrations/0001_squashed_0003.py"
OLD = ["0001_initial", "0002_two", "0003_three"]
REPLACES = [("shop", name) for name in OLD]


def django(tree: Tree, database: Database, *apps: str) -> None:
    tree.environ = database.environ
    tree.write(
        {
            "manage.py": MANAGE,
            "config/__init__.py": "",
            "config/settings.py": SETTINGS.replace("= APPS", f"= {list(apps)}"),
        }
    )
    for app in apps:
        if "." not in app:
            tree.write({f"{app}/__init__.py": "", f"{app}/migrations/__init__.py": ""})


def step(tree: Tree, app: str, name: str, operations: str, **attributes: object) -> None:
    tree.write({f"{app}/migrations/{name}.py": migration(operations, **attributes)})


def history(tree: Tree, upto: int = 3) -> None:
    """`shop` with three steps that make a table each."""
    for number, name in enumerate(OLD[:upto]):
        needs = [("shop", OLD[number - 1])] if number else []
        step(tree, "shop", name, make(f"t{number + 1}"), dependencies=needs)


def squash(tree: Tree, replaces: Sequence[tuple[str, str]] = REPLACES) -> None:
    operations = "\n".join(make(f"t{number}") for number in (1, 2, 3))
    tree.write({SQUASH: migration(operations, replaces=list(replaces))})


def remove_old(tree: Tree) -> None:
    for name in OLD:
        (tree.root / f"shop/migrations/{name}.py").unlink()


def recorded(database: Database) -> list[str]:
    return database.rows("SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY name")


def seal(tree: Tree) -> None:
    given, tree.environ = tree.environ, {}
    done = tree.run("seal")
    tree.environ = given
    assert done.code == 0, done.said


@pytest.fixture
def database(fresh: Fresh) -> Database:
    return fresh("newest")


TABLES = ["t1", "t2", "t3"]


def test_squash_on_an_empty_database(tree: Tree, database: Database):
    """An empty database gets the squash alone; the fast path then knows it as current, and the
    history has no word against the old steps that Django records with it."""
    django(tree, database, "shop")
    history(tree)
    squash(tree)
    seal(tree)
    assert tree.databases()["default"]["pending"] == ["shop.0001_squashed_0003"]
    tree.boot()
    assert database.tables() == TABLES
    assert recorded(database) == sorted([*OLD, "0001_squashed_0003"])
    assert tree.states() == {"default": "current"}
    assert "| django" not in tree.boot(traced=True).err
    assert "not on record" not in tree.run("history").said


@pytest.mark.parametrize("files", ["kept", "removed"])
def test_squash_on_an_old_database(files: str, tree: Tree, database: Database):
    """A database with all of the old steps is current, before and after their files are gone."""
    django(tree, database, "shop")
    history(tree)
    tree.boot()
    squash(tree)
    if files == "removed":
        remove_old(tree)
    seal(tree)
    done = tree.boot()
    assert "warning" not in done.err
    assert database.tables() == TABLES
    assert tree.states() == {"default": "current"}
    tree.boot()
    assert tree.own("django", "migrate", "--check", "--settings", "config.settings") == ""


def test_squash_on_a_half_database(tree: Tree, database: Database):
    """A database with a part of the old steps gets the rest of them, not the squash."""
    django(tree, database, "shop")
    history(tree, 2)
    tree.boot()
    history(tree)
    squash(tree)
    assert tree.databases()["default"]["pending"] == ["shop.0003_three"]
    tree.boot()
    assert database.tables() == TABLES
    assert tree.states() == {"default": "current"}


def test_squash_on_a_half_database_without_the_old_files(tree: Tree, database: Database):
    """Where the files of the rest are gone, nothing is applied behind the gap."""
    django(tree, database, "shop")
    history(tree, 2)
    tree.boot()
    for name in OLD[:2]:
        (tree.root / f"shop/migrations/{name}.py").unlink()
    squash(tree)
    step(tree, "shop", "0004_four", make("t4"), dependencies=[("shop", "0001_squashed_0003")])
    assert tree.states() == {"default": "behind"}
    done = tree.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "shop.0001_squashed_0003 replaces shop.0003_three" in done.err
    assert database.tables() == ["t1", "t2"]


def test_squash_is_written_down(tree: Tree, database: Database):
    """Boot records a squash that stands for applied steps: without that it would run one day.

    Django's own `migrate` does so too, even when it has nothing to apply.
    """
    django(tree, database, "shop")
    history(tree)
    tree.boot()
    squash(tree)
    seal(tree)
    done = tree.boot()
    assert "shop.0001_squashed_0003 to be written down" in done.err
    assert recorded(database) == sorted([*OLD, "0001_squashed_0003"])
    assert "| django" not in tree.boot(traced=True).err
    remove_old(tree)
    squash(tree, [])
    done = tree.boot()
    assert "ahead" in done.err  # the old rows are unknown now
    assert database.tables() == TABLES
    tree.own("django", "migrate", "shop", "--prune", "--settings", "config.settings")
    assert tree.states() == {"default": "current"}


def test_squash_before_one_that_only_waits(tree: Tree, database: Database):
    """A boot that never migrates starts before a squash that is not written down yet."""
    django(tree, database, "shop")
    history(tree)
    tree.boot()
    squash(tree)
    tree.boot("--when-behind", "wait")
    tree.boot("--when-behind", "fail")
    assert recorded(database) == OLD


def test_squash_that_others_depend_on(tree: Tree, database: Database):
    """A step that depends on a replaced one comes after the squash that stands for it."""
    django(tree, database, "shop", "desk")
    history(tree)
    squash(tree)
    needs = [("shop", "0002_two")]
    step(tree, "desk", "0001_initial", "migrations.RunSQL('INSERT INTO t2 VALUES (1)')",
         dependencies=needs)  # fmt: skip
    tree.boot()
    assert database.rows("SELECT count(*) FROM t2") == ["1"]
    assert tree.states() == {"default": "current"}


def test_run_before(tree: Tree, database: Database):
    """A step with run_before comes before a step of an app that knows nothing of it."""
    django(tree, database, "shop", "zoo")
    insert = "migrations.RunSQL('INSERT INTO animals VALUES (1)')"
    step(tree, "shop", "0001_initial", insert)
    step(tree, "zoo", "0001_initial", make("animals"), run_before=[("shop", "0001_initial")])
    seal(tree)
    pending = ["zoo.0001_initial", "shop.0001_initial"]
    assert tree.databases()["default"]["pending"] == pending
    tree.boot()
    assert database.rows("SELECT count(*) FROM animals") == ["1"]


def test_first_and_latest(tree: Tree, database: Database):
    """`__first__` and `__latest__` mean the first and the last step of the other app."""
    django(tree, database, "shop", "desk")
    history(tree)
    insert = "migrations.RunSQL('INSERT INTO {} VALUES (1)')"
    step(tree, "desk", "0001_initial", insert.format("t1"), dependencies=[("shop", "__first__")])
    step(tree, "desk", "0002_more", insert.format("t3"),
         dependencies=[("desk", "0001_initial"), ("shop", "__latest__")])  # fmt: skip
    seal(tree)
    tree.boot()
    assert database.rows("SELECT (SELECT count(*) FROM t1) + (SELECT count(*) FROM t3)") == ["2"]


USER = """\
from django.contrib.auth.models import AbstractUser


class Person(AbstractUser):
    pass
"""
OWNED = """\
from django.conf import settings
from django.db import models


class Order(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
"""


def test_swappable_user(tree: Tree, database: Database):
    """A user model of the project's own comes before what depends on AUTH_USER_MODEL."""
    django(tree, database, "django.contrib.contenttypes", "django.contrib.auth", "shop", "people")
    settings = tree.root / "config" / "settings.py"
    settings.write_text(settings.read_text() + 'AUTH_USER_MODEL = "people.Person"\n')
    tree.write({"people/models.py": USER, "shop/models.py": OWNED})
    tree.own("django", "makemigrations", "--settings", "config.settings")
    seal(tree)
    pending = tree.databases()["default"]["pending"]
    assert pending.index("people.0001_initial") < pending.index("shop.0001_initial")
    tree.boot()
    assert "shop_order" in database.tables()
    assert "people_person" in database.tables()
    assert tree.states() == {"default": "current"}
    assert "| django" not in tree.boot(traced=True).err


def test_migration_modules(tree: Tree, database: Database):
    """MIGRATION_MODULES moves an app's steps elsewhere, or takes them away altogether."""
    django(tree, database, "shop", "desk")
    settings = tree.root / "config" / "settings.py"
    modules = 'MIGRATION_MODULES = {"shop": "config.shop_steps", "desk": None}\n'
    settings.write_text(settings.read_text() + modules)
    step(tree, "desk", "0001_initial", make("desk"))
    tree.write(
        {"config/shop_steps/__init__.py": "", "config/shop_steps/0001_a.py": migration(make("a"))}
    )
    seal(tree)
    tree.boot()
    assert database.tables() == ["a"]
    tree.write({"config/shop_steps/0002_b.py": migration(make("b"), dependencies=[
        ("shop", "0001_a")])})  # fmt: skip
    tree.boot()
    assert database.tables() == ["a", "b"]
