"""The waiting line of the fast path: a sealed image waits for another's migration cheaply."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from test_seal import APP, MakeProject, boot, imported, seal

from support.gate import Database, Runner, Started, eventually
from support.projects import SmallProject
from tidegate.databases import pglocks, pglogin, pgwire

Fresh = Callable[[str], Database]
HOLDS = "select count(*) from pg_stat_activity where application_name like 'tidegate %'"


@contextmanager
def held(database: Database) -> Iterator[pgwire.Connection]:
    """Hold the election as a process that migrates does."""
    params = pgwire.params_from_url(database.url, {})
    params.application_name = "tidegate elsewhere 4711"
    wire = pglogin.connect(params, 5.0)
    assert wire.query(f"SELECT {pglocks.TRY_LOCK}") == [("t",)]
    try:
        yield wire
    finally:
        wire.close()


def standing(
    runner: Runner, project: SmallProject, database: Database, *flags: str, traced: bool = False
) -> Started:
    """Start a boot and return it once it stands in line."""
    flags = flags or ("--timeout", "30")
    python = ("-X", "importtime") if traced else ()
    one = runner.start(
        "-v", "boot", *flags, "--", *APP, cwd=project.root, env=database.environ, python=python
    )
    one.until("wait")
    return one


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    return make_project(request.param, login="url")


@pytest.fixture
def lacking(tidegate: Runner, project: SmallProject, fresh: Fresh) -> Database:
    """A database that lacks the last step of a sealed project: `release` is what brings it."""
    database = fresh("newest")
    assert boot(tidegate, project, database.environ).code == 0
    project.add("CREATE TABLE late (id integer)")
    seal(tidegate, project)
    return database


def recorded(project: SmallProject) -> str:
    """Return the statement by which the framework would record the last step."""
    last = project.heads()[-1]
    if project.framework == "django":
        app, name = last.split(".") if "." in last else ("shop", last)
        return (
            f"INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '{name}', now())"
        )
    return f"UPDATE alembic_version SET version_num = '{last}'"


def test_those_in_line_import_no_framework(tidegate: Runner, project: SmallProject, lacking):
    """While another migrates, a sealed boot waits on the fast path, and goes on from there."""
    with held(lacking) as holder:
        one = standing(tidegate, project, lacking, traced=True)
        assert "elsewhere (process 4711" in one.errors()
        holder.query(recorded(project))
        holder.query(pglocks.LET_GO)
        done = one.end()
    assert (done.code, done.out, imported(done)) == (0, "app started\n", []), done.said
    assert "the long way" not in done.err
    assert lacking.tables() == ["made_1", "made_2"]  # the step itself was the holder's to do


def test_an_empty_database_is_waited_for_too(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """Where not even the framework's table exists yet, the line holds as well."""
    database = fresh("newest")
    seal(tidegate, project)
    with held(database):
        one = standing(tidegate, project, database)
        assert "the long way" not in one.errors()
    done = one.end()
    assert (done.code, database.tables()) == (0, ["made_1", "made_2"]), done.said


def test_a_holder_that_dies_is_replaced(tidegate: Runner, project: SmallProject, lacking):
    """When the holder ends without having changed anything, those in line apply the step."""
    with held(lacking):
        some = [standing(tidegate, project, lacking) for _ in range(3)]
    ended = [one.end() for one in some]
    assert [one.code for one in ended] == [0, 0, 0], [one.said for one in ended]
    assert lacking.tables() == ["late", "made_1", "made_2"]
    assert lacking.runs() == ["done", "done"]


def test_a_holder_that_dies_half_way_is_replaced(tidegate: Runner, project: SmallProject, lacking):
    """When the holder dies after one of two steps, one of those in line applies the other."""
    first = recorded(project)
    project.add("CREATE TABLE later (id integer)")
    seal(tidegate, project)
    with held(lacking) as holder:
        one = standing(tidegate, project, lacking)
        holder.query(first)
    done = one.end()
    assert done.code == 0, done.said
    assert "later" in lacking.tables()
    assert lacking.runs() == ["done", "done"]


@pytest.mark.parametrize("sealed", [True, False])
def test_a_holder_that_dies_after_its_last_step(
    sealed: bool, tidegate: Runner, project: SmallProject, lacking
):
    """A run whose process died with the level raised is closed as abandoned by who waited."""
    if not sealed:
        (project.root / "tidegate.seal").unlink()
    with held(lacking) as holder:
        one = standing(tidegate, project, lacking)
        one.until("migrates; wait")
        holder.query("UPDATE tidegate_run SET state = 'running'")
        holder.query(f"{recorded(project)}; SELECT pg_advisory_unlock_all()")
        done = one.end()
    assert (done.code, lacking.runs()) == (0, ["abandoned"]), done.said


def test_a_row_that_the_code_does_not_know_ends_the_line(
    tidegate: Runner, make_project, fresh: Fresh
):
    """Left-over rows never make the digest equal: whoever sees that leaves for the long way."""
    project, database = make_project("django"), fresh("newest")
    assert boot(tidegate, project, database.environ).code == 0
    project.add("CREATE TABLE late (id integer)")
    seal(tidegate, project)
    row = "INSERT INTO django_migrations (app, name, applied) VALUES ('gone', '0001', now())"
    with held(database) as holder:
        one = standing(tidegate, project, database)
        holder.query(recorded(project))
        holder.query(row)
        one.until("the long way: the recorded steps are not exactly those of the seal")
    done = one.end()
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert "gone.0001" in done.err


def test_wait_never_takes_the_election(tidegate: Runner, project: SmallProject, lacking):
    """With --when-behind wait a boot stands in line, and leaves the election to others."""
    one = standing(tidegate, project, lacking, "--when-behind", "wait", "--timeout", "30")
    with held(lacking) as holder:
        holder.query(recorded(project))
    done = one.end()
    assert (done.code, lacking.tables()) == (0, ["made_1", "made_2"]), done.said


def test_the_deadline_ends_the_line(tidegate: Runner, project: SmallProject, lacking):
    """A holder that never ends makes those in line end with 7, and a message that names it."""
    with held(lacking):
        done = standing(tidegate, project, lacking, "--timeout", "3").end()
    assert (done.code, done.out) == (7, ""), done.said
    assert "elsewhere (process 4711" in done.err
    assert "late" not in lacking.tables()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_line(tidegate: Runner, project: SmallProject, lacking, number: int):
    """SIGTERM and SIGINT end a boot that stands in line, with 128 + n."""
    with held(lacking):
        one = standing(tidegate, project, lacking)
        one.signal(number)
        assert one.end(5).code == 128 + number
        eventually(lambda: lacking.rows(HOLDS) == ["1"], what="the end of its session")


def test_those_in_line_block_no_concurrent_index(tidegate: Runner, project: SmallProject, lacking):
    """Whoever stands in line holds no snapshot that CREATE INDEX CONCURRENTLY waits for."""
    with held(lacking) as holder:
        one = standing(tidegate, project, lacking)
        holder.query("CREATE INDEX CONCURRENTLY fast ON made_1 (id)", 15.0)
        holder.query(recorded(project))
        holder.query(pglocks.LET_GO)
        assert one.end().code == 0


def test_the_line_outlives_a_restart_of_the_server(
    tidegate: Runner, project: SmallProject, fresh: Fresh
):
    """A server that restarts under the line ends it, and boot goes on the long way."""
    database = fresh("spare")
    server = database.server
    assert server is not None
    assert boot(tidegate, project, database.environ).code == 0
    project.add("CREATE TABLE late (id integer)")
    seal(tidegate, project)
    with held(database):
        one = standing(tidegate, project, database)
        server.stop("fast")
        server.start()
    done = one.end()
    assert (done.code, database.tables()) == (0, ["late", "made_1", "made_2"]), done.said


def test_a_connection_hears_and_keeps_what_came_in_pieces(fresh: Fresh):
    """`heard` waits for a notification; a time limit in the middle of a message loses nothing."""
    database = fresh("newest")
    params = pgwire.params_from_url(database.url, {})
    host, port = params.hosts[0]
    slow = _Drip(host, int(port))
    params.hosts = [("127.0.0.1", slow.port)]
    listener = pglogin.connect(params, 5.0)
    teller = pglogin.connect(pgwire.params_from_url(database.url, {}), 5.0)
    try:
        listener.query("LISTEN tidegate")
        assert not listener.heard(0.05)
        slow.slow.set()
        teller.query("NOTIFY tidegate")
        eventually(lambda: listener.heard(0.02), what="the notification")
        slow.slow.clear()
        assert listener.query("SELECT 'still in step'") == [("still in step",)]
    finally:
        listener.close()
        teller.close()
        slow.close()


class _Drip:
    """Pass one connection on; while `slow`, the server's bytes come one by one."""

    def __init__(self, host: str, port: int) -> None:
        self.slow = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._pass, args=(host, port), daemon=True).start()

    def _pass(self, host: str, port: int) -> None:
        near, _ = self._listening.accept()
        far = socket.create_connection((host, port))
        threading.Thread(target=self._copy, args=(near, far, False), daemon=True).start()
        self._copy(far, near, True)

    def _copy(self, source: socket.socket, sink: socket.socket, may_drip: bool) -> None:
        try:
            while data := source.recv(65536):
                if may_drip and self.slow.is_set():
                    for byte in data:
                        sink.sendall(bytes([byte]))
                        time.sleep(0.01)  # slower than the reader's patience: what is tested
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._listening.close()
