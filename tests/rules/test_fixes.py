"""`check --fix` on the rules' own bad examples: what it writes runs, and makes the same schema."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support import rule_examples
from support.postgres import PASSWORD, Server, as_ordinary_user
from support.rule_examples import File
from tidegate.contracts.rule import Example
from tidegate.workflows.check import fixing
from tidegate.workflows.check.review import review
from tidegate.workflows.check.rulebook import Known, all_rules


def fix(
    root: str, paths: Sequence[str] = (), unsafe: bool = False, database: str = ""
) -> list[str]:
    """Mend what can be mended, and write it; return what was done."""
    done = fixing.fix(root, paths, "", None, database, OFF, unsafe)
    done.tree.write()
    return done.said


pytest.importorskip("django")
pytest.importorskip("alembic")
pytest.importorskip("pgparse")
OFF = {"TIDEGATE_CACHE": "off"}
_numbers = itertools.count(1)
CASES = [
    pytest.param(rule, example, id=f"{rule.name}-{example.framework}-{number}")
    for rule in all_rules()
    if rule.rule.fixable
    for number, example in enumerate(rule.rule.examples)
    if example.mended
]


@pytest.fixture
def database(servers: Callable[[str], Server]) -> Callable[[], tuple[Server, str]]:
    server = servers("newest")

    def make() -> tuple[Server, str]:
        name = f"fix_{next(_numbers)}"
        server.sql(f"CREATE DATABASE {name} STRATEGY file_copy")
        return server, name

    return make


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_a_fix_silences_the_rule_and_makes_the_same_schema(
    rule: Known,
    example: Example,
    tmp_path: Path,
    database: Callable[[], tuple[Server, str]],
) -> None:
    """The finding is gone, the files parse and run, and the schema is the one of the bad form."""
    if "RunSQL" in example.bad and rule.name == "foreign-key-validates":
        pytest.skip("SQL in a string is left to the author")
    rule_examples.write(example, example.bad, tmp_path)
    said = fix(str(tmp_path))
    assert said
    found = [one.message for one in review(str(tmp_path), environ=OFF).findings
             if one.rule == rule.name]  # fmt: skip
    assert found == []
    server, fixed = database()
    rule_examples.apply(example, on_disk(example, tmp_path), server.url(dbname=fixed))
    server, plain = database()
    text = example.bad if example.applies else example.good
    rule_examples.apply(example, rule_examples.files(example, text), server.url(dbname=plain))
    assert schema(server, fixed) == schema(server, plain)


def on_disk(example: Example, root: Path) -> list[File]:
    """Return the migrations as they are on disk now, in order."""
    folder = root / ("shop/migrations" if example.framework == "django" else "migrations/versions")
    paths = [one for one in folder.glob("*.py") if one.name != "__init__.py"]
    named = re.compile(r"r\d+$")
    paths.sort(key=lambda one: (example.framework == "alembic" and not named.match(one.stem), one))
    out = []
    for one in paths:
        text = one.read_text("utf-8")
        ast.parse(text)
        out.append(File(one.stem, text, (), 1))
    return out


def schema(server: Server, name: str) -> str:
    """Return the schema as pg_dump writes it."""
    done = subprocess.run(
        [str(server.bindir / "pg_dump"), "--schema-only", "--no-owner", server.url(dbname=name)],
        capture_output=True, text=True, check=True, env={"PGPASSWORD": PASSWORD},
        **as_ordinary_user(),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return "\n".join(one for one in lines if one and not one.startswith(("--", "\\")))


def test_comments_and_formatting_stay(tmp_path: Path) -> None:
    """Only what has to change changes: comments, quotes and blank lines are as they were."""
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    (folder / "0001_initial.py").write_text(FIRST, "utf-8")
    (folder / "0002_total.py").write_text(SECOND, "utf-8")
    assert fix(str(tmp_path)) == [
        "shop/migrations/0002_total.py: AddIndexConcurrently, atomic = False"
    ]
    assert (folder / "0002_total.py").read_text("utf-8") == FIXED
    assert fix(str(tmp_path)) == []


def test_a_step_that_others_depend_on_gets_no_successor(tmp_path: Path) -> None:
    """Nothing is written where a new file would have to come between two that exist."""
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").write_text(FIRST, "utf-8")
    both = SECOND.replace("    ]\n", "        migrations.RunSQL('SELECT 1', ''),\n    ]\n")
    (folder / "0002_total.py").write_text(both, "utf-8")
    third = both.replace("0001_initial", "0002_total").replace("order_total", "order_other")
    (folder / "0003_more.py").write_text(third.replace("AddIndex", "AddIndex"), "utf-8")
    before = (folder / "0002_total.py").read_text("utf-8")
    fix(str(tmp_path), ["shop/migrations/0002_total.py"], database="postgresql")
    assert (folder / "0002_total.py").read_text("utf-8") == before


FIRST = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Order",
            [("id", models.BigAutoField(primary_key=True)), ("total", models.IntegerField())],
        ),
    ]
"""
SECOND = '''\
# Written by hand.
from django.db import migrations, models


class Migration(migrations.Migration):
    """Totals are searched."""

    dependencies = [('shop', '0001_initial')]  # single quotes

    operations = [
        # the report needs it
        migrations.AddIndex('order', models.Index(fields=['total'], name='order_total')),  # here
    ]
'''
FIXED = '''\
# Written by hand.
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Totals are searched."""

    atomic = False

    dependencies = [('shop', '0001_initial')]  # single quotes

    operations = [
        # the report needs it
        AddIndexConcurrently('order', models.Index(fields=['total'], name='order_total')),  # here
    ]
'''
