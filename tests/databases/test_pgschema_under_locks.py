"""The schema after a change to tables, read under the change's own locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
import pytest

from support.gate import Database
from support.kinds import BASE_SQL
from tidegate.databases import pgclasses, pgschema

CHANGES = (
    "CREATE VIEW names AS SELECT name FROM customer",
    "ALTER TABLE spare ADD COLUMN s bigserial",
    "ALTER TABLE spare ADD COLUMN u uuid DEFAULT gen_random_uuid() NOT NULL",
    "ALTER TABLE orders ADD COLUMN r bigint REFERENCES customer (id)",
    "CREATE INDEX orders_qty ON orders (qty)",
    "CREATE UNIQUE INDEX spare_word ON spare (word)",
    "COMMENT ON INDEX orders_qty IS 'how many'",
    "ALTER TABLE spare ADD CONSTRAINT spare_of_a_word UNIQUE USING INDEX spare_word",
    "DROP INDEX orders_qty",
    "ALTER TABLE customer ALTER code SET NOT NULL",
    "ALTER TABLE customer ALTER points TYPE bigint",
    "ALTER TABLE orders ADD CONSTRAINT counted CHECK (qty >= 0) NOT VALID",
    "ALTER TABLE orders VALIDATE CONSTRAINT counted",
    "ALTER TABLE orders DROP CONSTRAINT counted; ALTER TABLE orders ALTER qty DROP NOT NULL",
    "ALTER TABLE customer DROP CONSTRAINT customer_pkey CASCADE",
    "ALTER TABLE spare DROP COLUMN s",
    "ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "CREATE INDEX ON event (id)",
    "ALTER TABLE event ADD CHECK (id > 0)",
    "ALTER TABLE event DETACH PARTITION event_1",
    "ALTER TABLE spare SET UNLOGGED",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE customer DROP COLUMN name CASCADE",
    "ALTER TABLE spare RENAME TO spared",
)


@pytest.mark.parametrize("which", ["newest", "oldest"])
def test_it_is_the_schema(which: str, fresh: Callable[[str], Database]) -> None:
    """What was read before, with the locked tables read again, is what a whole look says."""
    database = fresh(which)
    with psycopg.connect(database.url, autocommit=True) as session:

        def run(sql: str) -> Sequence[Sequence[object]]:
            done = session.execute(sql.encode())
            return done.fetchall() if done.description else []

        for sql in (*BASE_SQL, *CHANGES):
            if not pgclasses.changes_tables_only(sql):
                session.execute(sql.encode())
                continue
            before = pgschema.owned(run)
            run("BEGIN")
            run(sql)
            assert pgschema.lines_after(run, before) == pgschema.lines(run), sql
            run("COMMIT")


@pytest.mark.parametrize("sql", ["ALTER TABLE a RENAME b TO c", "ALTER TABLE a SET SCHEMA s",
                                 "ALTER TYPE mood RENAME TO m", "DROP TABLE a",
                                 "ALTER TABLE a ADD b int; CREATE TYPE c AS ()"])  # fmt: skip
def test_what_others_name(sql: str) -> None:
    """A name that others' definitions hold, or what is of no table, asks for a whole look."""
    assert not pgclasses.changes_tables_only(sql)
