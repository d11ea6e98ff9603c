"""What each revision of a generated history does to a real server, measured.

usage: python bench/effects.py POSTGRESQL_URL [--files N] [--seed N]

The database has to be empty. Every table gets rows when it is made. Each revision is applied, and
in its own transaction is looked up what it has rewritten, read and written of the tables that were
there before; afterwards the statements that the previous release would send are tried. Prints
where the measured effect and the label of bench/histories.py are not the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROWS = 3
EFFECTS = {
    "": set(),
    "check-validates": {"reads"},
    "column-dropped": {"breaks"},
    "column-renamed": {"breaks"},
    "index-without-concurrently": {"reads"},
    "not-null-scans": {"reads", "breaks"},
    "loop-over-whole-table": {"writes"},
    "required-column-without-database-default": {"breaks"},
    "required-column-without-database-default+schema-and-data-together": {"writes", "breaks"},
    "type-change-proves-checks": {"reads"},
    "type-change-rewrites": {"rewrites"},
    "unique-builds-index": {"reads"},
    "whole-table-written": {"writes"},
}  # by label: what it does to tables that are there
NODES = """SELECT relname, relfilenode FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"""
WORK = "SELECT relname, seq_scan, n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
COLUMNS = """SELECT table_name, column_name, data_type, is_nullable = 'YES' OR column_default > ''
    FROM information_schema.columns WHERE table_schema = 'public' AND column_name <> 'id'"""
NEW = ":new"  # a number that no row has
VALUES = {"text": f"'{NEW}'", "character varying": f"'{NEW}'"}


class Server:
    """One connection, and what is known before a revision."""

    def __init__(self, url: str) -> None:
        import sqlalchemy

        text = url.replace("postgresql://", "postgresql+psycopg://")
        self.connection = sqlalchemy.create_engine(text).connect()
        self.count = 0

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query returns."""
        return [tuple(one) for one in self.connection.exec_driver_sql(sql)]

    @contextmanager
    def revision(self) -> Iterator[Any]:
        """Open what Alembic's operations work in."""
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        options = {"transaction_per_migration": True}
        context = MigrationContext.configure(self.connection, opts=options)
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            yield

    def apply(self, revision: dict[str, Any], concurrently: bool) -> set[str]:
        """Apply a revision; return what it did to the tables that were there."""
        nodes = dict(self.rows(NODES))
        before = self.release()
        self.connection.commit()
        done: set[str] = set()
        with self.revision():
            work = {name: rest for name, *rest in self.rows(WORK)}  # counted, and not yet sent off
            revision["upgrade"]()
            if not concurrently:  # what commits on the way can't be looked at from within
                done = self.effects(nodes, work)
        self.fill(set(dict(self.rows(NODES))) - set(nodes))
        self.complete()
        self.connection.commit()
        return done | ({"breaks"} if self.breaks(before) else set())

    def effects(self, nodes: dict[str, int], work: dict[str, list[int]]) -> set[str]:
        """Return what this transaction has done to those tables so far."""
        now = dict(self.rows(NODES))
        if any(now.get(name) != node for name, node in nodes.items()):
            return {"rewrites"}
        found = set()
        for name, scans, written in self.rows(WORK):
            before = work.get(name, [0, 0])
            if name in nodes and written > before[1]:
                found.add("writes")
            elif name in nodes and scans > before[0]:
                found.add("reads")
        return found

    def release(self) -> list[str]:
        """Return the statements of a release that knows the schema as it is."""
        tables: dict[str, list[tuple[str, str, bool]]] = {}
        for table, name, type, free in self.rows(COLUMNS):
            tables.setdefault(table, []).append((name, type, free))
        return [one for table, columns in tables.items() for one in statements(table, columns)]

    def breaks(self, release: Sequence[str]) -> bool:
        """Whether a statement fails that did not before; nothing of it stays."""
        for text in release:
            self.count += 1
            try:
                self.connection.exec_driver_sql(text.replace(NEW, str(self.count)))
            except Exception:
                return True
            finally:
                self.connection.rollback()
        return False

    def fill(self, tables: set[str]) -> None:
        """Give new tables rows that no constraint of the history is against."""
        for table in tables:
            for number in range(ROWS):
                self.connection.exec_driver_sql(
                    f"INSERT INTO {table} (id, a, b, c, d, e) "
                    f"VALUES ({-1 - number}, {number}, 'b', '{table} {number}', {number}, 'e')"
                )

    def complete(self) -> None:
        """Give every text that is empty a value: it may be NOT NULL later."""
        for table, name, type, free in self.rows(COLUMNS):
            if free and type == "text":
                self.connection.exec_driver_sql(
                    f"UPDATE {table} SET {name} = 'x' WHERE {name} IS NULL"
                )


def statements(table: str, columns: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
    """Yield a SELECT of every column, and an INSERT that leaves empty what may be."""
    yield f"SELECT id, {', '.join(name for name, _, _ in columns)} FROM {table}"
    needed = {
        "id": NEW,
        **{name: VALUES.get(type, NEW) for name, type, free in columns if not free},
    }
    yield f"INSERT INTO {table} ({', '.join(needed)}) VALUES ({', '.join(needed.values())})"


def measured(root: Path, labels: dict[str, str], url: str) -> list[tuple[str, str, set[str]]]:
    """Apply the Alembic history below `root`; return (path, label, effects) of each revision."""
    server = Server(url)
    out = []
    revisions = []
    for path in sorted((root / "alembic").rglob("*step.py")):
        text = path.read_text("utf-8")
        names: dict[str, Any] = {}
        exec(compile(text, str(path), "exec"), names)
        revisions.append(names)
        label = labels[path.relative_to(root / "alembic").as_posix()]
        out.append((path.name, label, server.apply(names, "autocommit_block" in text)))
    for names in reversed(revisions):
        with server.revision():
            names["downgrade"]()
    left = server.rows(NODES)
    server.connection.close()
    if left:
        raise RuntimeError(f"the way down leaves {left}")
    return out


def main(argv: list[str]) -> int:
    """Measure one history."""
    import histories

    if not argv or argv[0].startswith("-"):
        print(__doc__)
        return 2
    url, files, seed = argv[0], 300, 7
    for flag, value in zip(argv[1::2], argv[2::2], strict=True):
        files = int(value) if flag == "--files" else files
        seed = int(value) if flag == "--seed" else seed
    with TemporaryDirectory() as folder:
        labels = histories.write(histories.history(files, seed), Path(folder))
        found = measured(Path(folder), labels, url)
    wrong = [one for one in found if one[2] != EFFECTS[one[1]]]
    for path, label, effects in wrong:
        print(
            f"{path}: {label or 'harmless'}, and it {', '.join(sorted(effects)) or 'does nothing'}"
        )
    print(f"{len(found)} revisions up and down; {len(wrong)} do other than their label says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
