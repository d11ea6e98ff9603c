"""The rules of MySQL's family on a real MariaDB: both examples run, and the claim holds there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from support import rule_examples
from support.mariadb import MariaDB, missing
from tidegate.contracts.rule import Example
from tidegate.workflows.check.rulebook import Known, all_rules

pymysql = pytest.importorskip("pymysql")
pytest.importorskip("django")
pytest.importorskip("alembic")
CASES = [
    pytest.param(rule, example, id=f"{rule.name}-{example.framework}-{number}")
    for rule in all_rules()
    for number, example in enumerate(rule.rule.examples)
    if example.vendor == "mysql"
]
MARK = "SELECT 'the example'"
BEFORE = {"django": f"""migrations.RunSQL("{MARK}"),""", "alembic": f"""op.execute("{MARK}")"""}
COPIES = ("mysql-table-copied", "mysql-enum-value-moved", "mysql-foreign-key-copies")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    if missing():
        pytest.skip(missing())
    pymysql.install_as_MySQLdb()
    pymysql.version_info = (2, 2, 7, "final", 0)  # what Django asks of the driver it knows
    one = MariaDB()
    yield one
    one.close()


def applied(server: MariaDB, example: Example, text: str) -> str:
    """Run the shop's files and the example's on a new database; return its name."""
    name = server.database()
    rule_examples.apply(example, rule_examples.files(example, text), server.url(name))
    return name


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_both_examples_run(rule: Known, example: Example, server: MariaDB) -> None:
    """To their end, but where the rule says that the database refuses the bad one."""
    applied(server, example, example.good)
    if example.applies:
        applied(server, example, example.bad)


@pytest.mark.parametrize(
    ("rule", "example"), [one for one in CASES if one.values[0].name in COPIES]
)
def test_what_copies_a_table_and_what_does_not(
    rule: Known, example: Example, server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbidden to copy a table, MariaDB does the good one and not the bad."""
    marked = added_to_each_alter(monkeypatch, example, "ALGORITHM=INPLACE")
    applied(server, marked, example.good)
    with pytest.raises(Exception, match="ALGORITHM=INPLACE is not supported"):
        applied(server, marked, example.bad)


@pytest.mark.parametrize(
    ("rule", "example"), [one for one in CASES if one.values[0].name in COPIES]
)
def test_writes_wait_until_a_version(
    rule: Known, example: Example, server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it copies, MariaDB lets nobody write up to the version that the rule ends with."""
    marked = added_to_each_alter(monkeypatch, example, "ALGORITHM=COPY, LOCK=NONE")
    session = server.connect("")
    with session.cursor() as cursor:
        cursor.execute("SELECT CAST(VERSION() AS UNSIGNED)")
        (version,) = cursor.fetchone()
    refused = pytest.raises(Exception, match=r"LOCK=NONE is not supported|errno: 150")
    with refused if version <= rule.rule.until or not example.applies else nullcontext():
        applied(server, marked, example.bad)


def added_to_each_alter(monkeypatch: pytest.MonkeyPatch, example: Example, words: str) -> Example:
    """Return the example with a mark, from which on the driver ends ALTER TABLE with `words`."""
    send = pymysql.cursors.Cursor.execute
    seen: list[str] = []

    def execute(self: Any, query: str, args: Any = None) -> int:
        seen.extend([query] if query.startswith("CREATE TABLE") else [])  # a new database
        if query.startswith(MARK):
            seen.clear()
        alters = query.startswith("ALTER TABLE") and not seen
        return int(send(self, f"{query.rstrip(';')}, {words}" if alters else query, args))

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", execute)
    return example._replace(before=f"{example.before}\n{BEFORE[example.framework]}".lstrip())


def test_a_step_that_fails_is_half_applied(server: MariaDB) -> None:
    """What stands above the statement that fails has been committed."""
    (example,) = [case.values[1] for case in CASES if case.values[0].name == "mysql-half-applied"]
    made = rule_examples.files(example, example.bad)
    name = server.database()
    rule_examples.apply(example, made[:1], server.url(name))
    server.sql("ALTER TABLE customer ADD COLUMN b integer", name)
    with pytest.raises(Exception, match="Duplicate column name 'b'"):
        rule_examples.apply(example, made[1:], server.url(name))
    assert server.sql("SELECT count(a) FROM orders", name) == [(0,)]


def test_what_is_not_said_of_a_column_is_lost(server: MariaDB) -> None:
    """Its NOT NULL, its default and its AUTO_INCREMENT; and all three stay where they are said."""
    examples = [c.values[1] for c in CASES if c.values[0].name == "mysql-existing-left-out"]
    facts = "SELECT IS_NULLABLE, COLUMN_DEFAULT FROM information_schema.COLUMNS"
    where = "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'orders' AND COLUMN_NAME"
    longer, _, commented = examples
    for text, said in ((longer.bad, "YES"), (longer.good, "NO")):
        name = applied(server, longer, text)
        assert server.sql(f"{facts} {where} = 'reference'", name)[0][0] == said
    for text, default in ((commented.bad, "NULL"), (commented.good, "0")):
        name = applied(server, commented, text)
        assert server.sql(f"{facts} {where} = 'n'", name)[0][1].strip("'") == default
    key = 'op.alter_column("{}", "id", comment="k", existing_type=sa.BigInteger(), existing_{})'
    bill = longer._replace(
        before='op.create_table("b", sa.Column("id", sa.BigInteger(), primary_key=True))'
    )
    for word, extra in (("nullable=False", ""), ("autoincrement=True", "auto_increment")):
        name = applied(server, bill, key.format("b", word))
        found = f"SELECT EXTRA FROM information_schema.COLUMNS {where} = 'id'"
        assert server.sql(found.replace("'orders'", "'b'"), name) == [(extra,)]


def test_the_step_fails_without_the_type(server: MariaDB) -> None:
    """Alembic itself refuses it."""
    examples = [c.values[1] for c in CASES if c.values[0].name == "mysql-existing-left-out"]
    with pytest.raises(Exception, match="require the existing type"):
        applied(server, examples[1], examples[1].bad)
