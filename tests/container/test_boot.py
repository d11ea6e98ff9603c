"""`tidegate boot`, end to end: real processes, real databases, real frameworks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.gate import APP, Database, Runner, clean_signals, eventually
from support.postgres import PASSWORD, Server, free_port
from support.projects import FRAMEWORKS, SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]

ON_POSTGRESQL = ["django", "alembic"]


@pytest.fixture(params=["newest", "oldest", "sqlite"])
def every_database(request: pytest.FixtureRequest, fresh: Fresh) -> Database:
    return fresh(request.param)


@pytest.fixture
def postgresql(fresh: Fresh) -> Database:
    return fresh("newest")


@pytest.fixture(params=FRAMEWORKS)
def project(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    return make_project(request.param)


@pytest.fixture(params=ON_POSTGRESQL)
def pair(request: pytest.FixtureRequest, make_project: MakeProject) -> SmallProject:
    """One project of each framework, where the driver makes no difference."""
    return make_project(request.param)


@pytest.fixture
def spare(servers: Callable[[str], Server]) -> Iterator[Server]:
    """A server that the test may stop; running again at the end."""
    server = servers("spare")
    yield server
    if server.process is None:
        server.start()


def boot(runner: Runner, project: SmallProject, database: Database, *flags: str):
    return runner(
        "boot", "--timeout", "30", *flags, "--", *APP, cwd=project.root, env=database.environ
    )


# --- where the schema stands


def test_from_empty_then_current(tidegate: Runner, project: SmallProject, every_database: Database):
    """An empty database gets every step once, written down; the next boot finds it current."""
    database = every_database
    first = boot(tidegate, project, database)
    assert (first.code, first.out) == (0, "app started\n"), first.said
    assert database.rows(project.recorded_sql) == project.heads()
    assert database.tables() == ["made_1", "made_2"]
    assert database.runs() == ["done"]
    steps = "SELECT step, state FROM tidegate_step ORDER BY 1"
    assert database.rows(steps) == [f"{step}|done" for step in project.ids]

    second = boot(tidegate, project, database)
    assert (second.code, second.out) == (0, "app started\n"), second.said
    assert "current (2 steps)" in second.err
    assert database.runs() == ["done"]


def test_login_from_separate_variables(tidegate: Runner, pair: SmallProject, postgresql: Database):
    """A project that reads POSTGRES_* is gated like one that reads DATABASE_URL."""
    done = tidegate("boot", "--", *APP, cwd=pair.root, env=postgresql.parts)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert postgresql.tables() == ["made_1", "made_2"]


def test_behind(tidegate: Runner, pair: SmallProject, database: Database):
    """A database behind the code gets the missing step and no other."""
    assert boot(tidegate, pair, database).code == 0
    new = pair.add("CREATE TABLE late (id integer)")
    done = boot(tidegate, pair, database)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["late", "made_1", "made_2"]
    assert database.rows(pair.recorded_sql) == pair.heads()
    assert database.runs() == ["done", "done"]
    last = "SELECT step FROM tidegate_step WHERE run = (SELECT id FROM tidegate_run ORDER BY "
    assert database.rows(last + "started DESC LIMIT 1)") == [new]


def test_ahead(tidegate: Runner, pair: SmallProject, database: Database):
    """A schema newer than the code starts with a warning, or not at all when that is forbidden."""
    assert boot(tidegate, pair, database).code == 0
    gone = pair.ids[-1]
    before = database.rows(pair.recorded_sql)
    pair.remove(gone)

    served = boot(tidegate, pair, database)
    assert (served.code, served.out) == (0, "app started\n"), served.said
    assert "warning default is ahead" in served.err or "warning alembic is ahead" in served.err
    assert gone in served.err

    refused = boot(tidegate, pair, database, "--when-ahead", "fail")
    assert (refused.code, refused.out) == (6, ""), refused.said
    assert gone in refused.err
    assert database.rows(pair.recorded_sql) == before
    assert database.runs() == ["done"]


def test_diverged(tidegate: Runner, pair: SmallProject, database: Database):
    """Two branches of the code on one database: nothing of the other branch is touched."""
    assert boot(tidegate, pair, database).code == 0
    first, gone = pair.ids
    pair.remove(gone)
    other = pair.add("CREATE TABLE other (id integer)", name="other", after=first)

    refused = boot(tidegate, pair, database, "--when-ahead", "fail")
    assert (refused.code, refused.out) == (6, ""), refused.said
    assert gone in refused.err
    assert database.tables() == ["made_1", "made_2"]

    done = boot(tidegate, pair, database)
    assert gone in done.err, done.said
    assert "diverged" in done.err, done.said
    if pair.framework == "django":
        assert (done.code, done.out) == (0, "app started\n"), done.said
        assert database.tables() == ["made_1", "made_2", "other"]
        assert database.rows(pair.recorded_sql) == sorted([first, gone, other])
    else:  # Alembic cannot walk from a revision that it does not have
        assert done.code in (5, 6), done.said
        assert done.out == ""
        assert database.tables() == ["made_1", "made_2"]
        assert database.rows(pair.recorded_sql) == [gone]


# --- what the policies say


def test_when_behind_fail(tidegate: Runner, pair: SmallProject, database: Database):
    """--when-behind fail ends with 6, names the first missing step and touches nothing."""
    done = boot(tidegate, pair, database, "--when-behind", "fail")
    assert (done.code, done.out) == (6, ""), done.said
    assert pair.ids[0] in done.err
    assert database.tables() == []
    assert database.runs() == []


def test_when_behind_serve(tidegate: Runner, pair: SmallProject, database: Database):
    """--when-behind serve starts the app with a warning and touches nothing."""
    done = boot(tidegate, pair, database, "--when-behind", "serve")
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert "warning" in done.err
    assert pair.ids[0] in done.err
    assert database.tables() == []
    assert database.runs() == []


def test_when_behind_wait(tidegate: Runner, pair: SmallProject, database: Database):
    """--when-behind wait starts the app when another process has brought the schema up."""
    waiting = tidegate.start(
        "boot", "--when-behind", "wait", "--", *APP, cwd=pair.root, env=database.environ
    )
    waiting.until("waiting for the one who migrates")
    assert database.tables() == []
    assert boot(tidegate, pair, database).code == 0
    done = waiting.end(10)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.runs() == ["done"]


def test_when_behind_wait_until_the_deadline(
    tidegate: Runner, pair: SmallProject, postgresql: Database
):
    """Nobody migrates: --when-behind wait gives up at the deadline with 7."""
    done = boot(tidegate, pair, postgresql, "--when-behind", "wait", "--timeout", "2")
    assert (done.code, done.out) == (7, ""), done.said
    assert done.seconds < 8
    assert postgresql.tables() == []


@pytest.mark.parametrize(
    ("more", "flags", "code", "tables"),
    [
        ({"MIGRATE_ON_START": "true"}, (), 0, ["made_1", "made_2"]),
        ({"MIGRATE_ON_START": "false"}, ("--timeout", "1"), 7, []),
        ({"MIGRATE_ON_START": "maybe"}, (), 2, []),
        ({"MIGRATE_ON_START": "false", "TIDEGATE_WHEN_BEHIND": "serve"}, (), 0, []),
        (
            {"MIGRATE_ON_START": "false"},
            ("--when-behind", "migrate"), 0, ["made_1", "made_2"],
        ),
    ],
    ids=["true", "false", "neither", "own-name-wins", "flag-wins"],
)  # fmt: skip
def test_migrate_on_start(
    more: dict[str, str], flags: tuple[str, ...], code: int, tables: list[str],
    tidegate: Runner, make_project: MakeProject, fresh: Fresh,
):  # fmt: skip
    """MIGRATE_ON_START means migrate or wait; tidegate's own variable and the flag win over it."""
    project, database = make_project("django"), fresh("sqlite")
    done = tidegate("boot", *flags, "--", *APP, cwd=project.root, env={**database.environ, **more})
    assert done.code == code, done.said
    assert database.tables() == tables


# --- waiting for the server


def test_server_comes_later(tidegate: Runner, pair: SmallProject, fresh: Fresh, spare: Server):
    """A server that starts after boot began is waited for."""
    database = fresh("spare")
    spare.stop()
    waiting = tidegate.start("boot", "--", *APP, cwd=pair.root, env=database.environ)
    waiting.until("refused")
    spare.start()
    done = waiting.end(20)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "made_2"]


def test_server_never_comes(tidegate: Runner, pair: SmallProject):
    """A server that never answers ends the boot at the deadline with 3, and says why."""
    port = free_port()
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/app"
    done = tidegate(
        "boot", "--timeout", "1.5", "--", *APP, cwd=pair.root, env={"DATABASE_URL": url}
    )
    assert (done.code, done.out) == (3, ""), done.said
    assert str(port) in done.err
    assert "refused" in done.err
    assert 1.4 < done.seconds < 6


def test_wrong_password(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """A wrong password ends the boot at once with 4, and the message holds neither password."""
    database = fresh("newest")
    assert database.server
    url = database.server.url(password="wr0ng-pa55", dbname=database.name)
    done = tidegate(
        "boot", "--", *APP, cwd=pair.root, env={"DATABASE_URL": url},
        secrets=(PASSWORD, "wr0ng-pa55"),
    )  # fmt: skip
    assert (done.code, done.out) == (4, ""), done.said
    assert "password" in done.err
    assert done.seconds < 6


def test_unknown_database(tidegate: Runner, pair: SmallProject, postgresql: Database):
    """A database that does not exist ends the boot at once with 4, naming it."""
    url = postgresql.url.replace(postgresql.name, "no_such_database")
    done = tidegate("boot", "--", *APP, cwd=pair.root, env={"DATABASE_URL": url})
    assert (done.code, done.out) == (4, ""), done.said
    assert "no_such_database" in done.err
    assert done.seconds < 6


def test_folder_of_sqlite_file_missing(tidegate: Runner, pair: SmallProject):
    """A SQLite file in a folder that does not exist ends the boot at once with 4."""
    env = {"DATABASE_URL": f"sqlite:///{pair.root}/nowhere/db.sqlite3"}
    done = tidegate("boot", "--", *APP, cwd=pair.root, env=env)
    assert (done.code, done.out) == (4, ""), done.said
    assert f"{pair.root}/nowhere" in done.err


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_restarts_while_waiting_for_the_schema(
    mode: str, tidegate: Runner, pair: SmallProject, fresh: Fresh, spare: Server
):
    """A restart of the server under a boot that waits for the schema changes nothing for it."""
    database = fresh("spare")
    waiting = tidegate.start(
        "boot", "--when-behind", "wait", "--", *APP, cwd=pair.root, env=database.environ
    )
    waiting.until("waiting for the one who migrates")
    spare.restart(mode)
    time.sleep(0.5)
    assert boot(tidegate, pair, database).code == 0
    done = waiting.end(20)
    assert (done.code, done.out) == (0, "app started\n"), done.said


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_restarts_in_a_step(
    mode: str, tidegate: Runner, project: SmallProject, fresh: Fresh, spare: Server
):
    """A restart of the server in the middle of a step: the step is done again, once."""
    database = fresh("spare")
    slow = project.add("CREATE TABLE slow (id integer)", "SELECT pg_sleep(1.5)")
    going = tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ)
    going.until(f"{slow}: applying")
    eventually(lambda: database.rows(SLEEPING), what="the sleep")
    spare.restart(mode)
    done = going.end(40)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert database.tables() == ["made_1", "made_2", "slow"]
    assert database.rows(project.recorded_sql) == project.heads()
    assert database.runs() == ["done"]


def test_server_restarts_under_a_loser(
    tidegate: Runner, pair: SmallProject, fresh: Fresh, spare: Server
):
    """A restart of the server while one boot migrates and another waits for it: both start."""
    database = fresh("spare")
    slow = pair.add("SELECT pg_sleep(4)")
    first = tidegate.start("boot", "--", *APP, cwd=pair.root, env=database.environ)
    first.until(f"{slow}: applying")
    second = tidegate.start("boot", "--", *APP, cwd=pair.root, env=database.environ)
    second.until("migrates; wait")
    spare.restart("fast")
    ends = [one.end(40) for one in (first, second)]
    assert [(one.code, one.out) for one in ends] == [(0, "app started\n")] * 2, (
        ends[0].said + ends[1].said
    )
    assert database.rows(pair.recorded_sql) == pair.heads()


SLEEPING = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
    "AND pid <> pg_backend_pid() AND datname = current_database()"
)


# --- steps that fail


def test_failing_step(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A failed step ends with 5, is named with its statement and file, and leaves no trace."""
    database = fresh("newest")
    bad = project.add("CREATE TABLE half (id integer)", "SELECT 1 FROM no_such_table")
    done = boot(tidegate, project, database)
    assert (done.code, done.out) == (5, ""), done.said
    assert f"step {bad} failed" in done.err
    assert "last statement: SELECT 1 FROM no_such_table" in done.err
    assert str(project.files[bad]) in done.err
    assert "42P01" in done.err
    assert "2 of 3 steps are applied and stay" in done.err
    assert database.tables() == ["made_1", "made_2"]
    assert database.runs() == ["failed"]
    steps = "SELECT step FROM tidegate_step ORDER BY 1"
    assert database.rows(steps) == project.ids[:2]

    project.files[bad].write_text(
        project.files[bad].read_text().replace("SELECT 1 FROM no_such_table", "SELECT 1")
    )
    again = boot(tidegate, project, database)
    assert (again.code, again.out) == (0, "app started\n"), again.said
    assert database.tables() == ["half", "made_1", "made_2"]
    assert database.runs() == ["failed", "done"]


def test_failing_step_on_sqlite(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """On SQLite a failed step is taken back too, or the message says that it may be half there."""
    database = fresh("sqlite")
    bad = project.add("CREATE TABLE half (id integer)", "SELECT 1 FROM no_such_table")
    done = boot(tidegate, project, database)
    assert (done.code, done.out) == (5, ""), done.said
    assert f"step {bad} failed" in done.err
    assert "last statement: SELECT 1 FROM no_such_table" in done.err
    kept = "half" in database.tables()
    assert kept == ("does not run in one transaction" in done.err), done.said
    assert database.runs() == ["failed"]


def test_failing_step_outside_a_transaction(
    tidegate: Runner, pair: SmallProject, postgresql: Database
):
    """A step that runs in no transaction stays half done: the message names what of it is there,
    without its literals, and the SQL that takes it back; status and history say so until then, also
    with the code of the release before."""
    broken = "CREATE ROLE nobody PASSWRD 'LITERALSECRET'"
    bad = pair.add("CREATE TABLE half (id integer)", broken, atomic=False)
    done = boot(tidegate, pair, postgresql)
    assert (done.code, done.out) == (5, ""), done.said
    assert f"{bad} does not run in one transaction, and is half applied" in done.err
    assert "1 change of the schema stays: CREATE TABLE half (id integer)" in done.err
    assert "LITERALSECRET" not in done.err
    history = tidegate("history", cwd=pair.root, env=postgresql.environ)
    assert f"half applied until it is run again: {bad}" in history.out
    for _ in range(2):
        status = tidegate("status", cwd=pair.root, env=postgresql.environ)
        assert f"  half       {bad}" in status.out
        assert f"{bad} is half applied" in status.out.splitlines()[-1]
        pair.files[bad].unlink(missing_ok=True)
    assert postgresql.tables() == ["half", "made_1", "made_2"]
    assert postgresql.runs() == ["failed"]
    taken = re.search(r"take the changes back instead: (.*;)$", done.err, re.M)
    assert taken, done.said
    postgresql.rows(f"{taken[1]} SELECT 1")
    assert postgresql.tables() == ["made_1", "made_2"]
    again = tidegate("status", cwd=pair.root, env=postgresql.environ)
    assert "half" not in again.out


def test_syntax_error_in_a_step(tidegate: Runner, pair: SmallProject, postgresql: Database):
    """A migration file that Python can't read is named, and no step is applied."""
    bad = pair.add("SELECT 1")
    pair.files[bad].write_text("def upgrade(:\n")
    done = boot(tidegate, pair, postgresql)
    assert done.code == 2, done.said
    assert pair.files[bad].name in done.err
    assert (done.out, postgresql.tables()) == ("", [])


def test_concurrent_index(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """CREATE INDEX CONCURRENTLY works while another boot waits for the one that runs it."""
    database = fresh("newest")
    project.add("SELECT pg_sleep(1)")
    project.add("CREATE INDEX CONCURRENTLY fast ON made_1 (id)", atomic=False)
    boots = [
        tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ) for _ in range(2)
    ]
    ends = [one.end(40) for one in boots]
    assert [(one.code, one.out) for one in ends] == [(0, "app started\n")] * 2, (
        ends[0].said + ends[1].said
    )
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'fast'::regclass"
    assert database.rows(valid) == ["t"]
    assert database.runs() == ["done"]


# --- locks


class Blocker:
    """Another session that holds a table for some seconds."""

    def __init__(self, database: Database, seconds: float) -> None:
        assert database.server
        text = f"BEGIN; LOCK TABLE made_1; SELECT pg_sleep({seconds}); COMMIT"
        self.thread = threading.Thread(target=database.server.sql, args=(text, database.name))
        self.thread.start()
        eventually(
            lambda: database.rows(
                "SELECT 1 FROM pg_locks WHERE relation = 'made_1'::regclass "
                "AND mode = 'AccessExclusiveLock' AND granted"
            ),
            what="the lock",
        )


def test_lock_is_asked_for_again(tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A lock that is not free within the budget is let go of and asked for again."""
    database = fresh("newest")
    assert boot(tidegate, project, database).code == 0
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    blocker = Blocker(database, 4)
    done = boot(tidegate, project, database, "--lock-timeout", "0.5")
    blocker.thread.join()
    assert (done.code, done.out) == (0, "app started\n"), done.said
    assert "released, asking again" in done.err
    assert database.rows(project.recorded_sql) == project.heads()


def test_lock_never_free(tidegate: Runner, pair: SmallProject, postgresql: Database):
    """A lock that is not free until the deadline ends the boot with 7, the database as it was."""
    assert boot(tidegate, pair, postgresql).code == 0
    late = pair.add("CREATE TABLE half (id integer)", "ALTER TABLE made_1 ADD COLUMN more integer")
    blocker = Blocker(postgresql, 12)
    done = boot(tidegate, pair, postgresql, "--lock-timeout", "0.5", "--timeout", "6")
    blocker.thread.join()
    assert (done.code, done.out) == (7, ""), done.said
    assert late in done.err
    assert done.seconds < 12
    assert postgresql.tables() == ["made_1", "made_2"]


# --- becoming the command


@pytest.fixture
def ready(tidegate: Runner, pair: SmallProject, fresh: Fresh) -> Callable[..., object]:
    """Boot a project on SQLite with a command; the first boot migrates, so this is the long way."""
    database = fresh("sqlite")

    def run(*command: str, **more: object):
        more.setdefault("env", database.environ)
        return tidegate("boot", "--", *command, cwd=pair.root, **more)

    return run


def test_becomes_the_command(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """The command is the very process that was boot: same number, same working directory."""
    database = fresh("sqlite")
    one = tidegate.start(
        "boot", "--", "sh", "-c", "echo $$; pwd", cwd=pair.root, env=database.environ
    )
    done = one.end()
    assert (done.code, done.out) == (0, f"{one.pid}\n{pair.root}\n"), done.said


@pytest.mark.parametrize(("script", "code"), [("exit 17", 17), ("kill -9 $$", -9)])
def test_exit_code(script: str, code: int, ready):
    """The exit code, or the signal, is the command's own."""
    assert ready("sh", "-c", script).code == code


def test_stdin_reaches_the_command(ready):
    """Nothing of stdin is read before the command."""
    done = ready("cat", stdin=b"first line\nsecond line\n")
    assert (done.code, done.out) == (0, "first line\nsecond line\n"), done.said


@pytest.mark.parametrize("lang", [{"LANG": "C.UTF-8"}, {}], ids=["utf8", "no-LANG"])
def test_environment_is_untouched(
    lang: dict[str, str], tidegate: Runner, pair: SmallProject, fresh: Fresh
):
    """The command sees exactly the environment that boot was given."""
    database = fresh("sqlite")
    given = {"PATH": tidegate.environ()["PATH"], "ODD": "a=b\n c", **lang, **database.environ}
    done = tidegate("boot", "--", "env", "-0", cwd=pair.root, env=given, exact_env=True)
    seen = dict(line.split("=", 1) for line in done.out.split("\0") if line)
    assert (done.code, seen) == (0, given), done.said


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_signals_are_untouched(ready, handler: Any):
    """The command starts with default signals, SIGPIPE too, and nothing blocked; what was ignored
    when boot was started, as by a shell's `&`, is ignored."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        done = ready("grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status")
        assert dict(line.split(":\t") for line in done.out.splitlines()) == clean_signals()
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_descriptor_is_left_open(ready):
    """The command inherits stdin, stdout and stderr, and no other descriptor."""
    done = ready("sh", "-c", "ls /proc/$$/fd")
    assert done.out.split() == ["0", "1", "2"], done.said


def test_unknown_command_touches_nothing(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """A command that is not in the image is refused before anything is done."""
    database = fresh("sqlite")
    done = tidegate("boot", "--", "no-such-program", cwd=pair.root, env=database.environ)
    assert (done.code, done.out) == (127, ""), done.said
    assert "no-such-program" in done.err
    assert database.tables() == []


def test_no_command(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """Without a command boot is refused with 2 and touches nothing."""
    database = fresh("sqlite")
    done = tidegate("boot", cwd=pair.root, env=database.environ)
    assert (done.code, database.tables()) == (2, []), done.said


def test_closed_stderr(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """Boot starts the app although nobody reads what it says."""
    database = fresh("sqlite")
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", "boot", "--", *APP], cwd=pair.root, stderr=write_end,
        stdout=subprocess.PIPE, env=tidegate.environ(database.environ), timeout=60, text=True,
    )  # fmt: skip
    os.close(write_end)
    assert (done.returncode, done.stdout) == (0, "app started\n")
    assert database.tables() == ["made_1", "made_2"]


def test_json_lines(tidegate: Runner, pair: SmallProject, fresh: Fresh):
    """--format jsonl: each line on stdout before the app's own is one JSON object."""
    import json

    database = fresh("sqlite")
    done = tidegate("--format", "jsonl", "boot", "--", *APP, cwd=pair.root, env=database.environ)
    *events, app = done.out.splitlines()
    assert (done.code, app) == (0, "app started"), done.said
    stages = [json.loads(line)["stage"] for line in events]
    assert stages.count("migrate") == 4
    assert stages[-1] == "start"
    end = json.loads(events[-1])
    assert [one["step"] for one in end["steps"]] == list(pair.ids)
    assert {"wait", "elect", "migrate"} <= end["stages"].keys()
    assert sum(one["seconds"] for one in end["steps"]) <= end["seconds"]


# --- signals while boot works


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_while_waiting_for_the_server(
    number: int, code: int, tidegate: Runner, pair: SmallProject
):
    """A signal ends a boot that waits for the server, within two seconds."""
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{free_port()}/app"
    one = tidegate.start("boot", "--", *APP, cwd=pair.root, env={"DATABASE_URL": url})
    one.until("refused")
    at = time.monotonic()
    one.signal(number)
    done = one.end(10)
    assert (done.code, done.out) == (code, ""), done.said
    assert time.monotonic() - at < 2


def test_signal_while_waiting_for_the_schema(
    tidegate: Runner, pair: SmallProject, database: Database
):
    """SIGTERM ends a boot that waits for the schema, within two seconds."""
    one = tidegate.start(
        "boot", "--when-behind", "wait", "--", *APP, cwd=pair.root, env=database.environ
    )
    one.until("waiting for the one who migrates")
    at = time.monotonic()
    one.signal(signal.SIGTERM)
    done = one.end(10)
    assert (done.code, done.out) == (143, ""), done.said
    assert time.monotonic() - at < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_in_a_step(number: int, tidegate: Runner, project: SmallProject, fresh: Fresh):
    """A signal cancels the statement that runs, the step is rolled back, the run is closed."""
    database = fresh("newest")
    slow = project.add("CREATE TABLE half (id integer)", "SELECT pg_sleep(25)")
    one = tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ)
    one.until(f"{slow}: applying")
    eventually(lambda: database.rows(SLEEPING), what="the sleep")
    at = time.monotonic()
    one.signal(number)
    done = one.end(20)
    assert (done.code, done.out) == (128 + number, ""), done.said
    assert time.monotonic() - at < 3
    assert f"2 of 3 steps are applied and stay (the last: {', '.join(project.ids[:2])})" in done.err
    assert database.rows(SLEEPING) == []
    assert database.tables() == ["made_1", "made_2"]
    assert database.runs() == ["failed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_in_a_step_on_sqlite(
    number: int, tidegate: Runner, project: SmallProject, fresh: Fresh
):
    """A signal interrupts a SQLite statement that would run for minutes; Django takes it back."""
    database = fresh("sqlite")
    slow = project.add(
        "CREATE TABLE half (id integer)",
        "INSERT INTO half WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 6000000000) SELECT count(*) FROM n",
    )
    one = tidegate.start("boot", "--", *APP, cwd=project.root, env=database.environ)
    one.until(f"{slow}: applying")
    time.sleep(0.3)
    one.signal(number)
    done = one.end(20)
    assert (done.code, done.out) == (128 + number, ""), done.said
    assert database.rows("SELECT count(*) FROM tidegate_step WHERE step = '" + slow + "'") == ["0"]
    assert database.runs() == ["failed"]
    if project.framework == "django":
        assert database.tables() == ["made_1", "made_2"]
