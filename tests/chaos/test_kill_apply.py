"""kill -9 of `tidegate apply` at a random moment: nothing half written down, the next one ends."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.gate import Database, Ended, Runner
from support.postgres import PASSWORD
from support.projects import SmallProject

pytestmark = pytest.mark.races
STEPS = 3


def whole(number: int) -> tuple[str, ...]:
    """A step that is one transaction: what it makes and what it writes, with time between."""
    return (
        f"CREATE TABLE part_{number}_1 (id integer)",
        "SELECT pg_sleep(0.1)",
        f"INSERT INTO made_1 VALUES ({number})",
        f"ALTER TABLE made_2 ADD COLUMN part_{number}_2 integer",
        "SELECT pg_sleep(0.1)",
        f"CREATE INDEX part_{number}_3 ON made_1 (id)",
    )


def apart(number: int) -> tuple[str, ...]:
    """A step that is not: each statement is its own transaction, or none."""
    return (
        f"CREATE TABLE part_{number}_1 AS SELECT 1 AS id FROM pg_sleep(0.1)",
        f"CREATE INDEX CONCURRENTLY part_{number}_2 ON made_1 ((id + {number}))",
        f"ALTER TABLE made_2 ADD COLUMN part_{number}_3 integer",
        f"CREATE UNIQUE INDEX CONCURRENTLY part_{number}_4 ON made_1 (id, (id + {number}))",
    )


def online(number: int) -> tuple[str, ...]:
    """A step that `--online` takes apart."""
    return (
        f"ALTER TABLE made_2 ADD COLUMN part_{number}_1 integer",
        f"CREATE INDEX part_{number}_2 ON made_1 ((id + {number}))",
        f"ALTER TABLE made_1 ADD CONSTRAINT part_{number}_3 CHECK (id > -{number})",
    )


KINDS = {"whole": whole, "apart": apart, "online": online}
THERE = (
    "SELECT relname FROM pg_class WHERE relname LIKE 'part\\_%' UNION ALL "
    "SELECT attname FROM pg_attribute WHERE attname LIKE 'part\\_%' AND NOT attisdropped UNION ALL "
    "SELECT conname FROM pg_constraint WHERE conname LIKE 'part\\_%'"
)


@dataclass
class Case:
    """A plan for one database, and the dump that brings the database back to before it."""

    project: SmallProject
    database: Database
    plan: Path
    name: str
    dump: Path
    kind: str
    new: list[str]

    def reset(self) -> None:
        """Bring the database back."""
        self.database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        subprocess.run(["psql", "-qX", "-f", str(self.dump), self.database.url], check=True,
                       capture_output=True, env={**os.environ, "PGPASSWORD": PASSWORD})  # fmt: skip

    def look(self) -> tuple[list[str], dict[int, int]]:
        """What is recorded, and how many parts of each step are there, in one snapshot."""
        recorded = self.project.recorded_sql.replace(" ORDER BY 1", "")
        rows = self.database.rows(f"SELECT 'step', * FROM ({recorded}) r UNION ALL "
                                  f"SELECT 'part', * FROM ({THERE}) t")  # fmt: skip
        parts: dict[int, int] = dict.fromkeys(range(STEPS), 0)
        for row in rows:
            found = re.fullmatch(r"part\|part_(\d)_\d", row)
            if found:
                parts[int(found[1])] += 1
        return [row.removeprefix("step|") for row in rows if row.startswith("step|")], parts

    def is_recorded(self, number: int, rows: list[str]) -> bool:
        """Whether the framework has this step."""
        if self.project.framework == "django":
            return self.new[number] in rows
        ids = self.project.ids
        return bool(rows) and ids.index(rows[0]) >= ids.index(self.new[number])


@pytest.fixture(params=[(f, k) for k in KINDS for f in ("django", "alembic")],
                ids=lambda one: "-".join(one))  # fmt: skip
def case(
    request: pytest.FixtureRequest, make_project: Callable[..., SmallProject], tidegate: Runner,
    fresh: Callable[[str], Database], tmp_path: Path,
) -> Case:  # fmt: skip
    framework, kind = request.param
    project, database = make_project(framework), fresh("newest")
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 0
    dump = tmp_path / "base.sql"
    assert database.server
    programs = database.server.bindir
    subprocess.run([str(programs / "pg_dump"), "--no-owner", "-f", str(dump), database.url],
                   check=True)  # fmt: skip
    new = [project.add(*KINDS[kind](n), atomic=kind != "apart") for n in range(STEPS)]
    path = tmp_path / "plan.json"
    more = ["--online"] if kind == "online" else []
    planned = tidegate("plan", *more, "-o", str(path), "--scratch", database.server.url(),
                       "--fail-on", "never", cwd=project.root, timeout=120,
                       env={**database.environ, "XDG_CACHE_HOME": str(tmp_path)})  # fmt: skip
    assert planned.code == 0, planned.said
    name = json.loads(path.read_text())["plan"]
    return Case(project, database, path, name, dump, kind, new)


def start(tidegate: Runner, case: Case) -> Ended:
    return tidegate("apply", str(case.plan), "--approve", case.name, cwd=case.project.root,
                    env=case.database.environ)  # fmt: skip


def test_killed_at_a_random_moment(
    case: Case, tidegate: Runner, request: pytest.FixtureRequest
) -> None:
    """What is recorded is wholly there, a transaction is there or not, and the next run ends."""
    rounds = int(request.config.getoption("--rounds"))
    case.reset()
    first = start(tidegate, case)
    assert first.code == 0, first.said
    _, full = case.look()
    interrupted = 0
    for _ in range(rounds):
        case.reset()
        running = tidegate.start("apply", str(case.plan), "--approve", case.name,
                                 cwd=case.project.root, env=case.database.environ)  # fmt: skip
        time.sleep(random.uniform(0.3, 1.0) * first.seconds)
        running.signal(signal.SIGKILL)
        running.process.wait(10)
        rows, parts = case.look()
        for number in range(STEPS):
            if case.is_recorded(number, rows):
                assert parts[number] == full[number], (rows, parts)
            elif case.kind == "whole":
                assert parts[number] == 0, (rows, parts)
        interrupted += 0 < sum(parts.values()) < sum(full.values())
        done = start(tidegate, case)
        assert done.code == 0, (parts, done.said)
        rows, parts = case.look()
        assert parts == full
        assert all(case.is_recorded(number, rows) for number in range(STEPS))
        if case.kind == "whole":
            written = case.database.rows("SELECT id FROM made_1 ORDER BY id")
            assert written == [str(number) for number in range(STEPS)]
        invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert case.database.rows(invalid) == ["0"]
    print(f"{interrupted} of {rounds} rounds were killed with a part of the work done")
