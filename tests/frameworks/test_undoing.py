"""What an Alembic revision's functions tell of its reverse, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.frameworks.alembic import AlembicProject
from tidegate.model.step import Step
from tidegate.model.undoing import Undo

FILE = """\
import sqlalchemy as sa
from alembic import op

def helper():
    pass

def upgrade():
    {up}

def downgrade():
    {down}
"""


def undo(tmp_path: Path, up: str, down: str) -> Undo:
    path = tmp_path / "one.py"
    path.write_text(FILE.format(up=up, down=down))
    project = AlembicProject(tmp_path, tmp_path / "alembic.ini")
    (found,) = project.undoing("alembic", [Step("one", path=str(path))])
    return found


UP = 'op.create_index("i", "t", ["a"])'


@pytest.mark.parametrize("down", ["pass", '"""Nothing."""', "raise NotImplementedError"])
def test_no_reverse(tmp_path: Path, down: str) -> None:
    """An empty downgrade of a revision that does something, or one that raises, is none."""
    assert undo(tmp_path, UP, down).refused


def test_an_empty_revision_is_undone_by_nothing(tmp_path: Path) -> None:
    """A merge has nothing to undo."""
    assert undo(tmp_path, "pass", "pass").harmless


@pytest.mark.parametrize(
    "down",
    [
        'op.drop_index("i", table_name="t")',
        'op.add_column("t", sa.Column("a", sa.String(20), server_default=sa.text("1")))',
        'op.drop_constraint(op.f("c"), "t")',
        'op.execute("CREATE INDEX i ON t (a)")',
    ],
)
def test_harmless(tmp_path: Path, down: str) -> None:
    """What drops no data is harmless."""
    assert undo(tmp_path, UP, down).harmless


def test_drops_are_named(tmp_path: Path) -> None:
    """Tables and columns are named."""
    found = undo(tmp_path, UP, 'op.drop_table("t"); op.drop_column("u", "a")')
    assert (found.tables, found.columns, found.hidden) == (("t",), (("u", "a"),), ())


@pytest.mark.parametrize(
    "down",
    [
        'op.execute("DELETE FROM t")',
        "op.execute(helper())",
        "helper()",
        'op.get_bind().execute(sa.text("SELECT 1"))',
        'op.alter_column("t", "a", type_=sa.Integer())',
        'op.batch_alter_table("t").drop_column("a")',
        "for name in names(): op.drop_index(name)",
    ],
)
def test_what_cant_be_seen_is_said(tmp_path: Path, down: str) -> None:
    """Code, SQL that takes data, and other types are not called harmless."""
    found = undo(tmp_path, UP, down)
    assert found.hidden
    assert not found.harmless


def test_what_an_upgrade_takes(tmp_path: Path) -> None:
    """A dropped column of the way forward is named: no reverse brings its data back."""
    found = undo(tmp_path, 'op.drop_column("t", "a")', 'op.add_column("t", sa.Column("a"))')
    assert (found.takes, found.harmless) == (("column t.a",), True)
