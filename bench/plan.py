"""How long a rehearsal takes, beside the framework's own migrate on a copy of the database.

A schema of 300 tables with foreign keys and indexes; pending is one ordinary step (a field with a
default and its index), or fifty. Each round makes the embedded server anew (its cache is removed)
and runs the peer on a fresh copy, in turn. Then the same fifty steps are applied in the rehearsal's
own process, traced and not. Prints two Markdown tables; goals: 5 s, 15 s, 12 ms a statement.

usage: python bench/plan.py [--rounds 3] [--tables 300] [--steps 1,50] [--only django,alembic]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from boot import ALEMBIC_ENV, MANAGE  # noqa: E402

from support.postgres import Server, find_installations  # noqa: E402

PYTHON = sys.executable
AT_ONCE = 30  # tables that one step makes
ENVIRON = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
ENVIRON["TIDEGATE_LOCAL"] = "1"
SETTINGS = """import os
from urllib.parse import urlsplit
SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
at = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": at.hostname, "PORT": at.port,
    "USER": at.username, "PASSWORD": at.password, "NAME": at.path[1:]}}
"""
STEP = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [{needs}]
    operations = [
        {operations}
    ]
"""
MODEL = (
    'migrations.CreateModel("Table{n}", [("id", models.BigAutoField(primary_key=True)), '
    '("name", models.CharField(max_length=80, db_index=True)), ("number", models.IntegerField()), '
    '("at", models.DateTimeField(null=True)), ("text", models.TextField()), '
    '("price", models.DecimalField(max_digits=9, decimal_places=2)){key}])'
)
KEY = ', ("to", models.ForeignKey("shop.Table{to}", models.CASCADE))'
REVISION = """import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {needs}


def upgrade():
    {up}


def downgrade():
    {down}
"""
TABLE = (
    'op.create_table("table{n}", sa.Column("id", sa.BigInteger, primary_key=True), '
    'sa.Column("name", sa.String(80), nullable=False, index=True), sa.Column("number", sa.Integer),'
    ' sa.Column("at", sa.DateTime), sa.Column("text", sa.Text), '
    'sa.Column("price", sa.Numeric(9, 2))'
    "{key})"
)
REFERS = ', sa.Column("to_id", sa.BigInteger, sa.ForeignKey("table{to}.id"))'


def django_pending(number: int) -> tuple[str, str]:
    """Return the operations of one pending step, and nothing for its way down."""
    on, name = f'"table{number}"', f"f{number}"
    operations = (
        f'migrations.AddField({on}, "{name}", models.IntegerField(default=0)),\n        '
        f"migrations.AddIndex({on}, models.Index("
        f'fields=["{name}"], name="bench_{name}")),',
        f'migrations.AddField({on}, "{name}", models.CharField(max_length=20, null=True)),',
        f'migrations.AlterField({on}, "name", models.CharField(max_length=120, db_index=True)),',
        f'migrations.AddField({on}, "{name}", models.ForeignKey("shop.Table0", models.CASCADE, '
        'null=True, related_name="+")),',
        f'migrations.AddConstraint({on}, models.UniqueConstraint(fields=["number"], '
        f'name="bench_{name}")),',
    )
    return operations[number % len(operations)], ""


def alembic_pending(number: int) -> tuple[str, str]:
    """Return the two ways of one pending revision."""
    on, name = f'"table{number}"', f"f{number}"
    column = f'op.add_column({on}, sa.Column("{name}", {{}}))'
    ways = (
        (column.format("sa.Integer, server_default='0', nullable=False")
         + f'\n    op.create_index("bench_{name}", {on}, ["{name}"])',
         f'op.drop_column({on}, "{name}")'),
        (column.format("sa.String(20)"), f'op.drop_column({on}, "{name}")'),
        (f'op.alter_column({on}, "name", type_=sa.String(120))',
         f'op.alter_column({on}, "name", type_=sa.String(80))'),
        (column.format('sa.BigInteger, sa.ForeignKey("table0.id")'),
         f'op.drop_column({on}, "{name}")'),
        (f'op.create_unique_constraint("bench_{name}", {on}, ["number"])',
         f'op.drop_constraint("bench_{name}", {on})'),
    )  # fmt: skip
    return ways[number % len(ways)]


@dataclass
class Bench:
    """One framework's project, its deployed database and its pending steps."""

    framework: str
    root: Path
    server: Server
    tables: int
    last: str = ""
    pending: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = f"bench_{self.framework}"
        django = self.framework == "django"
        steps = "shop/migrations" if django else "migrations/versions"
        (self.root / steps).mkdir(parents=True)
        files = {"manage.py": MANAGE, "conf.py": SETTINGS, "shop/__init__.py": "",
                 "shop/migrations/__init__.py": ""}  # fmt: skip
        if not django:
            files = {"alembic.ini": "[alembic]\nscript_location = migrations\n",
                     "migrations/env.py": ALEMBIC_ENV}  # fmt: skip
        for name, text in files.items():
            (self.root / name).write_text(text)
        self.steps = self.root / steps
        self.migrate = ([PYTHON, "manage.py", "migrate"] if django
                        else [PYTHON, "-m", "alembic", "upgrade", "head"])  # fmt: skip
        model, key = (MODEL, KEY) if django else (TABLE, REFERS)
        for first in range(0, self.tables, AT_ONCE):
            made = [model.format(n=n, key=key.format(to=n - 1) if n else "")
                    for n in range(first, min(first + AT_ONCE, self.tables))]  # fmt: skip
            self.write(",\n        ".join(made) if django else "\n    ".join(made), "pass")
        self.server.sql(f"CREATE DATABASE {self.database}")
        self.run(self.migrate, self.database)

    def write(self, up: str, down: str) -> Path:
        """Write the next step."""
        number = len(list(self.steps.glob("0*.py"))) + 1
        name = f"{number:04}_step"
        needs = f'("shop", "{self.last}")' if self.last else ""
        text = STEP.format(needs=needs, operations=up)
        if self.framework == "alembic":
            text = REVISION.format(name=name, needs=repr(self.last or None), up=up, down=down)
        path = self.steps / f"{name}.py"
        path.write_text(text)
        self.last = name
        return path

    def leave_pending(self, count: int) -> None:
        """Have exactly `count` steps pending."""
        what = django_pending if self.framework == "django" else alembic_pending
        for number in range(len(self.pending), count):
            self.pending.append(self.write(*what(number)))

    def run(self, argv: list[str], database: str, **more: str) -> tuple[float, float]:
        """Run a program in the project; return its seconds, and those of the processors."""
        env = {**ENVIRON, "DATABASE_URL": self.server.url(dbname=database), **more}
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(argv, cwd=self.root, env=env, capture_output=True, text=True)
        took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-3000:]}")
        return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def copies(self, *names: str) -> Iterator[str]:
        """Return fresh copies of the deployed database, one after the other."""
        for name in names:
            self.server.sql(f"DROP DATABASE IF EXISTS {name}")
            self.server.sql(f"CREATE DATABASE {name} TEMPLATE {self.database}")
            yield name

    def plan(self) -> tuple[float, float, dict[str, Any]]:
        """Rehearse with nothing in the cache; return both kinds of seconds, and the plan."""
        with tempfile.TemporaryDirectory() as cache:
            path = Path(cache) / "plan.json"
            argv = [PYTHON, "-m", "tidegate", "plan", "--fail-on", "never", "-o", str(path)]
            took, work = self.run(argv, self.database, XDG_CACHE_HOME=cache)
            return took, work, json.loads(path.read_text())

    def row(self, count: int, rounds: int) -> None:
        """Print what the rehearsal of `count` pending steps takes."""
        self.leave_pending(count)
        plans, peers, parts = [], [], {}
        for _ in range(rounds):
            *took, document = self.plan()
            plans.append(took)
            parts = document["rehearsal"]["seconds"]
            [copy] = self.copies("copy")
            peers.append(self.run(self.migrate, copy))
        (wall, work), (own, own_work) = (
            [statistics.median(kind) for kind in zip(*some, strict=True)] for some in (plans, peers)
        )
        print(f"| {self.framework}, {count} of {len(document['steps'])} | {wall:.1f} | {work:.1f} |"
              f" {own:.1f} | {own_work:.1f} | {wall / own:.1f} | "
              f"{' '.join(f'{k} {v:.1f}' for k, v in parts.items())} |", flush=True)  # fmt: skip

    def tracing(self, rounds: int) -> None:
        """Print what looking at each statement adds to it."""
        found: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for _ in range(rounds):
            for traced in (False, True):
                [copy] = self.copies("copy")
                job = {"root": str(self.root), "database": copy, "traced": traced,
                       "url": self.server.url(dbname=copy)}  # fmt: skip
                argv = [PYTHON, __file__, "--inside", json.dumps(job)]
                done = subprocess.run(argv, cwd=self.root, capture_output=True, text=True,
                                      env={**ENVIRON, "DATABASE_URL": job["url"]})  # fmt: skip
                if done.returncode:
                    raise RuntimeError(done.stderr[-3000:])
                found[traced].append(json.loads(done.stdout.splitlines()[-1]))
        count, cells = found[True][0]["statements"], []
        for kind in ("seconds", "work"):
            plain, with_it = (statistics.median(one[kind] for one in found[traced])
                              for traced in (False, True))  # fmt: skip
            cells += [f"{plain:.2f}", f"{with_it:.2f}", f"{(with_it - plain) / count * 1000:.1f}"]
        print(f"| {self.framework} | {count} | {' | '.join(cells)} |", flush=True)


def inside(job: dict[str, Any]) -> None:
    """Apply all that is pending in this process, traced or not; print what that took."""
    from tidegate import discovery
    from tidegate.contracts.framework import Applying
    from tidegate.rehearsal.pgprobe import PostgresProbe
    from tidegate.rehearsal.rehearse import Rehearsal
    from tidegate.rehearsal.trace import Tracer

    at = urlsplit(job["url"])
    heard: list[dict[str, Any]] = []
    rehearsal = Rehearsal(discovery.find_project(Path(job["root"]), os.environ), heard.append)
    scratch = {"vendor": "postgresql", "name": job["database"], "host": at.hostname,
               "port": at.port, "user": at.username, "password": at.password}  # fmt: skip
    rehearsal.point({"alias": rehearsal.connections[0].alias, "scratch": scratch})
    tracer, server = None, [0.0, 0.0]  # the backend's seconds at the first step and at the last
    if job["traced"]:
        probe = PostgresProbe(rehearsal.scratch.connect)
        probe.begin()
        tracer = rehearsal.runs.tracer = Tracer(heard.append, probe, "postgresql")

    def begin(step: str) -> None:
        session = rehearsal.runs.session(rehearsal.connection)
        server[0] = server[0] or backend_seconds(session)
        if tracer is not None:
            tracer.session = session
            tracer.begin(step)

    def finish(step: str, seconds: float) -> None:
        if tracer is not None:
            tracer.finish()
        server[1] = backend_seconds(rehearsal.runs.session(rehearsal.connection))

    began, work = time.perf_counter(), time.process_time()
    rehearsal.runs.up(rehearsal.connection, Applying(on_start=begin, on_done=finish))
    took, work = time.perf_counter() - began, time.process_time() - work
    found = {"seconds": took, "work": work + server[1] - server[0], "statements": len(heard)}
    print(json.dumps(found))


def backend_seconds(session: Any) -> float:
    """Return the processor seconds that a session of this machine's server has used."""
    pid = session.run("SELECT pg_backend_pid()")[0][0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--steps", default="1,50")
    parser.add_argument("--only", default="django,alembic")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(json.loads(given.inside))
        return
    installed = find_installations()
    server = Server(installed[max(installed)], settings={
        "max_connections": "30", "shared_buffers": "128MB", "max_locks_per_transaction": "1024",
    }).start()  # fmt: skip
    print(f"PostgreSQL {max(installed)}, {given.tables} tables, median of {given.rounds}; load "
          f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as work:
            benches = [Bench(one, Path(work) / one, server, given.tables)
                       for one in given.only.split(",")]  # fmt: skip
            print("| pending | plan s | of CPU | migrate on a copy s | of CPU | times | parts |\n"
                  "| --- | --- | --- | --- | --- | --- | --- |", flush=True)  # fmt: skip
            for count in sorted(map(int, given.steps.split(","))):
                for bench in benches:
                    bench.row(count, given.rounds)
            print("\n| traced | statements | not traced s | traced s | ms a statement | "
                  "CPU not traced s | traced s | CPU ms a statement |\n"
                  "| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)  # fmt: skip
            for bench in benches:
                bench.tracing(given.rounds)
        print(f"\nload at the end {os.getloadavg()[0]:.1f}")
    finally:
        server.stop("immediate")


if __name__ == "__main__":
    main()
