"""Flask-Migrate's folder: a Flask app, `flask db init`, and its own env.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import Database, Runner
from support.trees import Tree, revision

Fresh = Callable[[str], Database]
Made = Callable[..., Path]

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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder that Flask-Migrate makes, with a first revision, for an app with these binds."""
    folders: dict[str, Path] = {}

    def make(binds: str = "{}") -> Path:
        if binds not in folders:
            root = tmp_path_factory.mktemp("flask")
            tree = Tree(root, Runner(root), {"DATABASE_URL": f"sqlite:///{root}/made.sqlite3"})
            tree.write({"app.py": app(binds=binds)})
            tree.own("flask", "--app", "app", "db", "init", *["--multidb"] * (binds != "{}"))
            tree.own("flask", "--app", "app", "db", "migrate", "-m", "meals")
            folders[binds] = root / "migrations"
        return folders[binds]

    return make


def app(directory: str = "migrations", binds: str = "{}") -> str:
    return APP.replace("DIRECTORY", directory).replace("= BINDS", f"= {binds}")


@pytest.fixture(params=["newest", "sqlite"])
def database(request: pytest.FixtureRequest, fresh: Fresh) -> Database:
    return fresh(request.param)


def test_boot_seal_and_migrate(tree: Tree, database: Database, made: Made):
    """A Flask-Migrate app boots from empty, then from current, sealed without its framework.

    The next revision is applied by `migrate`.
    """
    tree.environ = database.environ
    tree.write({"app.py": app()})
    shutil.copytree(made(), tree.root / "migrations")
    assert tree.states() == {"alembic": "empty"}
    tree.boot()
    assert database.tables() == ["meal"]
    if database.server:  # sealed SQLite is another test's
        tree.environ = {}
        sealed = tree.run("seal")
        assert sealed.code == 0, sealed.said
        tree.environ = database.environ
        done = tree.boot(traced=True)
        assert "alembic: current" in done.err
        assert "sqlalchemy" not in done.err

    (head,) = tree.databases()["alembic"]["heads"]
    tree.write({"migrations/versions/two.py": revision("two", head, "CREATE TABLE two (id int)")})
    assert tree.databases()["alembic"]["pending"] == ["two"]
    done = tree.run("migrate")
    assert done.code == 0, done.said
    assert database.tables() == ["meal", "two"]


def test_flask_app_names_the_app(tree: Tree, fresh: Fresh, made: Made):
    """The app is the one that FLASK_APP names, in whichever module it is."""
    database = fresh("sqlite")
    tree.environ = {**database.environ, "FLASK_APP": "kitchen:create_app"}
    tree.write({"kitchen.py": app()})
    shutil.copytree(made(), tree.root / "migrations")
    tree.boot()
    assert database.tables() == ["meal"]


def test_other_folder(tree: Tree, fresh: Fresh, made: Made):
    """The folder may have another name, as Migrate(directory=…) allows."""
    database = fresh("sqlite")
    tree.environ = database.environ
    tree.write({"app.py": app("schema")})
    shutil.copytree(made(), tree.root / "schema")
    tree.boot()
    assert database.tables() == ["meal"]


def test_folder_in_the_apps_package(tree: Tree, fresh: Fresh, made: Made):
    """The folder may lie in the app's package, as `--directory shop/migrations` makes it."""
    database = fresh("sqlite")
    tree.environ = {**database.environ, "FLASK_APP": "kitchen.web:create_app"}
    tree.write({"kitchen/__init__.py": "", "kitchen/web.py": app()})
    shutil.copytree(made(), tree.root / "kitchen" / "migrations")
    tree.boot()
    assert database.tables() == ["meal"]


def test_binds_are_refused(tree: Tree, fresh: Fresh, made: Made, tmp_path: Path):
    """One env.py for several databases is refused: no part may pass for the whole."""
    database = fresh("sqlite")
    tree.environ = database.environ
    binds = str({"other": f"sqlite:///{tmp_path}/other.sqlite3"})
    tree.write({"app.py": app(binds=binds)})
    shutil.copytree(made(binds), tree.root / "migrations")
    done = tree.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "several databases" in done.err
    assert database.tables() == []
