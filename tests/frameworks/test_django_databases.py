"""Several Django databases: aliases, routers, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.gate import Database
from support.trees import MANAGE, Tree, make, migration

Fresh = Callable[[str], Database]

SETTINGS = """\
import os
from urllib.parse import urlsplit

def database(name):
    url = urlsplit(os.environ[name])
    return {"ENGINE": "django.db.backends.postgresql", "HOST": url.hostname, "PORT": url.port,
            "USER": url.username, "PASSWORD": url.password, "NAME": url.path[1:]}

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop", "events"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": database("DATABASE_URL"), "events": database("EVENTS_URL"),
             "replica": {**database("DATABASE_URL"), "TEST": {"MIRROR": "default"}},
             "foreign": {**database("DATABASE_URL"), "NAME": "not_there"}}
DATABASE_ROUTERS = ["config.routers.ByApp"]
"""

ROUTERS = """\
class ByApp:
    def db_for_read(self, model, **hints):
        return "events" if model._meta.app_label == "events" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        if app_label == "events":
            return db == "events"
        return db == "default"
"""

EVENT = "migrations.CreateModel('Event', [('id', models.BigAutoField(primary_key=True))])"
ORDER = EVENT.replace("Event", "Order")
MODEL = "from django.db import models\n\n\nclass {}(models.Model):\n    pass\n"


@pytest.fixture
def two(tree: Tree, fresh: Fresh) -> tuple[Tree, Database, Database]:
    """`shop` lives in default, `events` in a database of its own; two more aliases are foreign."""
    main, events = fresh("newest"), fresh("newest")
    tree.environ = {"DATABASE_URL": main.url, "EVENTS_URL": events.url}
    tree.write(
        {
            "manage.py": MANAGE,
            "config/__init__.py": "",
            "config/settings.py": SETTINGS,
            "config/routers.py": ROUTERS,
            "shop/__init__.py": "",
            "shop/models.py": MODEL.format("Order"),
            "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": migration(ORDER, initial=True),
            "events/__init__.py": "",
            "events/models.py": MODEL.format("Event"),
            "events/migrations/__init__.py": "",
            "events/migrations/0001_initial.py": migration(EVENT, initial=True),
        }
    )
    return tree, main, events


def test_routed_alias(two: tuple[Tree, Database, Database]):
    """An alias that a router sends models to is raised; a mirror and a foreign one are not."""
    tree, main, events = two
    assert tree.states() == {"default": "empty", "events": "empty"}
    tree.boot()
    assert (main.tables(), events.tables()) == (["shop_order"], ["events_event"])
    assert (main.runs(), events.runs()) == (["done"], ["done"])
    assert tree.states() == {"default": "current", "events": "current"}


def test_sealed(two: tuple[Tree, Database, Database]):
    """With a seal both are asked on the fast path; a lag of the second alone is not missed."""
    tree, main, events = two
    given, tree.environ = tree.environ, {}
    sealed = tree.run("seal")
    assert sealed.code == 0, sealed.said
    tree.environ = given
    tree.boot()
    done = tree.boot(traced=True)
    assert "| django" not in done.err
    assert "default: current" in done.err
    assert "events: current" in done.err
    events.rows("DELETE FROM django_migrations; DROP TABLE events_event")
    tree.boot()
    assert (main.runs(), events.runs()) == (["done"], ["done", "done"])
    assert events.tables() == ["events_event"]


def test_second_is_down(two: tuple[Tree, Database, Database]):
    """A second database that does not exist ends the boot with 4 before the first is touched."""
    tree, main, _ = two
    tree.environ["EVENTS_URL"] = tree.environ["EVENTS_URL"].rsplit("/", 1)[0] + "/nowhere"
    done = tree.run("boot", "--", "true")
    assert done.code == 4, done.said
    assert "nowhere" in done.err
    assert main.tables() == []


def test_target(two: tuple[Tree, Database, Database]):
    """`migrate TARGET` brings each database to that step and not further."""
    tree, main, events = two
    tree.write({"shop/migrations/0002_more.py": migration(make("more"), dependencies=[
        ("shop", "0001_initial")])})  # fmt: skip
    done = tree.run("migrate", "shop.0001_initial")
    assert done.code == 0, done.said
    assert main.tables() == ["shop_order"]
    found = tree.databases()
    assert sorted(found["default"]["pending"]) == ["events.0001_initial", "shop.0002_more"]
    assert events.tables() == []


def test_without_routers(two: tuple[Tree, Database, Database]):
    """Without routers only default is gated: another alias may be somebody else's."""
    tree, main, events = two
    settings = tree.root / "config" / "settings.py"
    settings.write_text(settings.read_text().replace("DATABASE_ROUTERS", "UNUSED"))
    tree.boot()
    assert main.tables() == ["events_event", "shop_order"]
    assert events.tables() == []
