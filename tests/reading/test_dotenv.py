"""One `.env` line, four readers."""

from __future__ import annotations

import pytest

from tidegate.reading.project import dotenv

LINES = {
    "A=pa$sw0rd": ("pa", "pa$sw0rd", "pa$sw0rd", "pa$sw0rd"),
    "A=pa$$x": ("pa$x", "pa$$x", "pa$$x", "pa$$x"),
    "A=val # c": ("val", "val", "val # c", "val # c"),
    "A = x": ("x", "x", None, None),
    "export A=x": ("x", "x", "x", None),
    "A='pa$word'": ("pa$word", "pa$word", "pa$word", "'pa$word'"),
    'A="a b"': ("a b", "a b", "a b", '"a b"'),
    "A=${B}c": ("Bc", "Bc", "${B}c", "${B}c"),
    "A=x\r": ("x", "x", "x", "x"),
    "A=": ("", "", "", ""),
    "# A=x": (None, None, None, None),
}


@pytest.mark.parametrize("line", LINES)
def test_each_dialect_reads_a_line_its_way(line: str) -> None:
    """Compose, python-dotenv, django-environ and docker run, in this order."""
    found = [dotenv.read(line + "\n", dialect, {"B": "B"}).get("A") for dialect in dotenv.DIALECTS]
    assert tuple(one.value if one else None for one in found) == LINES[line]


def test_the_span_is_that_of_the_value() -> None:
    """What an edit replaces is the value with its quotes."""
    text = "X=1\nA='b c' # note\n"
    one = dotenv.read(text)["A"]
    assert (text[one.start : one.end], one.line) == ("'b c'", 2)


def test_several_lines_in_quotes() -> None:
    """A quoted value goes on to its closing quote, and the next line is read as usual."""
    found = dotenv.read('KEY="one\ntwo"\nNEXT=3\n')
    assert (found["KEY"].value, found["NEXT"].value, found["NEXT"].line) == ("one\ntwo", "3", 3)
