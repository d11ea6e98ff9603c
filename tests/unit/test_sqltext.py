"""SQL as it may be kept: no value stays in it."""

from __future__ import annotations

import pytest

from tidegate.model.sqltext import LONGEST, without_values


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("ALTER ROLE app PASSWORD 'it''s me'", "ALTER ROLE app PASSWORD '…'"),
        ("SELECT E'a\\'b secret' , 1", "SELECT '…' , 1"),
        ("DO $$ secret $$", "DO $$…$$"),
        ("DO $body$ secret $$ more $body$ LANGUAGE sql", "DO $$…$$ LANGUAGE sql"),
        ("SELECT 1 -- secret\n, 2 /* secret */", "SELECT 1 , 2"),
        ('CREATE TABLE "it\'s" (id int)', 'CREATE TABLE "it\'s" (id int)'),
        ("SELECT 'never closed secret", "SELECT '…'"),
        ("UPDATE a SET b = %s", "UPDATE a SET b = %s"),
    ],
)
def test_values_go(sql: str, shown: str) -> None:
    """Strings, dollar-quoted bodies and comments go; names and parameters stay."""
    assert without_values(sql) == shown
    assert "secret" not in without_values(sql)


def test_parameters_by_number_stay() -> None:
    """A numbered parameter is no quote."""
    assert without_values("SELECT $1, 'x', $2") == "SELECT $1, '…', $2"


def test_long_text_is_cut() -> None:
    """What is kept has a limit."""
    assert len(without_values("SELECT " + "a, " * 1000)) <= LONGEST + 2
