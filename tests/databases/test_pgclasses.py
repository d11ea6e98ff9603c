"""What statements ask of PostgreSQL's locks, by their words."""

from __future__ import annotations

import pytest

from tidegate.databases.pgclasses import (
    BLOCKING,
    CONCURRENT,
    CONTROL,
    GENTLE,
    ROWS,
    concurrent_index,
    hides_ddl,
    is_outside,
    lock_class,
    only_reads,
    sets_own_limit,
)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("ALTER TABLE a ADD COLUMN b integer", BLOCKING),
        ('alter table "a b" alter column "c" set not null', BLOCKING),
        ("-- why\nALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID", BLOCKING),
        ("ALTER TABLE a VALIDATE CONSTRAINT c", GENTLE),
        ('ALTER TABLE ONLY "s"."a" VALIDATE CONSTRAINT "c"', GENTLE),
        ("ALTER TABLE a VALIDATE CONSTRAINT c, ADD COLUMN d integer", BLOCKING),
        ("ALTER TABLE a ALTER COLUMN b SET STATISTICS 500", GENTLE),
        ("CREATE INDEX i ON a (b)", BLOCKING),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (b)", CONCURRENT),
        ("DROP INDEX CONCURRENTLY i", CONCURRENT),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", CONCURRENT),
        ("DROP TABLE a", BLOCKING),
        ("TRUNCATE a", BLOCKING),
        ("LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE", GENTLE),
        ("LOCK TABLE a IN SHARE MODE", BLOCKING),
        ("LOCK TABLE a", BLOCKING),
        ("VACUUM a", ROWS),
        ("VACUUM FULL a", BLOCKING),
        ("VACUUM (FULL, ANALYZE) a", BLOCKING),
        ("COMMENT ON TABLE a IS 'ALTER TABLE a'", GENTLE),
        ("UPDATE a SET b = 'ALTER TABLE x; DROP TABLE y'", ROWS),
        ("INSERT INTO a VALUES (';')", ROWS),
        ("SELECT 1", ROWS),
        ("UPDATE a SET b = 1; ALTER TABLE a ADD c integer", BLOCKING),
        ("SAVEPOINT x", CONTROL),
        ("SET CONSTRAINTS ALL IMMEDIATE", CONTROL),
        ("", CONTROL),
    ],
)
def test_lock_class(sql: str, wanted: str) -> None:
    """A statement's class goes by who waits behind it; strings and comments say nothing."""
    assert lock_class(sql) == wanted


@pytest.mark.parametrize(
    ("sql", "outside"),
    [
        ("CREATE INDEX CONCURRENTLY i ON a (b)", True),
        ("VACUUM a", True),
        ("ALTER SYSTEM SET work_mem = '1MB'", True),
        ("CREATE INDEX i ON a (b)", False),
        ("COMMENT ON TABLE a IS 'CONCURRENTLY'", False),
        ("CLUSTER a USING i", False),
    ],
)
def test_outside(sql: str, outside: bool) -> None:
    """What the server refuses inside a transaction is known before it is sent."""
    assert is_outside(sql) is outside


def test_concurrent_indexes_are_named() -> None:
    """The index that is built or dropped concurrently is read off, with its table as written."""
    made = concurrent_index('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "I x" ON "s"."a" (b)')
    assert made and (made.makes, made.name, made.table) == (True, '"I x"', '"s"."a"')
    dropped = concurrent_index("DROP INDEX CONCURRENTLY IF EXISTS s.i")
    assert dropped and (dropped.makes, dropped.name) == (False, "s.i")
    assert concurrent_index("CREATE INDEX CONCURRENTLY ON a (b)") is None
    assert concurrent_index("CREATE INDEX i ON a (b)") is None


def test_a_limit_of_its_own() -> None:
    """A step that bounds its waiting is left alone; one that takes the bound away is not."""
    assert sets_own_limit("SET LOCAL lock_timeout = '3s'")
    assert sets_own_limit("set lock_timeout to 500")
    assert not sets_own_limit("SET lock_timeout = 0")
    assert not sets_own_limit("SET LOCAL lock_timeout TO '0s'")
    assert not sets_own_limit("SET statement_timeout = '3s'")


def test_plain_queries() -> None:
    """Only what reads and nothing else counts as reading."""
    assert only_reads("SELECT 1; SHOW work_mem")
    assert not only_reads("WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x")
    assert not only_reads("SELECT 1; DELETE FROM a")


@pytest.mark.parametrize(
    ("sql", "hides"),
    [
        ("DO $$ BEGIN ALTER TABLE a ADD COLUMN b int; END $$", True),
        ("-- why\nDO LANGUAGE plpgsql $x$ BEGIN EXECUTE 'DROP TABLE a'; END $x$", True),
        ("DO $$ BEGIN UPDATE a SET b = 1; END $$", False),
        ("INSERT INTO a VALUES ('DO ALTER TABLE a')", False),
        ("ALTER TABLE a ADD COLUMN b int", False),
    ],
)
def test_a_block_that_hides_ddl(sql: str, hides: bool) -> None:
    """A DO block that changes the schema asks for locks that its first word doesn't tell."""
    assert hides_ddl(sql) is hides
