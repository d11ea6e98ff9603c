"""What stands in env.py: async engines, how steps share transactions, another version table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.gate import Database
from support.postgres import PASSWORD
from support.trees import Tree, revision

Fresh = Callable[[str], Database]

ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool

TABLE = "schema_level"
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
"""


def project(tree: Tree, database: Database, options: str = "") -> None:
    tree.environ = database.environ
    tree.write(
        {
            "alembic.ini": "[alembic]\nscript_location = %(here)s/schema\n",
            "schema/script.py.mako": "",
            "schema/env.py": ENV.replace("OPTIONS", options),
            "schema/versions/m1.py": revision("m1", None, "CREATE TABLE one (id int)"),
            "schema/versions/m2.py": revision("m2", "m1", "CREATE TABLE two (id int)"),
            "schema/versions/m3.py": revision("m3", "m2", "SELECT 1 FROM no_such_table"),
        }
    )


@pytest.mark.parametrize(
    ("options", "tables", "stands"),
    [
        ("", [], "no step of this run is recorded"),
        ("transaction_per_migration=True", ["one", "two"], "2 of 3 steps are applied and stay"),
    ],
    ids=["one-for-all", "one-for-each"],
)
def test_transactions(options: str, tables: list[str], stands: str, tree: Tree, fresh: Fresh):
    """A failed step takes back what shares its transaction; the message says what stays."""
    database = fresh("newest")
    project(tree, database, options)
    done = tree.run("boot", "--", "true")
    assert done.code == 5, done.said
    assert "step m3 failed" in done.err
    assert stands in done.err
    assert database.tables() == tables
    written = database.rows("SELECT step FROM tidegate_step ORDER BY 1")
    assert written == ["m1", "m2"][: len(tables)]
    tree.write({"schema/versions/m3.py": revision("m3", "m2", "CREATE TABLE three (id int)")})
    tree.boot()
    assert database.tables() == ["one", "three", "two"]


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_async_template(which: str, tree: Tree, fresh: Fresh):
    """What `alembic init -t async` makes is gated: empty to ahead, sealed, failing, refused."""
    database = fresh(which)
    tree.environ = database.environ
    tree.own("alembic", "init", "-t", "async", "schema")
    env = tree.root / "schema" / "env.py"
    env.write_text(
        env.read_text().replace(
            "config = context.config",
            "import os\nconfig = context.config\nurl = os.environ['DATABASE_URL']\n"
            "url = url.replace('postgresql:', 'postgresql+asyncpg:')\n"
            "url = url.replace('sqlite:', 'sqlite+aiosqlite:')\n"
            "config.set_main_option('sqlalchemy.url', url)",
            1,
        )
    )
    tree.write({"schema/versions/m1.py": revision("m1", None, "CREATE TABLE one (id int)")})
    assert tree.run("seal").code == 0
    tree.boot()
    assert database.tables() == ["one"]
    done = tree.boot(traced=True)
    assert "sqlalchemy" not in done.err
    tree.write({"schema/versions/m2.py": revision("m2", "m1", "CREATE TABLE two (id int)")})
    tree.boot()
    assert database.tables() == ["one", "two"]
    (tree.root / "schema/versions/m2.py").unlink()
    assert "alembic is ahead" in tree.boot().err
    tree.write({"schema/versions/m2.py": revision("m2", "m1", "SELECT 1")})
    tree.write({"schema/versions/m3.py": revision("m3", "m2", "SELECT 1 FROM no_such_table")})
    failed = tree.run("boot", "--", "true")
    assert failed.code == 5, failed.said
    assert "step m3 failed" in failed.err
    assert database.tables() == ["one", "two"]
    if database.server:
        tree.environ = {"DATABASE_URL": database.url.replace(PASSWORD, "wr0ng-pa55")}
        refused = tree.run("boot", "--", "true", secrets=("wr0ng-pa55",))
        assert refused.code == 4, refused.said


def test_version_table_by_name(tree: Tree, fresh: Fresh):
    """The version table may be named by a constant of env.py, and lie in a schema of its own."""
    database = fresh("newest")
    database.rows("CREATE SCHEMA admin")
    project(tree, database, 'version_table=TABLE, version_table_schema="admin"')
    (tree.root / "schema/versions/m3.py").unlink()
    assert tree.states() == {"alembic": "empty"}
    tree.boot()
    assert database.rows("SELECT version_num FROM admin.schema_level") == ["m2"]
    done = tree.boot()
    assert "current (2 steps)" in done.err


def test_version_table_that_cannot_be_read_off(tree: Tree, fresh: Fresh):
    """A version table that only env.py's run can tell is refused before a step is applied."""
    database = fresh("newest")
    project(tree, database, 'version_table="lev" + "el"')
    done = tree.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "version_table" in done.err
    assert "level" in done.err
    assert database.tables() == []
