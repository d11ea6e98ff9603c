"""What replay believes of Django's schema editor, against what it does on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support import rule_examples
from support.migrations import Django
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


ID = '("id", models.BigAutoField(primary_key=True))'
KEY = "models.{}('shop.C', models.CASCADE{})"
CHANGES = {  # of a column, and what is said of it
    ("n", "models.IntegerField(unique=True)", "models.IntegerField(db_index=True)"):
        {"implicit-index"},
    ("n", "models.IntegerField(db_index=True)", "models.IntegerField(unique=True)"):
        {"unique-builds-index"},
    ("c", KEY.format("OneToOneField", ""), KEY.format("ForeignKey", "")):
        {"implicit-index", "foreign-key-validates"},
    ("n", "models.IntegerField(unique=True)", "models.IntegerField(primary_key=True)"):
        {"primary-key-builds-index"},
    ("c", KEY.format("ForeignKey", ""),
     KEY.format("ForeignKey", ", null=False, db_index=True, related_name='x'")): set(),
    ("n", "models.IntegerField(null=True)", "models.IntegerField(null=True, db_column='')"): set(),
}  # fmt: skip
BUILT = """
    SELECT count(*) > 0 FROM pg_index
    WHERE indrelid = 'shop_o{}'::regclass AND indexrelid > 'marker'::regclass
"""


def test_what_altering_a_field_builds(servers: Callable[[str], Server], tmp_path: Path) -> None:
    """An index is said to be built where the server has a new one, and nowhere else."""
    tables, alters = [TABLES.split("\n")[1]], []
    for number, (name, before, after) in enumerate(CHANGES):
        moves = "primary_key" in after
        key = '("x", models.IntegerField(primary_key=True))' if moves else ID
        tables.append(f'migrations.CreateModel("O{number}", [{key}, ("{name}", {before})]),')
        gone = f'migrations.RemoveField("o{number}", "x"),' if moves else ""
        alters.append(f'{gone}migrations.AlterField("o{number}", "{name}", {after}),')
    marker = 'migrations.RunSQL("CREATE TABLE marker ()"),'
    texts = ["\n".join(tables), marker, "\n".join(alters)]
    server, database = servers("newest"), f"editor_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {database}")
    files = [migration(number, text) for number, text in enumerate(texts)]
    rule_examples.apply(Example("django", "", ""), files, server.url(dbname=database))
    project = Django(tmp_path)
    project.add("0001_initial", texts[0])
    for number, alter in enumerate(alters):
        project.add(f"000{number + 2}_alter", alter)
    for number, (change, rules) in enumerate(CHANGES.items()):
        found = project.check(f"shop/migrations/000{number + 2}_alter.py").at_least("warning")
        said = {one.rule for one in found}
        assert said - {"column-dropped"} == rules, change
        built = server.sql(BUILT.format(number), database).strip() == "t"
        assert built == any("index" in one and "dropped" not in one for one in rules), change
    server.sql(f"DROP DATABASE {database} WITH (FORCE)")


def migration(number: int, operations: str) -> File:
    head = f"{rule_examples.DJANGO_HEAD}\nclass Migration(migrations.Migration):\n"
    return File(f"m{number}", f"{head}    operations = [{operations}]\n", (), 1)
