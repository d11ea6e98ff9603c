"""The story of `plan`: look at the target, make a scratch copy, run everything on it, judge it.

`rehearse` reads aloud. The target is only ever read; the scratch database is gone afterwards.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from tidegate.databases import pgschema
from tidegate.errors import NotReady, RefusedForGood, UsageProblem
from tidegate.frameworks import alembic, django
from tidegate.model.connection import Connection, Secret
from tidegate.model.level import ancestors, judge
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.step import Step
from tidegate.model.words import counted
from tidegate.workflows.plan import online, programs, rewrites, scratch, target
from tidegate.workflows.plan.runner import Event, Runner, project_python, runner
from tidegate.workflows.plan.traced import Rehearsed, traces

Say = Callable[[str], None]

EXTENSION = re.compile(
    r"""(?:CREATE EXTENSION\s+(?:IF NOT EXISTS\s+)?|CreateExtension\(\s*)["']?([\w-]+)""", re.I
)
OPERATIONS = {  # Django's own operations, and the extension that each makes
    "BloomExtension": "bloom", "BtreeGinExtension": "btree_gin",
    "BtreeGistExtension": "btree_gist", "CITextExtension": "citext",
    "CryptoExtension": "pgcrypto", "HStoreExtension": "hstore",
    "TrigramExtension": "pg_trgm", "UnaccentExtension": "unaccent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: flags of the verb. `against` is a URL; `start` a level in words."""

    root: Path
    environ: Mapping[str, str]
    database: str = ""
    against: str = ""
    start: str = ""
    since: str = ""
    server: str = ""
    python: str = ""
    framework: str = ""
    rows: str = ""
    online: bool = False
    place: tuple[str, str] = ("", "")  # host and port, with the project's own login


@dataclass(slots=True)
class Project:
    """What the project's own Python told of it."""

    framework: str = ""
    root: Path = Path()
    connections: list[Event] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take one event in."""
        if event["event"] == "connection":
            self.connections.append(event)
        elif event["event"] == "step":
            self.steps.setdefault(event["alias"], []).append(Step.from_dict(event))
        elif event["event"] == "project":
            self.framework, self.root = event["framework"], Path(event["root"])

    def connection(self, alias: str) -> tuple[Connection, str]:
        """Return one database's login and the SELECT that reads its level."""
        found = [one for one in self.connections if alias in ("", one["alias"])]
        if not found:
            known = ", ".join(one["alias"] for one in self.connections)
            raise UsageProblem(f"{alias} is not a database of this project",
                               f"It has: {known or 'none'}.", "correct --database")  # fmt: skip
        one = found[0]
        fields = ("alias", "vendor", "host", "port", "user", "name", "options", "driver",
                  "version_table", "version_schema")  # fmt: skip
        connection = Connection(password=Secret(one["password"]), **{f: one[f] for f in fields})
        return connection, one["recorded_sql"]

    def applied(self, alias: str, rows: list[tuple[str, ...]]) -> frozenset[str]:
        """Return the ids that rows of the framework's own table mean."""
        ids = django.recorded_ids if self.framework == "django" else alembic.recorded_ids
        return ids(self.steps.get(alias, []), rows)


@dataclass(slots=True)
class Outcome:
    """Everything that is known after a rehearsal."""

    project: Project
    connection: Connection
    steps: list[Step]
    applied: frozenset[str]
    unknown: tuple[str, ...]
    pending: list[Step]
    target: target.Target | None
    source: str
    engine: str
    rehearsed: Rehearsed
    not_restored: list[str]
    seconds: dict[str, float]
    rewrite_above: int = 0


def rehearse(request: Request, say: Say) -> Outcome:
    """Run the pending steps of one database on a scratch copy; return what was seen."""
    clock = Clock()
    python = project_python(request.root, request.python, request.environ)
    with _preparing(request), runner(request.root, python, request.environ, None) as inside:
        project = Project()
        inside.ask("look", project.hear, root=str(request.root), database=request.database,
                   framework=request.framework)  # fmt: skip
        clock.note("project")
        connection, recorded_sql = project.connection(request.database)
        _refuse_vendor(connection)
        found = _target(request, connection, recorded_sql, say)
        clock.note("target")
        steps = project.steps.get(connection.alias, [])
        applied = _level(request, project, connection, found)
        verdict = judge(steps, applied)
        by_id = {one.id: one for one in steps}
        pending = [by_id[one] for one in verdict.pending]
        above = rewrites.limit(request.root)
        outcome = Outcome(project, connection, steps, verdict.applied, verdict.unknown, pending,
                          found, "dump" if found else "migrations", "", Rehearsed(traces(pending)),
                          [], clock.seconds, above)  # fmt: skip
        if not pending:
            return outcome
        steps_of = f"{counted(len(pending), 'step')} of {project.framework}"
        say(f"rehearsing {steps_of} on a scratch database")
        dumped = _dumping(found)
        extensions = found.extensions if found else []
        extensions = [*extensions, *made_by(steps)]
        with _scratch(request, connection, found, extensions) as (server, place):
            clock.note("scratch")
            outcome.engine = f"PostgreSQL {server.version}" if server else "SQLite"
            inside.ask("point", lambda event: None, alias=connection.alias, scratch=place)
            _fill(outcome, server, place, recorded_sql, inside, clock, dumped)
            if request.rows and server is not None:
                inside.ask("fill", outcome.rehearsed.hear, rows=_number(request.rows))
                clock.note("fill")
            inside.ask("perform", outcome.rehearsed.hear, deployed=sorted(verdict.applied),
                       pending=[one.id for one in pending])  # fmt: skip
            clock.note("rehearsal")
            if request.online and server is not None:
                _prove_online(request, outcome, server, place, recorded_sql, python, dumped)
                clock.note("online")
    return outcome


def _prove_online(
    request: Request,
    outcome: Outcome,
    server: scratch.Server,
    place: dict[str, str],
    recorded_sql: str,
    python: str,
    dumped: Future[str] | None,
) -> None:
    """Choose the online forms, and run them on a scratch database of their own."""
    rehearsed = outcome.rehearsed
    if "up" in rehearsed.failures:
        return
    tables = server.query(online.PARTITIONED, place["name"])
    online.choose(rehearsed, [pgschema.shown(str(row[0]), str(row[1])) for row in tables])
    forms = online.forms(rehearsed)
    if not forms:
        return
    with (
        scratch.database(server, outcome.connection.name) as name,
        runner(request.root, python, request.environ, None) as inside,
    ):
        inside.ask("look", lambda event: None, root=str(request.root), database=request.database,
                   framework=request.framework)  # fmt: skip
        second = {**place, "name": name}
        inside.ask("point", lambda event: None, alias=outcome.connection.alias, scratch=second)
        _fill(outcome, server, second, recorded_sql, inside, Clock(), dumped)
        inside.ask("online", rehearsed.hear, forms=forms)
    if why := online.compare(rehearsed):
        online.withdraw(rehearsed, why)


def _preparing(request: Request) -> AbstractContextManager[None]:
    """Begin to make a cluster while the project is loaded: most often it is the one wanted."""
    try:
        return nullcontext() if request.server else scratch.begun(programs.nearest(0))
    except UsageProblem:
        return nullcontext()  # SQLite needs none


def _number(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 10_000_000:
        raise UsageProblem(f"--with-data is {text!r}", "", "give a number of rows, such as 1000")
    return int(text)


def _dumping(found: target.Target | None) -> Future[str] | None:
    """Begin to dump the target's schema: it goes on while the scratch server starts."""
    if found is None or found.connection.vendor != "postgresql":
        return None
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(target.dump, found, programs.nearest(found.major))
    finally:
        pool.shutdown(wait=False)


def made_by(steps: Sequence[Step]) -> list[str]:
    """Return the extensions that the steps' files name, so that a server is chosen that has them.

    A guess by text; a wrong one only changes which installed server comes first.
    """
    found: set[str] = set()
    for one in steps:
        try:
            text = Path(one.path).read_text("utf-8", "replace")
        except OSError:
            continue
        found.update(EXTENSION.findall(text))
        found.update(name for word, name in OPERATIONS.items() if word in text)
    return sorted(found)


class Clock:
    """Notes what each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, part: str) -> None:
        """Note the end of a part."""
        now = time.monotonic()
        self.seconds[part] = round(now - self._last, 3)
        self._last = now


def _refuse_vendor(connection: Connection) -> None:
    if connection.vendor not in ("postgresql", "sqlite"):
        raise RefusedForGood(
            f"database {connection.alias} is on {connection.vendor or 'nothing'}",
            "Steps are rehearsed on PostgreSQL and on SQLite.",
            "",
        )


def _target(
    request: Request, connection: Connection, recorded_sql: str, say: Say
) -> target.Target | None:
    """Look at the target; None where the level is given in words."""
    host, port = request.place
    if (request.start or request.since) and not (request.against or host):
        return None
    one = replace(connection, host=host, port=port) if host else connection
    if request.against:
        one = target.from_url(request.against, connection, request.environ)
    try:
        return target.look(one, recorded_sql, request.environ)
    except Permanent as error:
        raise RefusedForGood(error.what, error.meaning, _other_ways(error.next)) from None
    except Transient as error:
        raise NotReady(
            f"{one.shown} can't be reached: {error.reason}",
            "The plan needs to know where the deployed schema stands.",
            _other_ways(""),
        ) from None


def _other_ways(first: str) -> str:
    ways = ("name the deployed database with --against URL, or the deployed level with "
            "--from STEP, --from zero or --since GIT_REF")  # fmt: skip
    return f"{first}\n{ways}" if first else ways


def _level(
    request: Request, project: Project, connection: Connection, found: target.Target | None
) -> frozenset[str]:
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


@contextmanager
def _scratch(
    request: Request,
    connection: Connection,
    found: target.Target | None,
    extensions: Sequence[str],
) -> Iterator[tuple[scratch.Server | None, dict[str, str]]]:
    if connection.vendor == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="tidegate-plan-"))
        try:
            copy = folder / "scratch.sqlite3"
            source = Path(found.connection.name) if found else None
            if source is not None and source.exists():
                _copy_sqlite(source, copy)
            yield None, {"vendor": "sqlite", "name": str(copy)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    chosen = programs.nearest(found.major if found else 0, extensions)
    made = (scratch.given(request.server, chosen, request.environ) if request.server
            else scratch.embedded(chosen))  # fmt: skip
    wanted = found.connection.name if found else connection.name
    with made as server, scratch.database(server, wanted) as name:
        yield (
            server,
            {
                "vendor": "postgresql",
                "name": name,
                "host": server.host,
                "port": server.port,
                "user": server.user,
                "password": server.password,
            },
        )


def _copy_sqlite(source: Path, copy: Path) -> None:
    """Copy by SQLite's own backup, so that a writer at work can't tear it."""
    import sqlite3
    from urllib.parse import quote

    old = sqlite3.connect(f"file:{quote(str(source.resolve()))}?mode=ro", uri=True)
    new = sqlite3.connect(copy)
    try:
        old.backup(new)
    finally:
        old.close()
        new.close()


def _fill(
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
        sql = dumped.result()
        clock.note("dump")
        outcome.not_restored = target.restore(server, place["name"], outcome.target, sql)
        target.record(server, place["name"], outcome.target, recorded_sql)
        clock.note("restore")
        return
    if outcome.target is not None or not outcome.applied:
        return
    kept = _kept(outcome)
    if server is not None and kept is not None and kept.exists():
        done = server.client("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", place["name"],
                             "-f", str(kept))  # fmt: skip
        if done.ok:
            clock.note("restore")
            return
        raise RefusedForGood(f"{kept} can't be restored", done.err.strip(), f"delete {kept}")
    inside.ask("build", outcome.rehearsed.hear, deployed=sorted(outcome.applied))
    clock.note("build")
    if server is not None and kept is not None:
        _keep(server, place["name"], kept)


def _kept(outcome: Outcome) -> Path | None:
    """Return the file that keeps what the deployed steps build: their code names it."""
    if any(not one.digest for one in outcome.steps if one.id in outcome.applied):
        return None
    text = "\n".join(sorted(f"{one.id} {one.digest}" for one in outcome.steps
                            if one.id in outcome.applied))  # fmt: skip
    name = hashlib.sha256(f"{outcome.engine}\n{text}".encode()).hexdigest()[:24]
    return scratch.cache() / f"level-{name}.sql"


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


def shown_path(path: str, root: Path) -> str:
    """Return a step's path relative to the project, with `/`."""
    try:
        return Path(path).resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return Path(path).as_posix()
