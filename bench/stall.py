"""How long clients stall while a migration is applied under load, by three ways of applying it.

usage: python bench/stall.py [--rows N] [--reader SECONDS] [--only OPERATION,...] [--ways WAY,...]

One table of N rows (5,000,000), six clients that read and write one row at a time at a steady rate,
and a reader that is idle in a transaction for SECONDS (10) from just before the migration starts.
Each operation is one Django migration, applied by the framework's own `migrate`, by `migrate` with
the backend of django-pg-zero-downtime-migrations (installed from PyPI into an environment of its
own, at the settings that its documentation recommends), and by `tidegate plan --online` and
`tidegate apply`. Printed: the worst client latency, the seconds in which a client was stalled (its
statement took over a second), failed client transactions, and how long after the reader's end it
was done. For a statement that had to wait, tidegate's own goal is twice its lock budget: 100 ms.
`waits` is what a look at pg_stat_activity, sixty times a second, saw the longest statements of
clients wait for: for a lock, and behind whom, which is the migration's doing; and for anything
else, `cpu` where the server waited for nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.postgres import Server, find_installations

PEER = "django-pg-zero-downtime-migrations"
CLIENTS = 6
RATE = 20  # transactions a second and client
WAYS = ("own", "zdm", "tidegate")
OPERATIONS = {
    "add field": 'migrations.AddField("item", "extra", models.IntegerField(default=0))',
    "set not null": 'migrations.AlterField("item", "word", models.CharField(max_length=40))',
    "add foreign key": 'migrations.AlterField("item", "owner", models.ForeignKey("shop.Owner", '
    "models.CASCADE, db_index=False))",
    "add index": 'migrations.AddIndex("item", models.Index(fields=["number"], name="item_number"))',
    "add unique": 'migrations.AddConstraint("item", models.UniqueConstraint(fields=["code"], '
    'name="item_code"))',
}
SETTINGS = """\
import os
SECRET_KEY = "for-the-bench-only"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {
    "ENGINE": os.environ.get("BENCH_ENGINE", "django.db.backends.postgresql"),
    "HOST": "127.0.0.1", "PORT": os.environ["BENCH_PORT"], "USER": "postgres",
    "PASSWORD": os.environ["BENCH_PASSWORD"], "NAME": "bench",
}}
ZERO_DOWNTIME_MIGRATIONS_LOCK_TIMEOUT = "2s"
ZERO_DOWNTIME_MIGRATIONS_STATEMENT_TIMEOUT = "2s"
ZERO_DOWNTIME_MIGRATIONS_FLEXIBLE_STATEMENT_TIMEOUT = True
ZERO_DOWNTIME_MIGRATIONS_IDEMPOTENT_SQL = True
"""
MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
STEP = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {needs}
    operations = [{operations}]
"""
BASE = """
migrations.CreateModel("Owner", [("id", models.BigAutoField(primary_key=True))]),
migrations.CreateModel("Item", [
    ("id", models.BigAutoField(primary_key=True)),
    ("number", models.IntegerField()),
    ("code", models.IntegerField()),
    ("word", models.CharField(max_length=40, null=True)),
    ("owner", models.ForeignKey("shop.Owner", models.CASCADE, db_index=False,
                                db_constraint=False)),
]),
"""
FILL = (
    "TRUNCATE shop_item, shop_owner",
    "INSERT INTO shop_owner SELECT generate_series(1, 1000)",
    "INSERT INTO shop_item (id, number, code, word, owner_id) SELECT i, i %% 1000, i, 'w' || i, "
    "1 + i %% 1000 FROM generate_series(1, {rows}) i",
    "VACUUM ANALYZE shop_item",
    "CHECKPOINT",
)


@dataclass
class Load:
    """What the clients have met."""

    url: str
    rows: int
    worst: float = 0.0
    stalled: set[int] = field(default_factory=set)
    failed: int = 0
    count: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def client(self, number: int) -> None:
        """Read and write one row at a time, at a steady rate."""
        with psycopg.connect(self.url, autocommit=True, application_name="client") as session:
            due = time.monotonic() + number / RATE / CLIENTS
            key = number
            while not self.over.is_set():
                time.sleep(max(0.0, due - time.monotonic()))
                key = (key * 7919 + 13) % self.rows + 1
                began = time.monotonic()
                try:
                    if number % 2:
                        session.execute("SELECT word FROM shop_item WHERE id = %s", [key])
                    else:
                        session.execute("UPDATE shop_item SET number = number + 1 WHERE id = %s",
                                        [key])  # fmt: skip
                except psycopg.Error:
                    self.failed += 1
                took = time.monotonic() - began
                self.worst = max(self.worst, took)
                if took > 1.0:
                    self.stalled |= set(range(int(began), int(began + took) + 1))
                self.count += 1
                due = max(due + 1 / RATE, time.monotonic() - 1.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the clients at work."""
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self.over.set()
            for one in threads:
                one.join()


WAITING = """
SELECT extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds,
  coalesce(wait_event_type || ':' || wait_event, 'cpu'),
  coalesce((SELECT left(b.query, 60) || ' [' || b.state || ']' FROM pg_stat_activity b
    WHERE b.pid = (pg_blocking_pids(a.pid))[1]), '')
FROM pg_stat_activity a WHERE application_name = 'client' AND state = 'active'
  AND clock_timestamp() - query_start > interval '10 ms'
"""


class Sampler:
    """Looks at what the clients' statements wait for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.locks: tuple[float, str, str] = (0.0, "", "")
        self.others: tuple[float, str, str] = (0.0, "", "")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            while not self.over.wait(1 / 60):
                for one in session.execute(WAITING.encode()).fetchall():
                    if one[1].startswith("Lock:"):
                        self.locks = max(self.locks, one)
                    else:
                        self.others = max(self.others, one)

    def end(self) -> str:
        """Return what it saw: the longest wait for a lock, and the longest for anything else."""
        self.over.set()
        self.thread.join()
        parts = []
        for seconds, what, behind in (self.locks, self.others):
            after = f" behind {' '.join(behind.split())}" if behind else ""
            parts += [f"{seconds * 1000:.0f} ms {what}{after}"] if what else []
        return "; ".join(parts) or "nothing over 10 ms"


class Bench:
    """One project, one server, one table."""

    def __init__(self, folder: Path, server: Server, rows: int, seconds: float) -> None:
        self.root = folder / "app"
        self.server, self.rows, self.seconds = server, rows, seconds
        self.peer = folder / "peer"
        self.url = server.url(dbname="bench")
        self.env = {
            **os.environ, "BENCH_PORT": str(server.port), "BENCH_PASSWORD": "s3cret",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }  # fmt: skip
        for name, text in (("manage.py", MANAGE), ("config/__init__.py", ""),
                           ("config/settings.py", SETTINGS), ("shop/__init__.py", ""),
                           ("shop/migrations/__init__.py", "")):  # fmt: skip
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.step("0001_base", "[]", BASE)

    def step(self, name: str, needs: str, operations: str) -> None:
        """Write a migration."""
        path = self.root / "shop" / "migrations" / f"{name}.py"
        path.write_text(STEP.format(needs=needs, operations=operations))

    def run(self, *argv: str, **more: str) -> None:
        """Run a program in the project."""
        done = subprocess.run(argv, cwd=self.root, env={**self.env, **more}, capture_output=True,
                              text=True)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-3000:]}")

    def install_peer(self) -> None:
        """Make the environment that the other library runs in."""
        if not self.peer.exists():
            self.run(sys.executable, "-m", "venv", str(self.peer))
            self.run(str(self.peer / "bin" / "pip"), "install", "-q", PEER, "django<6",
                     "psycopg[binary]")  # fmt: skip

    def prepare(self, operation: str) -> None:
        """Make the database anew at the base, full, with one step pending."""
        (self.root / "shop" / "migrations" / "0002_step.py").unlink(missing_ok=True)
        self.server.sql("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        self.server.sql("CREATE DATABASE bench")
        self.run(sys.executable, "manage.py", "migrate")
        with psycopg.connect(self.url, autocommit=True) as session:
            for sql in FILL:
                session.execute(sql.format(rows=self.rows).replace("%%", "%").encode())
        self.step("0002_step", '[("shop", "0001_base")]', operation)

    def apply(self, way: str) -> None:
        """Apply the pending step."""
        if way == "own":
            self.run(sys.executable, "manage.py", "migrate")
        elif way == "zdm":
            engine = "django_zero_downtime_migrations.backends.postgres"
            python = str(self.peer / "bin" / "python")
            for _ in range(60):  # it ends at a refused lock; its users start it again
                try:
                    self.run(python, "manage.py", "migrate", BENCH_ENGINE=engine)
                    return
                except RuntimeError as error:
                    if "timeout" not in str(error):
                        raise
        else:
            name = (self.root / "name").read_text()
            self.run(sys.executable, "-m", "tidegate", "apply", str(self.root / "plan.json"),
                     "--approve", name, "--timeout", "600")  # fmt: skip

    def plan(self) -> None:
        """Rehearse before the load begins, as one would."""
        import json

        path = self.root / "plan.json"
        self.run(sys.executable, "-m", "tidegate", "plan", "--online", "--fail-on", "never",
                 "-o", str(path))  # fmt: skip
        (self.root / "name").write_text(json.loads(path.read_text())["plan"])

    def measure(self, way: str, operation: str) -> str:
        """Apply it under load; return the row of the table."""
        self.prepare(operation)
        if way == "zdm":
            self.install_peer()
        if way == "tidegate":
            self.plan()
        load = Load(self.url, self.rows)
        with load.running():
            time.sleep(2)
            quiet, load.worst = load.worst, 0.0
            reader = psycopg.connect(self.url)
            reader.execute("SELECT count(*) FROM shop_item WHERE id < 10")
            ended: list[float] = []

            def end() -> None:
                reader.rollback()
                ended.append(time.monotonic())

            timer = threading.Timer(self.seconds, end)
            timer.start()
            sampler = Sampler(self.url)
            sampler.thread.start()
            began = time.monotonic()
            try:
                self.apply(way)
                why = ""
            except RuntimeError as error:
                why = (str(error).strip().splitlines() or [""])[-1][:60]
            done = time.monotonic()
            timer.join()
            time.sleep(0.5)
            waits = sampler.end()
            reader.close()
        after = done - ended[0]
        return (
            f"{load.worst * 1000:8.0f} {len(load.stalled):5} {load.failed:6} "
            f"{done - began:8.1f} {after:+8.1f} {quiet * 1000:8.0f}  {waits} {why}"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--reader", type=float, default=10.0)
    parser.add_argument("--only", default=",".join(OPERATIONS))
    parser.add_argument("--ways", default=",".join(WAYS))
    given = parser.parse_args()
    installed = find_installations()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-stall-"))
    server = Server(installed[max(installed)], settings={
        "max_connections": "60", "shared_buffers": "512MB", "max_wal_size": "4GB",
        "maintenance_work_mem": "256MB", "fsync": "on"}).start()  # fmt: skip
    print(f"PostgreSQL {max(installed)}, {given.rows:,} rows, {CLIENTS} clients at {RATE}/s, a "
          f"reader idle for {given.reader:g} s; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"{'operation':16} {'way':9} {'worst ms':>8} {'stall':>5} {'failed':>6} {'seconds':>8} "
          f"{'after':>8} {'quiet ms':>8}  waits")  # fmt: skip
    try:
        bench = Bench(folder, server, given.rows, given.reader)
        for name in given.only.split(","):
            for way in given.ways.split(","):
                print(f"{name:16} {way:9} {bench.measure(way, OPERATIONS[name])}", flush=True)
    finally:
        server.stop("immediate")
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__":
    main()
