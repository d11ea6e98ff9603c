"""How long a start takes when there is nothing to do, and when many start at once.

Peers run interleaved in the same run, over TCP with SCRAM; what counts are the ratios. The Python
is as in an image: an environment of its own, with tidegate's wheel, the frameworks and a driver,
all compiled, and nothing else. Prints Markdown tables.

usage: python bench/boot.py [--rounds 15] [--sizes 38,200,1000,5000] [--replicas 32,128]
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import PASSWORD, SUPERUSER, Server, find_installations  # noqa: E402

QUICK = ("psql", "psql on PATH", "tidegate")  # timed at each turn; the others at every fifth
NEEDS = ("django", "alembic", "psycopg[binary]")
MANAGE = """import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """import os
SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"],
    "PORT": os.environ["DB_PORT"], "USER": os.environ["DB_USER"],
    "PASSWORD": os.environ["DB_PASSWORD"], "NAME": os.environ["DB_NAME"]}}
"""
STEP = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [{needs}]
    operations = [{operation}]
"""
CREATE = 'migrations.CreateModel("Item", [("id", models.AutoField(primary_key=True))])'
ALEMBIC_ENV = """import os
from alembic import context
from sqlalchemy import create_engine
url = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def django_project(folder: Path, size: int) -> None:
    """Write a project whose app has `size` migrations: one table, then a field every tenth."""
    steps = folder / "shop" / "migrations"
    steps.mkdir(parents=True)
    (folder / "manage.py").write_text(MANAGE)
    (folder / "conf.py").write_text(SETTINGS)
    for path in (folder / "shop", steps):
        (path / "__init__.py").touch()
    before = ""
    for number in range(1, size + 1):
        name = f"{number:04}_step"
        operation = CREATE if number == 1 else ""
        if number > 1 and number % 10 == 1 and number < 1000:
            operation = f'migrations.AddField("item", "f{number}", models.IntegerField(null=True))'
        needs = f'("shop", "{before}")' if before else ""
        (steps / f"{name}.py").write_text(STEP.format(needs=needs, operation=operation))
        before = name


def alembic_project(folder: Path, size: int) -> None:
    """Write an Alembic environment with `size` empty revisions."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (folder / "migrations" / "env.py").write_text(ALEMBIC_ENV)
    for number in range(size):
        down = f'"{number - 1:012x}"' if number else "None"
        (versions / f"{number:012x}_step.py").write_text(
            f'revision = "{number:012x}"\ndown_revision = {down}\n'
            "def upgrade(): pass\ndef downgrade(): pass\n"
        )


def image(work: Path) -> Path:
    """Make the environment; return the folder of its programs."""
    run = functools.partial(subprocess.run, check=True, cwd=ROOT)
    run(["uv", "build", "--quiet", "--wheel", "--out-dir", str(work)])
    run(["uv", "venv", "--quiet", "--python", sys.executable, str(work / "env")])
    python = str(work / "env" / "bin" / "python")
    (wheel,) = work.glob("*.whl")
    run(["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, str(wheel),
         *NEEDS])  # fmt: skip
    return work / "env" / "bin"


def environ(server: Server, database: str) -> dict[str, str]:
    """Return the environment of a container, and libpq's names for psql."""
    names = {"HOST": "127.0.0.1", "PORT": str(server.port), "USER": SUPERUSER}
    names |= {"PASSWORD": PASSWORD, "NAME": database}
    url = f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{server.port}/{database}"
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "PGPASSWORD": PASSWORD,
        **{f"DB_{key}": value for key, value in names.items()},
    }


def psql(server: Server, database: str, sql: str, program: str = "") -> list[str]:
    """Return the command line of the peer that does least."""
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", SUPERUSER]
    return [program or str(server.bindir / "psql"), *where, "-XAtqc", sql, database]


def psqls(server: Server, database: str, sql: str) -> dict[str, list[str]]:
    """Return PostgreSQL's own psql, and the one on PATH: on Debian a wrapper written in Perl."""
    return {
        "psql": psql(server, database, sql),
        "psql on PATH": psql(server, database, sql, shutil.which("psql") or "psql"),
    }


class Took(NamedTuple):
    """What something took: seconds on the wall, and the processor's seconds of the client alone."""

    wall: float
    cpu: float


def once(command: list[str], folder: Path, env: dict[str, str]) -> Took:
    """Run a command to its end."""
    return at_once(command, folder, env, 1)


def at_once(command: list[str], folder: Path, env: dict[str, str], count: int) -> Took:
    """Start `count` of a command together, and wait until the last has ended."""
    quiet = subprocess.DEVNULL
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [
        subprocess.Popen(command, cwd=folder, env=env, stdout=quiet, stderr=quiet)
        for _ in range(count)
    ]
    codes = {one.wait() for one in running}
    assert codes == {0}, (command, codes)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.perf_counter() - began, cpu)


def median(some: Iterable[Took]) -> Took:
    """Return the median of each."""
    return Took(*(statistics.median(one) for one in zip(*some, strict=True)))


def interleaved(
    commands: dict[str, list[str]], folder: Path, env: dict[str, str], rounds: int
) -> dict[str, Took]:
    """Run all commands in turn; return each one's medians."""
    times: dict[str, list[Took]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            slow = name not in QUICK
            if slow and turn % 5 and turn != rounds:
                continue
            took = once(command, folder, env)
            if turn:
                times[name].append(took)
    return {name: median(some) for name, some in times.items()}


def row(title: str, found: dict[str, Took]) -> None:
    """Print one row: milliseconds, then ratios."""
    gate, least = found["tidegate"], found["psql"]
    path = found["psql on PATH"].wall
    own = [(name, took) for name, took in found.items() if name not in QUICK]
    name, took = own[0]
    print(
        f"| {title} | {gate.wall * 1000:.0f} | {least.wall * 1000:.0f} | "
        f"{gate.wall / least.wall:.2f} | {gate.cpu / least.cpu:.2f} | "
        f"{path * 1000:.0f} | {gate.wall / path:.2f} | "
        f"`{name}` {took.wall * 1000:.0f} | {took.wall / gate.wall:.0f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", default="200,1000,5000")
    parser.add_argument("--replicas", default="32,128")
    options = parser.parse_args()
    _, bindir = next(iter(find_installations().items()))
    server = Server(bindir, settings={"max_connections": "300"}).start()
    boot = ["tidegate", "boot", "--", "true"]
    with tempfile.TemporaryDirectory() as work:
        os.environ["PATH"] = f"{image(Path(work))}:{os.environ['PATH']}"
        print(
            "| no-op start | tidegate boot ms | psql ms | to psql | in processor time | "
            "psql on PATH ms | to that | framework ms | times faster |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for size in map(int, options.sizes.split(",")):
            measure_django(server, Path(work), size, boot, options.rounds)
            measure_alembic(server, Path(work), size, boot, options.rounds)
        print("\n| at once | tidegate s | peer s | ratio | in processor time |")
        print("| --- | --- | --- | --- | --- |")
        measure_crowd(server, Path(work), boot, list(map(int, options.replicas.split(","))))
    server.stop()


def measure_django(server: Server, work: Path, size: int, boot: list[str], rounds: int) -> None:
    """No-op start of a Django project."""
    migrate = ["python", "manage.py", "migrate", "--noinput"]
    folder, env = prepared(server, work, f"django{size}")
    django_project(folder, size)
    commands = {
        **psqls(server, folder.name, "select app, name from django_migrations"),
        "tidegate": boot,
        "migrate --noinput": migrate,
    }
    row(f"Django, {size} migrations", no_op(commands, migrate, folder, env, rounds))


def measure_alembic(server: Server, work: Path, size: int, boot: list[str], rounds: int) -> None:
    """No-op start of an Alembic project."""
    upgrade = ["python", "-m", "alembic", "upgrade", "head"]
    folder, env = prepared(server, work, f"alembic{size}")
    alembic_project(folder, size)
    commands = {
        **psqls(server, folder.name, "select version_num from alembic_version"),
        "tidegate": boot,
        "upgrade head": upgrade,
    }
    row(f"Alembic, {size} revisions", no_op(commands, upgrade, folder, env, rounds))


def prepared(server: Server, work: Path, name: str) -> tuple[Path, dict[str, str]]:
    """Return a new folder and the environment of a new database, both called `name`."""
    (work / name).mkdir()
    server.sql(f"CREATE DATABASE {name}")
    return work / name, environ(server, name)


def no_op(
    commands: dict[str, list[str]],
    migrate: list[str],
    folder: Path,
    env: dict[str, str],
    rounds: int,
) -> dict[str, Took]:
    """Migrate and seal once, then time the commands with nothing left to do."""
    once(migrate, folder, env)
    once(["tidegate", "seal"], folder, env)
    return interleaved(commands, folder, env, rounds)


def measure_crowd(server: Server, work: Path, boot: list[str], counts: list[int]) -> None:
    """Many at once: on a current database beside psql, on an empty one beside one migrate."""
    folder = work / "django200"
    env = environ(server, "django200")
    query = psql(server, "django200", "select app, name from django_migrations")
    for count in counts:
        pairs = [(at_once(boot, folder, env, count), at_once(query, folder, env, count))
                 for _ in range(3)]  # fmt: skip
        gate, peer = (median(some) for some in zip(*pairs, strict=True))
        crowd(f"{count} on a current database, beside {count} psql", gate, peer)
    alone, together = [], []
    for turn in range(3):
        for name, times in (("one", alone), ("many", together)):
            database = f"empty_{name}{turn}"
            server.sql(f"CREATE DATABASE {database}")
            env = environ(server, database)
            if name == "one":
                times.append(once(["python", "manage.py", "migrate", "--noinput"], folder, env))
            else:
                times.append(at_once(boot, folder, env, 32))
    crowd("32 on an empty database, beside one migrate", median(together), median(alone))


def crowd(title: str, gate: Took, peer: Took) -> None:
    """Print one row of those that start at once."""
    print(f"| {title} | {gate.wall:.2f} | {peer.wall:.2f} | {gate.wall / peer.wall:.2f} | "
          f"{gate.cpu / peer.cpu:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
