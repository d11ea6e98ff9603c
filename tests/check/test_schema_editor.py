"""What replay believes of Django's schema editor, against what it does on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from support import rule_examples
from support.postgres import Server
from support.rule_examples import File
from tidegate.contracts.rule import Example

pytest.importorskip("django")
_numbers = itertools.count(1)
TABLES = """
migrations.CreateModel("C", [("id", models.BigAutoField(primary_key=True))]),
migrations.CreateModel("O", [
    ("id", models.BigAutoField(primary_key=True)),
    ("c", models.ForeignKey("shop.C", models.CASCADE, null=True)),
]),"""
NEWER = """
    SELECT (SELECT oid FROM pg_constraint WHERE conrelid = 'shop_o'::regclass AND contype = 'f')
         > 'marker'::regclass
"""


@pytest.mark.parametrize(
    ("after", "again"),
    [
        ("null=False", True),
        ("null=True, default=1", True),
        ('null=True, related_name="x"', False),
        ("null=True, blank=True", False),
    ],
)
def test_altering_a_foreign_key_adds_it_again(
    servers: Callable[[str], Server], after: str, again: bool
) -> None:
    """What Django alters the column for drops the constraint and validates a new one."""
    server = servers("newest")
    name = f"editor_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    alter = (
        f'migrations.AlterField("o", "c", models.ForeignKey("shop.C", models.CASCADE, {after})),'
    )
    marker = 'migrations.RunSQL("CREATE TABLE marker ()"),'
    files = [migration(number, text) for number, text in enumerate((TABLES, marker, alter))]
    rule_examples.apply(Example("django", "", ""), files, server.url(dbname=name))
    assert server.sql(NEWER, name).strip() == ("t" if again else "f")
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


def migration(number: int, operations: str) -> File:
    head = f"{rule_examples.DJANGO_HEAD}\nclass Migration(migrations.Migration):\n"
    return File(f"m{number}", f"{head}    operations = [{operations}]\n", (), 1)
