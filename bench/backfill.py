"""How fast `tidegate.backfill` fills a column, against one UPDATE of the whole table.

usage: python bench/backfill.py [--rows N,...] [--rounds N] [--ways WAY,...]

A way is `update`, `backfill`, or `backfill@SECONDS` with another target for a batch.

Four clients read and write one row at a time, 25 times a second each, while a column of a table of
N rows (5,000,000) is filled: by one UPDATE, and by batches. Printed: rows a second, the worst
client latency, how much the table grew (rows that hold more are larger by themselves), how much it
is above the least that these rows take, and the bytes of write-ahead log a row: by itself, and with
the VACUUM that has to follow. `floor` is the worst latency of the same clients with nothing else at
work on the server, just before.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

import psycopg
from sqlalchemy import create_engine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.postgres import Server, find_installations
from tidegate.backfill import backfill

FILL = (
    "DROP TABLE IF EXISTS item; DROP TABLE IF EXISTS tidegate_backfill",
    "CREATE TABLE item (id bigserial PRIMARY KEY, price integer NOT NULL, quantity integer NOT "
    "NULL, note text NOT NULL, total integer)",
    "INSERT INTO item (price, quantity, note) SELECT i % 1000, i % 7, repeat('n', 60) "
    "FROM generate_series(1, {rows}) i",
)


def client(url: str, rows: int, number: int, over: threading.Event, worst: list[float]) -> None:
    """Read or write one row at a time."""
    with psycopg.connect(url, autocommit=True) as session:
        key = number
        while not over.wait(0.04):
            key = (key * 7919 + 13) % rows + 1
            began = time.monotonic()
            if number % 2:
                session.execute("SELECT note FROM item WHERE id = %s", [key])
            else:
                session.execute("UPDATE item SET price = price WHERE id = %s", [key])
            worst[0] = max(worst[0], time.monotonic() - began)


def measure(url: str, rows: int, way: str) -> str:
    """Fill the column once; return the row of the table."""
    with psycopg.connect(url, autocommit=True) as session:
        for sql in FILL:
            session.execute(sql.format(rows=rows).encode())
        session.execute("VACUUM ANALYZE item")
        session.execute("CHECKPOINT")
        size = "SELECT pg_table_size('item'), pg_current_wal_lsn() - '0/0'::pg_lsn"
        before, wal = session.execute(size).fetchone() or (0, 0)
        worst, over = [0.0], threading.Event()
        threads = [
            threading.Thread(target=client, args=(url, rows, n, over, worst)) for n in range(4)
        ]
        for one in threads:
            one.start()
        time.sleep(3)
        floor, worst[0] = worst[0], 0.0
        began = time.monotonic()
        batches = 1
        if way == "update":
            session.execute("UPDATE item SET total = price * quantity WHERE total IS NULL")
        else:
            engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
            _, _, target = way.partition("@")
            more = {"target": float(target)} if target else {}
            done = backfill(engine, "item", set="total = price * quantity", where="total IS NULL",
                            progress=lambda state: None, **more)  # fmt: skip
            batches = done.batches
            engine.dispose()
        took = time.monotonic() - began
        over.set()
        for one in threads:
            one.join()
        after, wal_after = session.execute(size).fetchone() or (0, 0)
        left = session.execute("SELECT count(*) FROM item WHERE total IS NULL").fetchone()
        assert left == (0,)
        session.execute("VACUUM item")
        _, wal_vacuumed = session.execute(size).fetchone() or (0, 0)
        session.execute("VACUUM FULL item")
        least, _ = session.execute(size).fetchone() or (0, 0)
    return (f"{rows / took:10,.0f} {worst[0] * 1000:9.0f} {after / before:7.2f} "
            f"{after / least:8.2f} {(wal_after - wal) / rows:10.0f} "
            f"{(wal_vacuumed - wal) / rows:11.0f} {floor * 1000:8.0f} {batches:8}")  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="5000000")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ways", default="update,backfill")
    given = parser.parse_args()
    installed = find_installations()
    server = Server(installed[max(installed)], settings={
        "max_connections": "40", "shared_buffers": "512MB", "max_wal_size": "8GB",
        "fsync": "on"}).start()  # fmt: skip
    server.sql("CREATE DATABASE bench")
    print(f"PostgreSQL {max(installed)}, 4 clients at 25/s each; load {os.getloadavg()[0]:.1f}")
    print(
        f"{'way':14} {'rows':>11} {'rows/s':>10} {'worst ms':>9} {'growth':>7} {'to least':>8} "
        f"{'WAL a row':>10} {'with VACUUM':>11} {'floor ms':>8} {'batches':>8}"
    )
    try:
        for rows in map(int, given.rows.split(",")):
            for _ in range(given.rounds):
                for way in given.ways.split(","):
                    print(f"{way:14} {rows:11,} {measure(server.url(dbname='bench'), rows, way)}",
                          flush=True)  # fmt: skip
    finally:
        server.stop("immediate")


if __name__ == "__main__":
    main()
