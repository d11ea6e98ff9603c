"""`alembic revision --autogenerate` in a project whose env.py uses tidegate's hook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[..., Any]

HOOKS = """\
from tidegate.alembic import include_name, process_revision_directives
more = {"include_name": include_name, "process_revision_directives": process_revision_directives}
"""
TABLES = """
state = Enum("new", "paid", name="state")
Table("orders", Base.metadata, Column("id", Integer, primary_key=True), Column("note", Text))
"""


@pytest.mark.parametrize("which", ["newest", "sqlite"])
def test_as_people_use_it(project: Project, which: str) -> None:
    """Refused with both readings until it is answered; the ledger's tables are left alone."""
    one = project("alembic", which, TABLES, HOOKS)
    one.sql("CREATE TABLE tidegate_run (id varchar(40) PRIMARY KEY)")  # as a ledger is there
    one.alembic("check")
    before = one.files()
    one.models(TABLES.replace('"note"', '"remark"'))
    done = one.alembic("revision", "--autogenerate", "-m", "x", code=255)
    assert "column orders.note goes, and orders.remark comes" in done.said
    assert "next: add -x rename=orders.note=remark   or   -x drop=orders.note" in done.said
    assert one.files() == before
    done = one.alembic("-x", "rename=note=remark", "revision", "--autogenerate", "-m", "renamed")
    (path,) = one.files() - before
    assert "new_column_name='remark'" in Path(path).read_text()
    assert "column-renamed" in done.err  # what the rules say of the new file
    one.alembic("upgrade", "head")
    before = one.files()
    done = one.alembic("revision", "--autogenerate", "-m", "nothing")
    assert one.files() == before
    assert "nothing to make. Models that were seen: orders." in done.err


def test_what_is_missed_is_put_in(project: Project) -> None:
    """An enum type is made before its column; `alembic check` fails for a changed CHECK as well."""
    one = project("alembic", "newest", TABLES, HOOKS)
    before = one.files()
    one.models(TABLES.replace('Column("note", Text)', 'Column("note", Text), '
               'Column("state", state), CheckConstraint("id > 0", name="positive")'))  # fmt: skip
    done = one.alembic("check", code=255)
    assert "New upgrade operations detected" in done.said and "positive" in done.said
    one.alembic("revision", "--autogenerate", "-m", "more")
    (path,) = one.files() - before
    text = Path(path).read_text()
    assert text.index("CREATE TYPE state") < text.index("op.add_column")
    assert "op.create_check_constraint('positive', 'orders', 'id > 0')" in text
    one.alembic("upgrade", "head")
    one.alembic("check")
    # Without --autogenerate it is an empty revision, and stays one.
    one.alembic("revision", "-m", "by hand")
    assert len(one.files()) == 3


def test_tidegate_make_beside_the_hook(project: Project) -> None:
    """`tidegate make` in such a project completes the revision once."""
    one = project("alembic", "newest", TABLES, HOOKS)
    one.models(TABLES.replace('Column("note", Text)', 'Column("note", Text), Column("s", state)'))
    assert one.made().count("CREATE TYPE state") == 1
