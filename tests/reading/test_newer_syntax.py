"""Files for a newer Python than the one that runs tidegate are read as far as they can be."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from checks.test_check_examples import seen, written
from tidegate.reading import newersyntax
from tidegate.reading.migrations import django_source

NEWER = """\
import os
A = 1
def look():
    try:
        return 1
    except ValueError, TypeError:  # 3.14
        return 2
class Shelf:
    def name[T](self, x: T) -> T:
        return x
    async def said(self):
        return t"{self}"
    z = 3
B = os.environ["B"]
"""
MIGRATION = """\
from django.db import migrations


def forward(apps, schema_editor):
    try:
        pass
    except KeyError, ValueError:
        pass


class Migration(migrations.Migration):
    dependencies = [("shop", "{}")]
    operations = [migrations.RunPython(forward)]
"""


def test_the_rest_is_read_at_its_lines() -> None:
    """What this Python has no words for is left out, and everything else stands where it stood."""
    body = newersyntax.parse(NEWER, gaps=True).body
    assert [one.lineno for one in body] == [1, 2, 3, 8, 14]
    shelf = body[3]
    assert isinstance(shelf, ast.ClassDef) and shelf.body[-1].lineno == 13


def test_handlers_without_brackets_are_read_whole() -> None:
    """They are not left out: both kinds of exception are there."""
    (handler,) = [one for one in ast.walk(newersyntax.parse(NEWER, True)) if isinstance(one, ast.ExceptHandler)]  # fmt: skip
    assert isinstance(handler.type, ast.Tuple) and len(handler.type.elts) == 2


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python has words for all of it")
@pytest.mark.parametrize("text", [NEWER, "x = = 2\n", "class A\n"])
def test_an_error_stays_one_where_nothing_may_be_left_out(text: str) -> None:
    """A review that passes over a function would say too much."""
    with pytest.raises(SyntaxError):
        newersyntax.parse(text)


def test_migrations_of_a_newer_python_have_one_end(tmp_path: Path) -> None:
    """Neither doctor nor the review takes them for a second head or for broken."""
    tree = {
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": MIGRATION.replace('("shop", "{}")', ""),
        "shop/migrations/0002_more.py": MIGRATION.format("0001_initial"),
        "shop/migrations/0003_last.py": MIGRATION.format("0002_more"),
    }
    assert seen(written(tmp_path, tree)) == []
    record = django_source.read(tree["shop/migrations/0003_last.py"], "a.py", "shop", "0003_last")
    assert record is not None and (record.problem, record.needs) == ("", ("shop.0002_more",))


def test_nothing_is_said_of_ends_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that nobody can parse may be what joins the others."""
    tree = {
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": MIGRATION.replace('("shop", "{}")', ""),
        "shop/migrations/0002_more.py": "class Migration = unreadable\n",
    }
    assert seen(written(tmp_path, tree)) == []
