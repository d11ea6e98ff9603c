"""Alembic's graph: two heads, merges, branch labels, dependencies across branches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.gate import Database
from support.trees import Tree, revision

Fresh = Callable[[str], Database]

ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def database(fresh: Fresh) -> Database:
    return fresh("newest")


@pytest.fixture
def forked(tree: Tree, database: Database) -> Tree:
    """One first revision, and two that follow it."""
    tree.environ = database.environ
    tree.write(
        {
            "alembic.ini": "[alembic]\nscript_location = %(here)s/schema\n",
            "schema/script.py.mako": "",
            "schema/env.py": ENV,
            "schema/versions/one.py": revision("one", None, "CREATE TABLE one (id int)"),
            "schema/versions/left.py": revision("left", "one", "CREATE TABLE lefty (id int)"),
            "schema/versions/right.py": revision("right", "one", "CREATE TABLE righty (id int)"),
        }
    )
    return tree


def heads_of(database: Database) -> list[str]:
    return database.rows("SELECT version_num FROM alembic_version ORDER BY 1")


def sealed(tree: Tree) -> None:
    given, tree.environ = tree.environ, {}
    done = tree.run("seal")
    tree.environ = given
    assert done.code == 0, done.said


def is_fast(tree: Tree) -> bool:
    """Whether a boot finds the database current without importing SQLAlchemy."""
    done = tree.boot(traced=True)
    assert "current" in done.err
    return "sqlalchemy" not in done.err


def test_two_heads(forked: Tree, database: Database):
    """Two heads are both applied and both recorded; with a seal the fast path knows them."""
    sealed(forked)
    forked.boot()
    assert database.tables() == ["lefty", "one", "righty"]
    assert heads_of(database) == ["left", "right"]
    assert is_fast(forked)


def test_one_of_two_heads_lacks(forked: Tree, database: Database):
    """A database on one head lacks the other, and gets it."""
    assert forked.run("migrate", "left").code == 0
    assert heads_of(database) == ["left"]
    found = forked.databases()["alembic"]
    assert (found["state"], found["pending"], found["applied"]) == ("behind", ["right"], 2)
    forked.boot()
    assert heads_of(database) == ["left", "right"]


@pytest.mark.parametrize("first", ["left", "right", "both"])
def test_merge(first: str, forked: Tree, database: Database):
    """A merge comes after both sides, from wherever the database stands."""
    targets = ["left", "right"] if first == "both" else [first]
    for target in targets:
        assert forked.run("migrate", target).code == 0
    forked.write({"schema/versions/merge.py": revision("merged", ("left", "right"))})
    sealed(forked)
    forked.boot()
    assert database.tables() == ["lefty", "one", "righty"]
    assert heads_of(database) == ["merged"]
    assert is_fast(forked)


def test_dependency_across_branches(forked: Tree, database: Database):
    """A revision that depends on another branch's comes after it, and current is seen as such."""
    forked.write(
        {
            "schema/versions/right.py": revision(
                "right", "one", "CREATE TABLE righty AS SELECT * FROM lefty", depends_on="left"
            )
        }
    )
    sealed(forked)
    forked.boot()
    assert database.tables() == ["lefty", "one", "righty"]
    assert forked.states() == {"alembic": "current"}
    assert is_fast(forked)
    assert "(head)" in forked.own("alembic", "current")


def test_dependency_on_a_branch_that_went_on(forked: Tree, database: Database):
    """The depended-on branch may go on: both heads are recorded, none is asked for twice."""
    forked.write(
        {
            "schema/versions/right.py": revision("right", "one", "SELECT 1", depends_on="left"),
            "schema/versions/left2.py": revision("left2", "left", "CREATE TABLE left2 (id int)"),
        }
    )
    sealed(forked)
    forked.boot()
    assert heads_of(database) == ["left2", "right"]
    assert is_fast(forked)


def test_branch_labels(forked: Tree, database: Database):
    """Independent branches with labels; `migrate` takes a label's head as a target."""
    forked.write(
        {
            "schema/versions/s1.py": revision(
                "s1", None, "CREATE TABLE shelf (id int)", labels=("stock",)
            ),
            "schema/versions/s2.py": revision("s2", "s1", "CREATE TABLE rack (id int)"),
        }
    )
    done = forked.run("migrate", "stock@head")
    assert done.code == 0, done.said
    assert database.tables() == ["rack", "shelf"]
    assert heads_of(database) == ["s2"]
    forked.boot()
    assert heads_of(database) == ["left", "right", "s2"]


def test_several_version_folders(forked: Tree, database: Database):
    """Revisions may lie in several folders: all are applied, and the seal watches all."""
    forked.write(
        {
            "alembic.ini": (
                "[alembic]\nscript_location = %(here)s/schema\npath_separator = space\n"
                "version_locations = %(here)s/schema/versions %(here)s/stock/versions\n"
            ),
            "stock/versions/s1.py": revision("s1", None, "CREATE TABLE shelf (id int)"),
        }
    )
    sealed(forked)
    forked.boot()
    assert database.tables() == ["lefty", "one", "righty", "shelf"]
    assert is_fast(forked)
    forked.write({"stock/versions/s2.py": revision("s2", "s1", "CREATE TABLE rack (id int)")})
    forked.boot()
    assert database.tables() == ["lefty", "one", "rack", "righty", "shelf"]


def test_a_missing_parent(forked: Tree, database: Database):
    """A revision whose parent has no file is refused with its name, and nothing is changed."""
    (forked.root / "schema/versions/one.py").unlink()
    done = forked.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "one" in done.err
    assert database.tables() == []
