"""The update's judgement and its state, without an engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.contracts.target import Container, Service
from tidegate.errors import ElectionNotWon, PolicyRefused, TidegateError
from tidegate.model.command import Command
from tidegate.process import Result, run
from tidegate.targets.composeservices import hiding
from tidegate.workflows.update.explain import explained
from tidegate.workflows.update.insiding import _raised
from tidegate.workflows.update.pending import refuse_unreachable
from tidegate.workflows.update.releases import Entry, emptied
from tidegate.workflows.update.standing import next_word, status
from tidegate.workflows.update.state import Release, State
from tidegate.workflows.update.story import _superseded
from tidegate.workflows.update.verify import look, settle

WEB = Service("web", "shop", restart="unless-stopped")
JOB = Service("job", "shop", once=True)


def one(state: str = "running", **more: object) -> Container:
    return Container("1", "web-1", "web", "sha256:1", state, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("container", "ill", "waiting"),
    [
        (one(), "", ""),
        (one(health="healthy"), "", ""),
        (one(health="starting"), "", "is not healthy yet"),
        (one(health="unhealthy", error="no\nHTTP 500"), "is unhealthy: HTTP 500", ""),
        (one(restarts=3), "crashes and is restarted again and again", ""),
        (one("restarting", exit_code=3), "crashes and is restarted (exit code 3)", ""),
        (one("exited", exit_code=137, oom=True), "was killed: it used more memory than it may", ""),
        (one("exited"), "ended with exit code 0", ""),
        (one("created", error="port is taken"), "", "is created: port is taken"),
        (one("paused"), "is paused", ""),
    ],
)  # fmt: skip
def test_one_container_is_judged(container: Container, ill: str, waiting: str) -> None:
    """Each state is well, wrong for good, or not ready yet."""
    found = look([WEB], [container], {"1": 2})
    assert [each.what for each in found.ill] == [ill] * bool(ill)
    assert [each.what for each in found.waiting] == [waiting] * bool(waiting)


def test_restarts_from_before_are_not_held_against_a_container() -> None:
    """A database that was restarted twice last week is well."""
    assert look([WEB], [one(restarts=2)], {"1": 2}).ill == ()


def test_a_job_that_ended_well_is_well() -> None:
    """`exited (0)` is what a one-shot service is for; a missing container is not."""
    done = Container("2", "job-1", "job", "x", "exited")
    assert look([JOB], [done], {}) == look([], [], {})
    assert look([JOB], [], {}).ill[0].what == "has no container"
    failed = Container("2", "job-1", "job", "x", "exited", exit_code=1)
    assert look([JOB], [failed], {}).ill[0].what == "ended with exit code 1"


def test_settling_sees_a_late_crash() -> None:
    """What is well at first and restarts within the settle time is not well."""
    looks: list[Sequence[Container]] = [[one()], [one()], [one("restarting", exit_code=1)]]

    def seen() -> Sequence[Container]:
        return looks.pop(0) if len(looks) > 1 else looks[0]

    ill = settle(seen, [WEB], {}, 60, 60, lambda _: None)
    assert ill[0].what == "crashes and is restarted (exit code 1)"


def test_settling_ends_at_its_deadline() -> None:
    """A service that never becomes healthy is named, with the time that it had."""
    ill = settle(lambda: [one(health="starting")], [WEB], {}, 0, 0.1, lambda _: None)
    assert ill[0].what == "is not healthy yet after 0.1 s"


def test_the_state_survives_its_process(tmp_path: Path) -> None:
    """What was begun is read back by the next update; a lock ends with its process."""
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    state, target, tell = State("shop", tmp_path, environ), FakeTarget(tmp_path), Report("text")
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from support.fake_engine import FakeTarget
        from tidegate.container.report import Report
        from tidegate.workflows.update.state import Release, State
        folder = Path({str(tmp_path)!r})
        state = State("shop", folder, {environ!r})
        with state.held(FakeTarget.again(folder), Report("text")):
            state.begin(Release("1", {{"web": "sha256:1"}}))
            state.reached("replace")
            print("held", flush=True)
            time.sleep(60)
    """)
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with (
        pytest.raises(ElectionNotWon, match="another update of shop") as caught,
        state.held(target, tell),
    ):
        pass
    assert f"process {child.pid} of" in caught.value.meaning
    child.kill()
    child.wait()
    child.stdout.close()
    with state.held(target, tell):
        found = state.unfinished()
        assert found == ("replace", Release("1", {"web": "sha256:1"}))
        state.end()
        assert state.unfinished() is None
    assert (state.folder / "lock").stat().st_mode & 0o077 in (0, 0o044)
    state.keep("{}", {"web": "x"})
    path, digests = state.kept()
    assert digests == {"web": "x"}
    assert Path(path).stat().st_mode & 0o077 == 0


def test_names_of_old_releases_go() -> None:
    """All images of a release have one stamp; the last releases stay."""
    kept = ["tidegate/shop:web-1", "tidegate/shop:job-1", "tidegate/shop:web-2",
            "tidegate/shop:web-3"]  # fmt: skip
    assert _superseded(kept, 2) == kept[:2]
    assert _superseded(kept, 5) == []


def test_a_missing_migration_file_is_refused() -> None:
    """Steps that need a file which the image lacks can't be applied: exit 6."""
    with pytest.raises(PolicyRefused, match=r"shop\.0002"):
        refuse_unreachable({"alias": "default", "state": "behind", "missing": ["shop.0002"]})


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6, 7])
def test_the_insides_errors_come_through(code: int) -> None:
    """Its exit code, its sentence, its meaning and its advice stay what they were."""
    text = "tidegate  error   it failed\n                  because\n                  next: do this"
    error: TidegateError = _raised(Result(Command(("x",)), code, "", ""), text.splitlines())
    assert (error.exit_code, error.what, error.meaning, error.next) == (
        code, "it failed", "because", "do this"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("FATAL:  database files are incompatible with server", "another major version"),
        ('FATAL:  password authentication failed for user "shop"', "password of its first start"),
        ("write /var/lib: no space left on device", "disk is full"),
        ("exec /entrypoint.sh: exec format error", "CRLF"),
        ('Network "a" needs to be recreated - option "mtu" has changed', "Compose v2 does not"),
        ('relation "shop_customer" already exists (42P07)', "no migration is recorded"),
    ],
)  # fmt: skip
def test_known_last_words_are_explained(log: str, words: str) -> None:
    """What many have met before gets its sentence; nothing else does."""
    assert words in " ".join(explained(log))
    assert explained("listening on port 8000") == []


def test_both_streams_are_read_at_once() -> None:
    """A child that floods stderr while stdout is open does not hang, and lines come as they are."""
    seen: list[str] = []
    code = "import sys\nfor n in range(4000): print('e' * 99, file=sys.stderr)\nprint('last')"
    done = run(Command((sys.executable, "-c", code)), 60, line=seen.append)
    assert (done.code, done.out, len(done.err)) == (0, "last\n", 400_000)
    assert len(seen) == 4001


def test_a_command_out_of_time_is_ended() -> None:
    """The result says so, and the child is gone."""
    began = time.monotonic()

    command = Command((sys.executable, "-c", "import time; time.sleep(60)"))
    assert "longer than 0.3 s" in run(command, 0.3).why
    assert time.monotonic() - began < 30


def test_an_unhealthy_server_is_given_time() -> None:
    """Where patience is asked for, being unhealthy is waited for; a container that ended is not."""
    services = [Service("web", "shop")]
    ill = look(services, [one(health="unhealthy")], {}).ill
    assert [each.what for each in ill] == ["is unhealthy"]
    patient = look(services, [one(health="unhealthy")], {}, patient=True)
    assert (patient.ill, [each.what for each in patient.waiting]) == ((), ["is unhealthy"])
    assert look(services, [one(state="exited", exit_code=1)], {}, patient=True).ill


def test_a_service_that_crashed_a_moment_ago(tmp_path: Path) -> None:
    """It runs again, and may be seen between two crashes: its logs are what to look at."""
    target, now = FakeTarget(tmp_path), datetime.now(UTC)
    for seconds, restarts, begins in (
        (5, 3, "tidegate logs web    (web crashed, 3 times so far, and runs again)"),
        (5, 0, "nothing to do"),
        (3600, 3, "nothing to do"),
    ):
        started = (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        one = Container("1", "web-1", "web", "one", "running", restarts=restarts, started=started)
        assert next_word(target, [one], [], "")[0] == begins


@pytest.mark.parametrize(
    ("container", "says"),
    [
        (one("created"), "tidegate up    (web was not started)"),
        (one("exited", exit_code=1), "tidegate logs web    (web ended with exit code 1)"),
        (Container("2", "db-1", "db", "pg", "exited"), "tidegate up    (db does not run)"),
        (Container("2", "db-1", "db", "pg", "exited", exit_code=1),
         "tidegate logs db    (db ended with exit code 1)"),
    ],
)  # fmt: skip
def test_what_does_not_run_is_not_well(tmp_path: Path, container: Container, says: str) -> None:
    """What was made and not started, what was stopped and what crashed have each their own word."""
    target = FakeTarget(tmp_path)
    target.services = (*target.services, Service("db", "postgres", restart="always"))
    others = [Container(name, name, name, "one", "running") for name in ("web", "db")]
    seen = [container, *[each for each in others if each.service != container.service]]
    assert next_word(target, seen, [], "") == (says, False)


@pytest.mark.parametrize(
    ("database", "gone", "says"),
    [
        (
            {"state": "current", "half": ["a.2"]},
            "",
            "correct it, then: tidegate up    (a.2 is ",
        ),
        ({"state": "behind", "held": "it was restored"}, "", "tidegate rollback    (runs the rel"),
        ({"state": "unreachable"}, "db", "tidegate up    (db not started)"),
        ({"state": "unreachable"}, "", "tidegate logs db    (default can't be reached)"),
        ({"state": "behind"}, "", "tidegate up, or tidegate migrate"),
    ],
)
def test_what_a_schema_needs(
    tmp_path: Path, database: dict[str, Any], gone: str, says: str
) -> None:
    """What no start of a container mends is told before what one does."""
    target = FakeTarget(tmp_path)
    target.services = (*target.services, Service("db", "postgres", restart="always"))
    target.database = "db"
    seen = [Container(n, n, n, "one", "running") for n in ("web", "db") if n != gone]
    found = [{"alias": "default", **database}]
    assert next_word(target, seen, found, "")[0].startswith(says)


def test_a_database_that_lost_all_it_had() -> None:
    """One that is empty, and was not when the last release ran, is no new one."""
    known = [Entry("1", level={"default": "a.1"}), Entry("2", level={"other": "b.1"})]
    assert emptied(known, [{"alias": "default", "state": "empty"}]).startswith(
        "default is empty, and was not when release 1 ran"
    )
    for alias, state in (("default", "behind"), ("third", "empty")):
        assert emptied(known, [{"alias": alias, "state": state}]) == ""
    assert emptied([Entry("1", level={"a": "zero"})], [{"alias": "a", "state": "empty"}]) == ""


def test_an_update_that_was_cut_off_is_seen(tmp_path: Path) -> None:
    """`status` says that it goes on, or that nobody does; either way it is not well."""
    target = FakeTarget(tmp_path)
    state = State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state")})
    with state.held(target, Report("text", quiet=True)):
        state.begin(Release("1", {"web": "one"}))
        state.reached("replace")
        found = status(target, state)
        assert f"(it is process {os.getpid()} of " in found["next"]
    found = status(target, state)
    assert (found["next"], found["well"]) == (
        "tidegate up    (an update was cut off in its stage replace)", False
    )  # fmt: skip


def test_a_folder_that_hides_the_code(tmp_path: Path) -> None:
    """A folder of the host over the image's code is named where it holds none; one that holds the
    code, and one that lies elsewhere, are not."""
    for name in ("empty", "code"):
        (tmp_path / name).mkdir()
    (tmp_path / "code/manage.py").touch()
    for source, target, hides in (
        ("empty", "/app", True), ("empty", "/", True), ("code", "/app", False),
        ("empty", "/app/media", False), ("empty", "/application", False),
    ):  # fmt: skip
        mount = {"type": "bind", "source": str(tmp_path / source), "target": target}
        assert bool(hiding({"volumes": [mount]}, "/app")) == hides, (source, target)
