"""The election on PostgreSQL, when the server goes away under it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from support.gate import Database
from tidegate.databases.pgelection import FENCE
from tidegate.databases.postgresql import PostgreSQL
from tidegate.model.connection import Connection, Secret
from tidegate.model.readiness import Transient

Fresh = Callable[[str], Database]


def election_of(database: Database):
    """A connection of our own to stand for election with."""
    url = urlsplit(database.url)
    login = Connection("default", "postgresql", url.hostname or "", str(url.port),
                       url.username or "", Secret(url.password or ""), database.name)  # fmt: skip
    return PostgreSQL(login, {}).election(5)


def test_it_is_looked_once_however_late(fresh: Fresh) -> None:
    """With the deadline over, a winner is told that nothing of a dead holder runs where that is so,
    and that something does where it does."""
    database = fresh("newest")
    ours, fenced = election_of(database), election_of(database)
    assert ours.try_win()
    assert ours.settle(0.0, lambda text: None)
    fenced.query(f"SELECT pg_advisory_lock({FENCE[0]}, {FENCE[1]})")
    assert not ours.settle(0.0, lambda text: None)
    fenced.release()
    ours.release()


def test_won_back_once(fresh: Fresh) -> None:
    """The heartbeat and the one that applies both find the connection cut: what one of them wins
    back, the other keeps, and a third process does not get in between."""
    database = fresh("newest")
    ours, other = election_of(database), election_of(database)
    assert ours.try_win()
    dead = ours._session
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    )
    with pytest.raises(Transient):
        ours.query("SELECT 1")
    assert [ours._win_back(dead) for _ in range(5)] == [True] * 5
    assert ours.hold_again()
    assert not other.try_win()
    ours.release()
    other.release()
