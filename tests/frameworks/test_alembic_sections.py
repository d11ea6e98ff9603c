"""Several sections of one alembic.ini, and settings in pyproject.toml."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import pytest

from support.gate import Database
from support.trees import Tree, revision

ALEMBIC = tuple(map(int, version("alembic").split(".")[:2]))

Fresh = Callable[[str], Database]

ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool

url = os.environ[context.config.get_section_option(context.config.config_ini_section, "variable")]
engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"),
                       poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
[formatter_generic]
format = %(message)s
[post_write_hooks]
hooks =
"""


@pytest.fixture
def two(tree: Tree, fresh: Fresh) -> tuple[Tree, Database, Database]:
    """Sections `main` and `stock`, each with scripts and a database of its own."""
    main, stock = fresh("newest"), fresh("newest")
    tree.environ = {"MAIN_URL": main.url, "STOCK_URL": stock.url}
    tree.write(
        {
            "alembic.ini": (
                "[main]\nscript_location = %(here)s/main\nvariable = MAIN_URL\n"
                "[stock]\nscript_location = %(here)s/stock\nvariable = STOCK_URL\n" + LOGGING
            ),
            "main/env.py": ENV,
            "main/versions/m1.py": revision("m1", None, "CREATE TABLE meal (id int)"),
            "stock/env.py": ENV,
            "stock/versions/s1.py": revision("s1", None, "CREATE TABLE shelf (id int)"),
        }
    )
    return tree, main, stock


def test_two_sections(two: tuple[Tree, Database, Database]):
    """Each section is a database: both are raised, each by its own scripts and ledger."""
    tree, main, stock = two
    assert tree.states() == {"main": "empty", "stock": "empty"}
    tree.boot()
    assert (main.tables(), stock.tables()) == (["meal"], ["shelf"])
    assert (main.runs(), stock.runs()) == (["done"], ["done"])
    tree.write({"stock/versions/s2.py": revision("s2", "s1", "CREATE TABLE rack (id int)")})
    assert tree.states() == {"main": "current", "stock": "behind"}
    tree.boot()
    assert (main.runs(), stock.runs()) == (["done"], ["done", "done"])
    assert tree.own("alembic", "-n", "stock", "current").strip() == "s2 (head)"


def test_two_sections_sealed(two: tuple[Tree, Database, Database]):
    """The seal knows both sections: current ones are seen without Alembic, a lag is not missed."""
    tree, main, stock = two
    given, tree.environ = tree.environ, {}
    assert tree.run("seal").code == 0
    tree.environ = given
    tree.boot()
    again = tree.boot(traced=True)
    assert "sqlalchemy" not in again.err
    assert "main: current" in again.err
    assert "stock: current" in again.err
    stock.rows("DELETE FROM alembic_version; DROP TABLE shelf")
    tree.boot()
    assert (main.tables(), stock.tables()) == (["meal"], ["shelf"])


def test_second_fails(two: tuple[Tree, Database, Database]):
    """When the second database's step fails the first stays raised, and boot ends with 5."""
    tree, main, stock = two
    tree.write({"stock/versions/s2.py": revision("s2", "s1", "CREATE TABLE shelf (id int)")})
    done = tree.run("boot", "--", "true")
    assert done.code == 5, done.said
    assert "step s2 failed on database stock" in done.err
    assert (main.tables(), stock.tables()) == (["meal"], [])
    assert tree.states() == {"main": "current", "stock": "empty"}


def test_chosen_section(two: tuple[Tree, Database, Database]):
    """`databases` leaves a section alone, and an unknown one is refused with the known ones."""
    tree, main, stock = two
    done = tree.run("migrate", "--databases", "stock")
    assert done.code == 0, done.said
    assert (main.tables(), stock.tables()) == ([], ["shelf"])
    done = tree.run("migrate", "--databases", "stocks")
    assert done.code == 2, done.said
    assert "main, stock" in done.err


def test_script_location_in_default(tree: Tree, fresh: Fresh):
    """One script_location for all, in [DEFAULT]: each section is a database, logging is none."""
    first, second = fresh("newest"), fresh("newest")
    tree.environ = {"FIRST_URL": first.url, "SECOND_URL": second.url}
    tree.write(
        {
            "alembic.ini": (
                "[DEFAULT]\nscript_location = %(here)s/scripts\n[first]\nvariable = FIRST_URL\n"
                "[second]\nvariable = SECOND_URL\n" + LOGGING
            ),
            "scripts/env.py": ENV,
            "scripts/versions/m1.py": revision("m1", None, "CREATE TABLE meal (id int)"),
        }
    )
    assert tree.states() == {"first": "empty", "second": "empty"}
    tree.boot()
    assert (first.tables(), second.tables()) == (["meal"], ["meal"])


@pytest.mark.skipif(ALEMBIC < (1, 16), reason="Alembic reads pyproject.toml since 1.16")
@pytest.mark.parametrize("template", ["pyproject", "pyproject_async"])
def test_pyproject(template: str, tree: Tree, fresh: Fresh):
    """What `alembic init -t pyproject` makes boots: scripts from pyproject.toml, URL from the ini.

    Alembic reads both files; a pyproject.toml alone does too when env.py has the URL.
    """
    database = fresh("sqlite")
    tree.write({"pyproject.toml": '[project]\nname = "menu"\nversion = "1"\n'})
    tree.own("alembic", "init", "-t", template, "schema")
    scheme = "sqlite+aiosqlite" if template.endswith("async") else "sqlite"
    ini = tree.root / "alembic.ini"
    url = f"{scheme}:///{database.name}"
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", url))
    tree.write({"schema/versions/m1.py": revision("m1", None, "CREATE TABLE meal (id int)")})
    tree.boot()
    assert database.tables() == ["meal"]
    ini.unlink()
    env = tree.root / "schema" / "env.py"
    env.write_text(
        env.read_text().replace(
            "config = context.config",
            f"config = context.config\nconfig.set_main_option('sqlalchemy.url', {url!r})",
        )
    )
    tree.write({"schema/versions/m2.py": revision("m2", "m1", "CREATE TABLE soup (id int)")})
    tree.boot()
    assert database.tables() == ["meal", "soup"]
    assert tree.states() == {"alembic": "current"}


def test_multidb_is_refused(tree: Tree, fresh: Fresh, tmp_path):
    """The `multidb` template serves several databases from one env.py: refused with the way out."""
    database = fresh("sqlite")
    tree.own("alembic", "init", "-t", "multidb", "schema")
    ini = tree.root / "alembic.ini"
    text = ini.read_text()
    for number, name in (("", database.name), ("2", str(tmp_path / "data" / "second.sqlite3"))):
        text = text.replace(f"driver://user:pass@localhost/dbname{number}\n", f"sqlite:///{name}\n")
    ini.write_text(text)
    done = tree.run("boot", "--", "true")
    assert done.code == 2, done.said
    assert "several databases" in done.err
