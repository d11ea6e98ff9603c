"""`make --data`, `--expand drop:` and `--contract drop:`: what they write runs, both ways."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support import rule_examples, staged
from support.postgres import Server
from support.staged import Folder
from tidegate.contracts.rule import Example
from tidegate.errors import UsageProblem
from tidegate.workflows.check.review import review
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import making

pytest.importorskip("django")
pytest.importorskip("alembic")
pytest.importorskip("pgparse")
OFF = {"TIDEGATE_CACHE": "off"}
APPS = {"django": "shop", "alembic": ""}
_numbers = itertools.count(1)


@pytest.fixture(params=["django", "alembic"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """A project with the shop's first migration."""
    made = Folder(tmp_path, request.param)
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    made.write(rule_examples.files(Example(request.param, "", ""), "")[:1])
    return made


Copies = Callable[[], tuple[Server, str]]


@pytest.fixture
def copies(servers: Callable[[str], Server], folder: Folder, tmp_path: Path) -> Copies:
    """Return a server and a new database on it that has the shop's tables and rows."""
    server = servers("newest")

    def make() -> tuple[Server, str]:
        name = f"scaffold_{next(_numbers)}"
        return server, staged.copied(server, folder.framework, name, tmp_path / "shop_files")

    return make


@pytest.fixture
def database(copies: Copies) -> tuple[Server, str]:
    return copies()


def run(folder: Folder, database: tuple[Server, str], back: bool = False) -> None:
    server, name = database
    staged.run(folder, server.url(dbname=name), (lambda state: None) if back else None)


@pytest.mark.parametrize("back", [False, True])
def test_a_data_migration_sets_and_takes_back(
    folder: Folder, database: tuple[Server, str], tmp_path: Path, back: bool
) -> None:
    """Rows are set in batches, taken back by --undo, and the run is forgotten; no finding."""
    order = staged.TABLES[folder.framework][1]
    tree = Tree(str(tmp_path))
    wanted = making.Data("fill the notes", order, "note = 'n' || total", "total > 200",
                         "note = NULL")  # fmt: skip
    (path,) = making.data(tree, APPS[folder.framework], wanted)
    assert "fill_the_notes" in path
    assert not (tmp_path / path).exists()
    tree.write()
    found = review(str(tmp_path), [str(tmp_path / path)], environ=OFF).findings
    assert [one.rule for one in found if one.severity != "info"] == []
    run(folder, database, back)
    server, name = database
    count = f"SELECT count(*) FROM {order} WHERE note = 'n' || total"
    assert server.sql(count, name) == ("0" if back else "20")
    nulls = server.sql(f"SELECT count(*) FROM {order} WHERE note IS NULL", name)
    assert nulls == ("40" if back else "0")
    noted = server.sql("SELECT count(*) FROM tidegate_backfill", name)
    assert noted == ("0" if back else "1")


def test_a_scaffold_that_nobody_filled_in_does_not_run(
    folder: Folder, database: tuple[Server, str], tmp_path: Path
) -> None:
    """Without --set there is an example to write over, and it says so when it is run."""
    tree = Tree(str(tmp_path))
    making.data(tree, APPS[folder.framework], making.Data("fill"))
    tree.write()
    with pytest.raises(NotImplementedError, match="write what is set"):
        run(folder, database)


def test_a_column_is_dropped_in_two_releases(
    folder: Folder, database: tuple[Server, str], copies: Copies, tmp_path: Path
) -> None:
    """Between the two a row without it can be written; then it goes; no error is found."""
    named = "drop:order.reference" if folder.framework == "django" else "drop:orders.reference"
    tree = Tree(str(tmp_path))
    expanded = making.expand(tree, "", named)
    tree.write()
    run(folder, database)
    server, name = database
    order = staged.TABLES[folder.framework][1]
    server.sql(f"INSERT INTO {order} (id, customer_id) VALUES (99, 1)", dbname=name)
    tree = Tree(str(tmp_path))
    ended = making.contract(tree, "", named)
    tree.write()
    for paths in (expanded, ended):
        found = review(str(tmp_path), [str(tmp_path / one) for one in paths], environ=OFF).findings
        assert [one.rule for one in found if one.severity == "error"] == []
    _, end = copies()
    run(folder, (server, end))
    columns = server.sql(
        f"SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = '{order}'::regclass "
        "AND attnum > 0 AND NOT attisdropped", end,
    )  # fmt: skip
    assert columns == "id customer_id note total placed"
    if folder.framework == "django":
        return
    with pytest.raises(Exception, match="null values"):  # what was dropped is gone
        run(folder, copies(), back=True)


def test_a_type_changes_in_two_releases(
    folder: Folder, database: tuple[Server, str], copies: Copies, tmp_path: Path
) -> None:
    """Between the two the copy follows what is written; at the end it has the column's place, and
    all can be taken back."""
    django = folder.framework == "django"
    order = staged.TABLES[folder.framework][1]
    named = "type:Order.total=BigIntegerField(null=True)" if django else "type:orders.total=bigint"
    tree = Tree(str(tmp_path))
    expanded = making.expand(tree, "", named)
    tree.write()
    run(folder, database)
    server, name = database
    server.sql(f"UPDATE {order} SET total = 4711 WHERE id = 1", dbname=name)
    same = f"SELECT count(*) FROM {order} WHERE total = total_new_type"
    assert server.sql(same, name) == "40"
    tree = Tree(str(tmp_path))
    ended = making.contract(tree, "", named)
    tree.write()
    for paths in (expanded, ended):
        found = review(str(tmp_path), [str(tmp_path / one) for one in paths], environ=OFF).findings
        assert [one.rule for one in found if one.severity == "error"] == []
    (_, end), (_, back) = copies(), copies()
    kind = f"SELECT pg_typeof(max(total)), sum(total) FROM {order}"
    run(folder, (server, end))
    assert server.sql(kind, end) == "bigint|8200"
    run(folder, (server, back), back=True)
    assert server.sql(kind, back) == "integer|8200"
    with pytest.raises(UsageProblem, match=r"already|changes more than the type"):
        making.expand(Tree(str(tmp_path)), "", named.replace("(null=True)", "()"))


def test_a_column_becomes_unique(
    folder: Folder, database: tuple[Server, str], tmp_path: Path
) -> None:
    """Its index is built while the table is in use; what is made holds, without a contract."""
    django = folder.framework == "django"
    order = staged.TABLES[folder.framework][1]
    named = "unique:Order.reference" if django else "unique:orders.reference"
    tree = Tree(str(tmp_path))
    paths = making.expand(tree, "", named)
    tree.write()
    assert len(paths) == 2
    found = review(str(tmp_path), [str(tmp_path / one) for one in paths], environ=OFF).findings
    assert [one.rule for one in found if one.severity == "error"] == []
    run(folder, database)
    server, name = database
    with pytest.raises(RuntimeError, match=f"{order}_reference_unique"):
        server.sql(f"UPDATE {order} SET reference = 'R1' WHERE id < 3", dbname=name)
    with pytest.raises(UsageProblem, match="has no contract"):
        making.contract(Tree(str(tmp_path)), "", named)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("rename:orders.reference", "is not a change"),
        ("drop:nothing.reference", "make no column nothing.reference"),
        ("rename:orders.id=number", "the database counts up"),
        ("drop:orders.note", "there is nothing to expand"),
        ("type:orders.total", "is not a change"),
        ("type:orders.total=integer", "is integer already"),
        ("unique:orders.id", "is unique already"),
    ],
)
def test_what_can_t_be_expanded_is_refused(tmp_path: Path, said: str, answer: str) -> None:
    """With the reason, and nothing is written."""
    made = Folder(tmp_path, "alembic")
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    made.write(rule_examples.files(Example("alembic", "", ""), "")[:1])
    tree = Tree(str(tmp_path))
    with pytest.raises(UsageProblem, match=answer):
        making.expand(tree, "", said)
    assert tree.texts == {}
