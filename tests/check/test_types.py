"""What a change of type does, as the rules believe, against what a real server does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.postgres import Server
from tidegate.model import sqltype

CHANGES = [
    ("varchar(20)", "varchar(40)"), ("varchar(40)", "varchar(20)"), ("varchar(20)", "text"),
    ("varchar(20)", "varchar"), ("text", "varchar"), ("text", "varchar(10)"),
    ("integer", "bigint"), ("bigint", "integer"), ("smallint", "integer"),
    ("numeric(10,2)", "numeric(12,2)"), ("numeric(10,2)", "numeric(10,3)"),
    ("numeric(10,2)", "numeric"), ("numeric", "numeric(10,2)"), ("integer", "numeric"),
    ("timestamp(3)", "timestamp"), ("timestamp", "timestamp(3)"), ("timestamptz(3)", "timestamptz"),
    ("cidr", "inet"), ("inet", "cidr"), ("json", "jsonb"), ("text", "jsonb"), ("xml", "text"),
    ("integer", "text"), ("char(4)", "varchar(4)"), ("char(4)", "char(8)"), ("date", "timestamptz"),
    ("real", "double precision"), ("varbit(8)", "varbit(16)"), ("time(3)", "time"),
    ("interval", "text"), ("uuid", "text"), ("boolean", "integer"), ("text", "text"),
    ("varchar(20)[]", "varchar(40)[]"), ("integer[]", "bigint[]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(servers: Callable[[str], Server]) -> Iterator[Server]:
    server = servers("newest")
    server.sql("CREATE DATABASE types_tested")
    yield server
    server.sql("DROP DATABASE types_tested WITH (FORCE)")


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_change_of_type_rewrites_what_is_said(server: Server, old: str, new: str) -> None:
    """ "free" and "same" leave the table's file as it is, "rewrite" makes another."""
    node = "SELECT pg_relation_filenode('t')"
    server.sql(f"DROP TABLE IF EXISTS t; CREATE TABLE t (a {old})", "types_tested")
    before = server.sql(node, "types_tested")
    server.sql(f"ALTER TABLE t ALTER a TYPE {new} USING a::{new}", "types_tested")
    rewritten = server.sql(node, "types_tested") != before
    assert (sqltype.change(old, new) == "rewrite") is rewritten
