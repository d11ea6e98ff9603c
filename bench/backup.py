"""What a proved backup costs beside plain pg_dump and pg_restore.

One database, everything in one run and one after the other; what counts are the ratios. Processor
time is that of all programs, the server's among them. Prints a Markdown table.

usage: python bench/backup.py [--gb 2]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import PASSWORD, SUPERUSER, Server, find_installations  # noqa: E402
from tidegate.container.backup import (  # noqa: E402
    archive,
    likeness,
    proving,
    restoring,
    snapshots,
    swapping,
)
from tidegate.container.backup import pgdump as dumping  # noqa: E402
from tidegate.container.backup.progress import Progress  # noqa: E402
from tidegate.container.report import Report  # noqa: E402
from tidegate.databases.postgresql import PostgreSQL  # noqa: E402
from tidegate.model.connection import Connection, Secret  # noqa: E402

TABLES = 4
ROW = 330  # bytes, about, with its part of the index


def fill(server: Server, gigabytes: float) -> int:
    """Make tables of text that packs like real text; return the bytes."""
    rows = int(gigabytes * 1e9 / ROW / TABLES)
    for number in range(TABLES):
        server.sql(
            f"CREATE TABLE t{number} (id bigint PRIMARY KEY, a text, b text, at timestamptz); "
            f"INSERT INTO t{number} SELECT g, md5(g::text) || md5((g + 1)::text), "
            "repeat('the quick brown fox ', 8), now() - g * interval '1 second' "
            f"FROM generate_series(1, {rows}) g",
            "bench",
        )
    server.sql("VACUUM ANALYZE", "bench")
    return int(server.sql("SELECT pg_database_size('bench')"))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, and of the processors."""

    wall: float
    cpu: float


class Clock:
    """Measures what is done here, and at a server meanwhile."""

    def __init__(self, server: Server) -> None:
        assert server.process
        self.stat = Path(f"/proc/{server.process.pid}/stat")

    def cpu(self) -> float:
        """The processor time of this process, of programs that have ended, and of the server's
        sessions that have ended."""
        fields = self.stat.read_text().rsplit(")", 1)[1].split()
        ticks = sum(int(one) for one in fields[11:15])
        return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")

    def __call__(self, work: Callable[[], object]) -> Cost:
        """Do it."""
        began, before = time.perf_counter(), self.cpu()
        work()
        time.sleep(0.5)  # until the server has taken note of the sessions' end
        return Cost(time.perf_counter() - began - 0.5, self.cpu() - before)


def main() -> None:
    """Run everything and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--gb", type=float, default=2.0)
    given = options.parse_args()
    before = os.getloadavg()
    installed = find_installations()
    settings = {"shared_buffers": "256MB", "max_wal_size": "2GB"}
    server = Server(installed[max(installed)], settings=settings).start()
    environ = dict(os.environ)
    found: dict[str, tuple[Cost, Cost]] = {}
    timed = Clock(server)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server.sql("CREATE DATABASE bench")
        size = fill(server, given.gb)
        login = Connection("default", "postgresql", "127.0.0.1", str(server.port), SUPERUSER,
                           Secret(PASSWORD), "bench")  # fmt: skip
        env = {**environ, "PGPASSWORD": PASSWORD}
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", SUPERUSER]
        plain = folder / "plain.dump"

        def run(program: str, *words: str) -> None:
            argv = [str(server.bindir / program), *where, *words]
            subprocess.run(argv, env=env, check=True)

        base = timed(lambda: run("pg_dump", "-Fc", "-f", str(plain), "bench"))
        found["pg_dump -Fc"] = (base, base)
        made: list[archive.Backup] = []
        silent = Progress(Report("text", quiet=True), "default")

        def dump(jobs: int) -> None:
            with archive.drafting(folder) as draft:
                source = PostgreSQL(login, environ)
                manifest = dumping.dump(source, draft, environ, silent, jobs)
                manifest |= {"alias": "default", "database": "bench", "level": [],
                             "created": "2026-01-01T00:00:00+00:00"}  # fmt: skip
                made.append(draft.finish(folder / f"default-bench-{jobs}", manifest))

        took = timed(lambda: dump(2))
        found["backup of 2 jobs"] = (took, base)
        took = timed(lambda: proving.prove(made[0], "quick", "", environ))
        found["verify quick, of 2 jobs"] = (took, base)
        shutil.rmtree(made.pop().path)
        took = timed(lambda: dump(1))
        found["backup (dump, digests, counts)"] = (took, base)
        took = timed(lambda: proving.prove(made[0], "quick", "", environ))
        found["verify quick"] = (took, base)
        took = timed(lambda: proving.prove(made[0], "full", "", environ))
        found["verify full"] = (took, base)
        how: list[str] = []

        def copy() -> None:
            admin = swapping.maintenance(PostgreSQL(login, environ), environ)
            how.append(snapshots.copy(admin, "bench", "bench_copy", size))
            admin.close()

        took = timed(copy)
        found[f"snapshot on the same server ({how[0]})"] = (took, base)
        server.sql("DROP DATABASE bench_copy")
        server.sql("CREATE DATABASE plain")
        back = timed(lambda: run("pg_restore", "-j2", "-d", "plain", str(plain)))
        found["pg_restore -j2"] = (back, back)
        server.sql("DROP DATABASE plain")
        report = Report("text", quiet=True)
        took = timed(lambda: restoring.restore(made[0], login, environ, report))
        found["restore (verified, compared, swapped)"] = (took, back)
        kept = server.sql("SELECT datname FROM pg_database WHERE datname LIKE 'bench_before%'")
        old = PostgreSQL(login, environ)
        admin = swapping.maintenance(old, environ)
        names = ("bench", "bench_other", kept)
        also = likeness.comment(admin, names[0], names[2])
        took = timed(lambda: swapping.swap(old, admin, environ, names, also))
        admin.close()
        found["going back by rename"] = (took, back)
        sizes = (plain.stat().st_size, made[0].bytes)
        shutil.rmtree(made[0].path)
    server.stop("immediate")
    print("Load before and after:", *(f"{one:.1f}" for one in (*before, *os.getloadavg())))
    print(f"Database {size / 1e9:.2f} GB; pg_dump -Fc {sizes[0] / 1e6:.0f} MB, "
          f"backup {sizes[1] / 1e6:.0f} MB.\n")  # fmt: skip
    print("| what | seconds | ratio to | processor | ratio |\n| --- | --- | --- | --- | --- |")
    for name, (took, plainly) in found.items():
        to = "pg_restore -j2" if "restore" in name or "rename" in name else "pg_dump -Fc"
        print(f"| {name} | {took.wall:.1f} | {took.wall / plainly.wall:.2f} of {to} | "
              f"{took.cpu:.1f} | {took.cpu / plainly.cpu:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
