"""`check --fix` on files as authors have them: their bytes and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.migrations import OFF, ORDERS, Django, said
from tidegate.workflows.check.fixing import fix

pytest.importorskip("pgparse")
INDEXED = 'migrations.AddIndex("order", models.Index(fields=["total"], name="o_total")),'


def mended(root: Path) -> list[str]:
    """Mend what can be mended, and write it; return what was done."""
    done = fix(str(root), (), "", None, "", OFF)
    done.tree.write()
    return done.said


@pytest.mark.parametrize(("begin", "end"), [(b"", b"\r\n"), (b"\xef\xbb\xbf", b"\n"), (b"", b"\n")])
def test_bytes_stay_as_the_author_has_them(tmp_path: Path, begin: bytes, end: bytes) -> None:
    """Windows' line ends, a byte order mark, another encoding, tabs and `from __future__`."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    path = project.add("0002_index", INDEXED, head="# größe\f\n")
    coded = "utf-8" if begin else "latin-1"
    cookie = "" if begin else "# -*- coding: latin-1 -*-\n"
    text = cookie + "from __future__ import annotations\n" + path.read_text("utf-8")
    written = begin + text.replace("    ", "\t").encode(coded).replace(b"\n", end)
    path.write_bytes(written)
    assert mended(tmp_path)
    now = path.read_bytes()
    compile(now, "0002_index.py", "exec")
    assert now.startswith(begin + cookie.encode().replace(b"\n", end) + b"from __future__")
    assert now.count(b"\n") == now.count(end)
    assert "größe".encode(coded) in now
    assert b"\tatomic = False" in now
    assert said(project.check()) == []


def test_an_operation_that_needs_a_name_of_its_file_stays_there(tmp_path: Path) -> None:
    """A new file knows only what it imports."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    more = 'migrations.AddField("order", "note", models.TextField(null=True)),'
    index = INDEXED.replace('["total"]', "FIELDS")
    project.add("0002_index", f"{more}\n{index}", head='FIELDS = ["total"]\n')
    assert not mended(tmp_path)
