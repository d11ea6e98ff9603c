"""Flask-Migrate's folder: a Flask app, `flask db init`, and its own env.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.gate import Database
from support.trees import Tree, revision

Fresh = Callable[[str], Database]

APP = """\
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Meal(db.Model):
    id = db.Column(db.Integer, primary_key=True)


def create_app():
    app = Flask(__name__)
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_BINDS"] = BINDS
    db.init_app(app)
    Migrate(app, db, directory="DIRECTORY")
    return app
"""


def flask(tree: Tree, module: str, directory: str = "migrations", binds: str = "{}") -> None:
    """Write the app, and let Flask-Migrate make its folder and the first revision."""
    tree.write({module: APP.replace("DIRECTORY", directory).replace("= BINDS", f"= {binds}")})
    name = module.removesuffix(".py")
    options = ["--multidb"] if binds != "{}" else []
    given = {**tree.environ, "DATABASE_URL": f"sqlite:///{tree.root}/made.sqlite3"}
    first = Tree(tree.root, tree.runner, given)
    first.own("flask", "--app", name, "db", "init", *options)
    first.own("flask", "--app", name, "db", "migrate", "-m", "meals")


@pytest.fixture(params=["newest", "sqlite"])
def database(request: pytest.FixtureRequest, fresh: Fresh) -> Database:
    return fresh(request.param)


def test_boot_and_seal(tree: Tree, database: Database):
    """A Flask-Migrate app boots from empty, then from current, sealed without its framework."""
    tree.environ = database.environ
    flask(tree, "app.py")
    assert tree.states() == {"alembic": "empty"}
    tree.boot()
    assert database.tables() == ["meal"]
    tree.environ = {}
    sealed = tree.run("seal")
    assert sealed.code == 0, sealed.said
    tree.environ = database.environ
    done = tree.boot(traced=True)
    assert "alembic: current" in done.err
    assert "sqlalchemy" not in done.err


def test_behind(tree: Tree, fresh: Fresh):
    """The next revision is applied by the next boot, and by `migrate`."""
    database = fresh("newest")
    tree.environ = database.environ
    flask(tree, "app.py")
    tree.boot()
    (head,) = tree.databases()["alembic"]["heads"]
    tree.write({"migrations/versions/two.py": revision("two", head, "CREATE TABLE two (id int)")})
    assert tree.databases()["alembic"]["pending"] == ["two"]
    done = tree.run("migrate")
    assert done.code == 0, done.said
    assert database.tables() == ["meal", "two"]
    assert tree.states() == {"alembic": "current"}


def test_flask_app_names_the_app(tree: Tree, fresh: Fresh):
    """The app is the one that FLASK_APP names, in whichever module it is."""
    database = fresh("sqlite")
    tree.environ = {**database.environ, "FLASK_APP": "kitchen:create_app"}
    flask(tree, "kitchen.py")
    tree.boot()
    assert database.tables() == ["meal"]


def test_other_folder(tree: Tree, fresh: Fresh):
    """The folder may have another name, as Migrate(directory=…) allows."""
    database = fresh("sqlite")
    tree.environ = database.environ
    flask(tree, "app.py", "schema")
    tree.boot()
    assert database.tables() == ["meal"]


def test_folder_in_the_apps_package(tree: Tree, fresh: Fresh):
    """The folder may lie in the app's package, as `--directory shop/migrations` makes it."""
    database = fresh("sqlite")
    tree.environ = {**database.environ, "FLASK_APP": "kitchen.web:create_app"}
    tree.write({"kitchen/__init__.py": "", "kitchen/web.py": APP.replace("= BINDS", "= {}")})
    given = {**tree.environ, "DATABASE_URL": f"sqlite:///{tree.root}/made.sqlite3"}
    first, where = Tree(tree.root, tree.runner, given), ("--directory", "kitchen/migrations")
    first.own("flask", "db", "init", *where)
    first.own("flask", "db", "migrate", "-m", "meals", *where)
    tree.boot()
    assert database.tables() == ["meal"]


def test_binds_are_refused(tree: Tree, fresh: Fresh, tmp_path):
    """One env.py for several databases is refused: no part may pass for the whole."""
    database = fresh("sqlite")
    tree.environ = database.environ
    flask(tree, "app.py", binds=str({"other": f"sqlite:///{tmp_path}/other.sqlite3"}))
    done = tree.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "several databases" in done.err
    assert database.tables() == []
