"""The deployed level: which steps it has, and the scratch database brought to it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from concurrent.futures import Future
from pathlib import Path

from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.level import ancestors
from tidegate.model.step import Step
from tidegate.workflows.plan import embedded, scratch, target
from tidegate.workflows.plan.outcome import Outcome
from tidegate.workflows.plan.project import Clock, Project, Request
from tidegate.workflows.plan.runner import Runner, aside


def level(
    request: Request, project: Project, connection: Connection, found: target.Target | None
) -> frozenset[str]:
    """Return the ids of the deployed steps: as the target says, or as the words say."""
    steps = project.steps.get(connection.alias, [])
    if found is not None:
        return project.applied(connection.alias, found.recorded)
    if request.since:
        return since(request.root, request.since, steps)
    if request.start == "zero":
        return frozenset()
    wanted = [word.strip() for word in request.start.split(",") if word.strip()]
    known = {one.id for one in steps}
    wrong = [word for word in wanted if word not in known]
    if wrong:
        raise UsageProblem(f"there is no step {wrong[0]}", "", "name it as `tidegate status` does")
    return ancestors(steps, wanted)


def since(root: Path, ref: str, steps: list[Step]) -> frozenset[str]:
    """Return the steps whose files are in the commit; what lies outside the tree is deployed."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise UsageProblem(
                f"git can't tell what is in {ref}: {done.stderr.strip()}",
                "--since names the commit that is deployed.",
                "name a branch, tag or commit of this repository, fetched",
            )
        return done.stdout

    top = Path(git("rev-parse", "--show-toplevel").strip()).resolve()
    files = {str(top / one) for one in git("ls-tree", "-r", "-z", "--name-only", "--full-tree",
                                           ref).split("\0") if one}  # fmt: skip
    ignored = [
        one.path
        for one in steps
        if top not in Path(one.path).resolve().parents or "site-packages" in one.path
    ]
    inside = files | set(ignored)
    return frozenset(one.id for one in steps if one.path in inside or
                     str(Path(one.path).resolve()) in inside)  # fmt: skip


def fill(
    outcome: Outcome,
    server: scratch.Server | None,
    place: dict[str, str],
    recorded_sql: str,
    inside: Runner,
    clock: Clock,
    dumped: Future[str] | None,
) -> None:
    """Bring the scratch database to the deployed level: from the target, or from the steps."""
    if server is not None and outcome.target is not None and dumped is not None:
        found, sql = outcome.target, dumped.result()
        clock.note("dump")
        restored = aside(lambda: target.restore(server, place["name"], found, sql))
        inside.ask("warm", _unheard, deployed=sorted(outcome.applied))  # on another core
        outcome.not_restored = restored.result()
        target.record(server, place["name"], found, recorded_sql)
        clock.note("restore")
        return
    if outcome.target is not None or not outcome.applied:
        return
    kept = _kept(outcome)
    if server is not None and kept is not None and kept.exists():
        # pg_dump 17 and newer sets what an older server, as this scratch may be, does not know.
        sql = kept.read_text("utf-8").replace("SET transaction_timeout = 0;\n", "")
        done = server.client("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", place["name"],
                             stdin=sql)  # fmt: skip
        if done.ok:
            clock.note("restore")
            return
        raise RefusedForGood(f"{kept} can't be restored", done.err.strip(), f"delete {kept}")
    inside.ask("build", outcome.rehearsed.hear, deployed=sorted(outcome.applied))
    clock.note("build")
    if server is not None and kept is not None:
        _keep(server, place["name"], kept)


def _unheard(event: object) -> None:
    """Nothing is told by it."""


def _kept(outcome: Outcome) -> Path | None:
    """Return the file that keeps what the deployed steps build: their code names it."""
    if any(not one.digest for one in outcome.steps if one.id in outcome.applied):
        return None
    text = "\n".join(sorted(f"{one.id} {one.digest}" for one in outcome.steps
                            if one.id in outcome.applied))  # fmt: skip
    name = hashlib.sha256(f"{outcome.engine}\n{text}".encode()).hexdigest()[:24]
    return embedded.cache() / f"level-{name}.sql"


def _keep(server: scratch.Server, database: str, kept: Path) -> None:
    done = server.client("pg_dump", "--no-owner", "-d", database)
    if not done.ok:
        return
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_text(done.out, encoding="utf-8")
        os.replace(half, kept)
    except OSError:
        pass  # a cache that can't be written is done without
