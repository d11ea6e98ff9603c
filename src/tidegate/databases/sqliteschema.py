"""What an SQLite database consists of, and its sizes; the counterpart of `pgschema`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Run = Callable[[str], Sequence[Sequence[object]]]

_OURS = (
    "name NOT LIKE 'sqlite_%' AND name NOT LIKE 'tidegate_%' AND "
    "tbl_name NOT IN ('django_migrations', 'alembic_version', 'tidegate_run', 'tidegate_step')"
)


def lines(run: Run) -> list[str]:
    """Return every object of the database as one line of text, sorted.

    Columns are lines of their own: a table that was made anew has them in another order.
    """
    out = []
    for kind, name, sql in run(f"SELECT type, name, sql FROM sqlite_master WHERE {_OURS}"):
        if kind != "table":
            out.append(f"{kind} {name}: {' '.join(str(sql or '').split())}")
            continue
        out.append(f"table {name}:")
        out += _columns(run, str(name))
        out += [
            f"foreign key {name}.{row[0]}: {row[1]}.{row[2]} {row[3]} {row[4]}"
            for row in run(
                'SELECT "from", "table", "to", on_update, on_delete '
                f"FROM pragma_foreign_key_list('{name}')"
            )
        ]
    return sorted(out)


def all_lines(run: Run) -> list[str]:
    """Return `lines`, and the constraints that SQLite keeps in a table's text alone."""
    out = lines(run)
    for name, sql in run(f"SELECT name, sql FROM sqlite_master WHERE type = 'table' AND {_OURS}"):
        for index, origin in run(f"SELECT name, origin FROM pragma_index_list('{name}')"):
            if origin == "u":
                columns = run(f"SELECT name FROM pragma_index_info('{index}') ORDER BY seqno")
                out.append(f"unique {name}.{','.join(str(column) for (column,) in columns)}:")
        out += [f"check {name}.{text}:" for text in checks(str(sql or ""))]
    return sorted(out)


def checks(sql: str) -> list[str]:
    """Return the text between the parentheses of each CHECK in a table's definition."""
    out = []
    for found in re.finditer(r"\bCHECK\s*\(", sql, re.IGNORECASE):
        depth, at = 1, found.end()
        while at < len(sql) and depth:
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        out.append(" ".join(sql[found.end() : at - 1].split()))
    return out


def _columns(run: Run, table: str) -> list[str]:
    rows = run(f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')")
    out = []
    for name, kind, notnull, default, primary in rows:
        marks = [
            str(kind),
            "NOT NULL" if str(notnull) == "1" else "",
            f"DEFAULT {default}" if default is not None else "",
            "PRIMARY KEY" if str(primary) != "0" else "",
        ]
        out.append(f"column {table}.{name}: {' '.join(mark for mark in marks if mark)}")
    return out


def sizes(run: Run) -> dict[str, dict[str, int]]:
    """Return the rows of each table; SQLite keeps no bytes by table, so they are a guess."""
    out = {}
    for (name,) in run(f"SELECT name FROM sqlite_master WHERE type = 'table' AND {_OURS}"):
        rows = int(str(run(f'SELECT count(*) FROM "{name}"')[0][0]))
        out[str(name)] = {"rows": rows, "bytes": rows * 100, "index_bytes": 0}
    return out
