"""Applications that apply steps while they are loaded, before anything can look at the level."""

from __future__ import annotations

from collections.abc import Callable

from support.gate import Database
from support.trees import MANAGE, Tree, make, migration, revision

Fresh = Callable[[str], Database]

FLASK = """\
import os
from flask import Flask
from flask_migrate import Migrate, upgrade
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    Migrate(app, db)
    with app.app_context():
        upgrade()
    return app
"""
DJANGO = """\
import os

SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": os.environ["DATABASE_URL"].removeprefix("sqlite:///")}}
"""
READY = """\
from django.apps import AppConfig
from django.core.management import call_command


class Shop(AppConfig):
    name = "shop"

    def ready(self):
        call_command("migrate", verbosity=0)
"""


def steps(database: Database) -> list[str]:
    return database.rows(
        "SELECT run.state, run.message, step.step FROM tidegate_run run "
        "JOIN tidegate_step step ON step.run = run.id ORDER BY step.position"
    )


def test_upgrade_in_create_app(tree: Tree, fresh: Fresh):
    """Where create_app() upgrades, boot names the line once, and writes down what was applied."""
    database = fresh("sqlite")
    tree.environ = {"DATABASE_URL": f"sqlite:///{tree.root}/made.sqlite3"}
    tree.write({"app.py": FLASK.replace("        upgrade()\n", "        pass\n")})
    tree.own("flask", "--app", "app", "db", "init")
    tree.environ = database.environ
    tree.write(
        {
            "app.py": FLASK,
            "migrations/versions/one.py": revision("one", None, "CREATE TABLE meal (id integer)"),
            "migrations/versions/two.py": revision("two", "one", "CREATE TABLE plan (id integer)"),
        }
    )
    done = tree.boot()
    where = f"create_app in {tree.root}/app.py, line 15"
    assert f"alembic: {where}, applied 2 steps while the project was loaded" in done.err, done.err
    message = f"applied while loaded: {where}"
    assert steps(database) == [f"done|{message}|one", f"done|{message}|two"]
    assert "while the project was loaded" not in tree.boot().err


def test_migrate_in_ready(tree: Tree, fresh: Fresh):
    """The same for a `migrate` in an AppConfig's ready()."""
    database = fresh("sqlite")
    tree.environ = database.environ
    tree.write(
        {
            "manage.py": MANAGE,
            "config/__init__.py": "",
            "config/settings.py": DJANGO,
            "shop/__init__.py": "",
            "shop/apps.py": READY,
            "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": migration(make("shop_order"), initial=True),
        }
    )
    done = tree.boot()
    where = f"ready in {tree.root}/shop/apps.py, line 9"
    assert f"default: {where}, applied 1 step while the project was loaded" in done.err, done.err
    assert steps(database) == [f"done|applied while loaded: {where}|shop.0001_initial"]
