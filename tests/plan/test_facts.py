"""What a rehearsal reports is what an independent observer of the same server saw."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support import kinds
from support.gate import Runner
from support.postgres import Server
from support.projects import SmallProject

MODES = {
    "ACCESS SHARE": "AccessShareLock",
    "ROW SHARE": "RowShareLock",
    "ROW EXCLUSIVE": "RowExclusiveLock",
    "SHARE UPDATE EXCLUSIVE": "ShareUpdateExclusiveLock",
    "SHARE": "ShareLock",
    "SHARE ROW EXCLUSIVE": "ShareRowExclusiveLock",
    "EXCLUSIVE": "ExclusiveLock",
    "ACCESS EXCLUSIVE": "AccessExclusiveLock",
}
OUTSIDE = {  # what runs outside a transaction is gone before anyone can look: the manual's word
    "add index concurrently!": {("orders", "ShareUpdateExclusiveLock")},
    "drop index concurrently!": {("orders", "ShareUpdateExclusiveLock")},
    "reindex concurrently!": {("spare", "ShareUpdateExclusiveLock")},
    "vacuum full!": {("spare", "AccessExclusiveLock")},
}
HIDDEN = "raw cursor"  # no hook sees it: it has a test of its own
INSIDE = [name for name in kinds.KINDS if name[-1] != "!" and name != HIDDEN]
# DML's scans are the planner's choice, and TRUNCATE's are of the new and empty file.
NO_SCANS = ("update rows", "delete rows", "copy rows in", "truncate")


@dataclass
class Step:
    """One step, by both accounts."""

    statements: list[dict[str, Any]] = field(default_factory=list)
    observed: list[dict[str, Any]] = field(default_factory=list)
    rewrites: set[str] = field(default_factory=set)
    scans: set[str] = field(default_factory=set)
    applied: bool = False


@dataclass
class Both:
    """A whole rehearsal, by both accounts."""

    steps: dict[str, Step] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["django", "alembic"])
def both(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Server],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Both]:
    """Rehearse every kind once, observed."""
    folder = tmp_path_factory.mktemp("kinds")
    project = SmallProject(folder / "app", request.param, steps=0)
    base, steps = kinds.write(project.root, request.param)
    server = servers("newest")
    name = f"kinds_{request.param}"
    server.sql(f"CREATE DATABASE {name}")
    url = server.url(dbname=name)
    parts = urlsplit(url)
    job = {
        "root": str(project.root),
        "alias": "default" if request.param == "django" else "alembic",
        "scratch": {"vendor": "postgresql", "name": name, "host": parts.hostname,
                    "port": parts.port, "user": parts.username, "password": parts.password},
        "deployed": [base], "pending": [step for step, _ in steps], "url": url,
    }  # fmt: skip
    script = Path(__file__).resolve().parents[1] / "support" / "observed.py"
    env = Runner(folder).environ({"DATABASE_URL": f"postgresql://no:no@127.0.0.1:1/{name}"})
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(job)],
        cwd=project.root, env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    try:
        yield _sorted(done, dict(steps))
    finally:
        server.sql(f"DROP DATABASE {name} WITH (FORCE)")


def _sorted(done: subprocess.CompletedProcess[str], named: dict[str, str]) -> Both:
    found = Both({name: Step() for name in named.values()})
    for line in done.stdout.splitlines():
        event = json.loads(line)
        assert event["event"] != "failed" or event["way"] != "up", event
        step = found.steps.get(named.get(event.get("step", ""), ""))
        if step is None:
            continue
        if event["event"] == "statement":
            step.statements.append(event)
        elif event["event"] == "observed":
            step.observed.append(event)
        elif event["event"] == "step-observed":
            step.rewrites, step.scans = set(event["rewrites"]), set(event["scans"])
        elif event["event"] == "applied":
            step.applied = True
    missing = [name for name, step in found.steps.items() if not step.applied]
    assert not missing, f"{missing[0]} was not applied\n{done.stderr[-3000:]}"
    return found


@pytest.mark.parametrize("kind", INSIDE)
def test_locks_are_those_that_the_observer_saw(both: Both, kind: str) -> None:
    """After each statement of a step, the locks told so far are exactly those that are held."""
    step = both.steps[kind]
    told: set[tuple[str, str]] = set()
    looks = iter(step.observed)
    assert step.observed, "the observer saw no open transaction"
    for statement in step.statements:
        told |= {(lock["was"], MODES[lock["mode"]]) for lock in statement["locks"]}
        if statement["seen"] == "hook":
            seen = {tuple(lock) for lock in next(looks)["locks"]}
            assert told == seen, statement["sql"]


@pytest.mark.parametrize("kind", sorted(OUTSIDE))
def test_locks_outside_a_transaction_are_those_of_the_manual(both: Both, kind: str) -> None:
    """A statement that can't be in a transaction is stopped at its lock, which is told."""
    step = both.steps[kind]
    told = {(lock["was"], MODES[lock["mode"]]) for one in step.statements for lock in one["locks"]}
    assert OUTSIDE[kind] <= told
    stronger = {one for one in told if one[0] in ("orders", "spare")} - OUTSIDE[kind]
    assert not {mode for _, mode in stronger} - {
        "AccessShareLock",
        "RowExclusiveLock",
        "ShareLock",
    }, told


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_rewrites_are_those_that_the_observer_saw(both: Both, kind: str) -> None:
    """Tables and indexes with a new file after the step are those that its statements tell."""
    step = both.steps[kind]
    told = {name for one in step.statements for name in one["rewrites"]}
    assert told == step.rewrites


@pytest.mark.parametrize("kind", [one for one in kinds.KINDS if one not in NO_SCANS])
def test_scans_are_those_that_the_observer_saw(both: Both, kind: str) -> None:
    """The tables whose rows a step read, by the server's own statistics, are those told."""
    step = both.steps[kind]
    told = {name for one in step.statements for name in (*one["scans"], *one["read"])}
    assert told == step.scans


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_every_statement_names_its_line(both: Both, kind: str) -> None:
    """Each statement that a hook saw names the file of its step and a line in it."""
    for statement in both.steps[kind].statements:
        if statement["seen"] == "hook":
            assert statement["line"] > 0, statement["sql"]
            assert "migrations" in statement["path"]


def test_what_passes_the_framework_is_told_as_such(both: Both) -> None:
    """A raw cursor's statement is found by the event triggers, with its locks."""
    (hidden,) = [one for one in both.steps["raw cursor"].statements if one["seen"] != "hook"]
    assert hidden["sql"] == "ALTER TABLE spare ADD COLUMN raw integer"
    assert {(lock["was"], lock["mode"]) for lock in hidden["locks"]} == {
        ("spare", "ACCESS EXCLUSIVE")
    }


def test_enough_kinds_are_tried() -> None:
    """At least 40 kinds of operations are written for both frameworks."""
    assert len(kinds.KINDS) >= 40
