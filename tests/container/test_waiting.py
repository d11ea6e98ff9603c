from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable

import pytest

from support.services import free_port
from tidegate.container import services, waiting
from tidegate.container.waiting import Dependency, Permanent, Transient, wait_for

LONG = 30.0  # nothing here takes this long unless it hangs
Change = tuple[str, str]


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


def says(*answers: str | Exception) -> Callable[[float], str]:
    """A probe that gives these answers in turn, the last for ever."""
    left = list(answers)

    def probe(timeout: float) -> str:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return probe


def quiet(name: str, reason: str, seconds: float) -> None:
    """Say nothing."""


REFUSED = Transient("connection refused")
PASSWORD = Permanent("The password is wrong.", "Waiting does not help.", "Correct it.")


def test_nothing_to_wait_for() -> None:
    """No dependency, no outcome, no waiting."""
    assert wait_for([], soon(LONG), quiet) == []


@pytest.mark.parametrize("others", [0, 2])
def test_ready_after_some_attempts(others: int) -> None:
    """A dependency that is not there at first is ready as soon as its probe returns."""
    changes: list[Change] = []
    probes = [says(REFUSED, REFUSED, "redis 7"), *[says("there")] * others]
    dependencies = [Dependency(f"d{n}", probe) for n, probe in enumerate(probes)]
    outcomes = wait_for(dependencies, soon(LONG), lambda n, r, s: changes.append((n, r)))
    assert [o.name for o in outcomes] == [d.name for d in dependencies]
    assert all(o.ready and o.error is None for o in outcomes)
    assert (outcomes[0].attempts, outcomes[0].detail) == (3, "redis 7")
    assert changes == [("d0", "connection refused")]


@pytest.mark.parametrize("others", [0, 1])
def test_a_reason_is_told_once(others: int) -> None:
    """`on_change` hears each new reason, not each attempt, and in the caller's thread."""
    changes: list[tuple[str, str, bool]] = []
    loading = Transient("loading")
    probe = says(REFUSED, REFUSED, REFUSED, loading, loading, "ready")
    dependencies = [Dependency("a", probe), *[Dependency("b", says("there"))] * others]
    here = threading.current_thread()
    wait_for(
        dependencies,
        soon(LONG),
        lambda n, r, s: changes.append((n, r, threading.current_thread() is here)),
    )
    assert changes == [("a", "connection refused", True), ("a", "loading", True)]


@pytest.mark.parametrize("others", [0, 1])
def test_the_deadline_ends_the_wait(others: int) -> None:
    """At the deadline the outcome is not ready and has the last reason; others stay ready."""
    dependencies = [Dependency("a", says(REFUSED)), *[Dependency("b", says("there"))] * others]
    began = time.monotonic()
    outcomes = wait_for(dependencies, soon(0.3), quiet)
    assert time.monotonic() - began < LONG / 2
    assert (outcomes[0].ready, outcomes[0].detail) == (False, "connection refused")
    assert outcomes[0].attempts > 1 and outcomes[0].error is None
    assert all(o.ready for o in outcomes[1:])


def test_a_deadline_in_the_past() -> None:
    """Without time left each is looked at all the same: what is there is not called late."""
    ready, refused = wait_for(
        [Dependency("a", says("there")), Dependency("b", says(REFUSED))], soon(-1), quiet
    )
    assert (ready.ready, ready.attempts) == (True, 1)
    assert (refused.ready, refused.detail) == (False, "connection refused")
    assert refused.attempts >= 1


def test_permanent_is_not_tried_again() -> None:
    """A refusal for good ends the wait after one attempt."""
    [outcome] = wait_for([Dependency("a", says(PASSWORD))], soon(LONG), quiet)
    assert (outcome.ready, outcome.attempts, outcome.error) == (False, 1, PASSWORD)
    assert outcome.detail == "The password is wrong."


def test_permanent_ends_the_wait_for_all() -> None:
    """One refusal for good abandons the others long before the deadline."""
    began = time.monotonic()
    refused, waiting_still = wait_for(
        [Dependency("a", says(REFUSED, PASSWORD)), Dependency("b", says(REFUSED))],
        soon(LONG),
        quiet,
    )
    assert time.monotonic() - began < LONG / 2
    assert refused.error is PASSWORD
    assert not waiting_still.ready and waiting_still.error is None


def test_abandoned_threads_end() -> None:
    """After a wait with several dependencies no thread goes on probing."""
    wait_for([Dependency(n, says(REFUSED)) for n in "ab"], soon(0.1), quiet)

    def left() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name.endswith("(_thread)")]

    end = soon(LONG)
    while left() and time.monotonic() < end:
        time.sleep(0.01)
    assert left() == []


def test_a_hanging_probe_does_not_hold_the_deadline() -> None:
    """A probe stuck in the C library (DNS) among several is left behind at the deadline."""
    release = threading.Event()

    def hangs(timeout: float) -> str:
        release.wait(LONG)
        return "late"

    began = time.monotonic()
    stuck, fine = wait_for(
        [Dependency("a", hangs), Dependency("b", says("there"))], soon(0.3), quiet
    )
    release.set()
    assert time.monotonic() - began < LONG / 2
    assert (stuck.ready, stuck.attempts, fine.ready) == (False, 1, True)


def test_an_attempt_gets_no_more_than_is_left() -> None:
    """An attempt has 5 s at most, and never more than until the deadline."""
    given: list[float] = []

    def probe(timeout: float) -> str:
        given.append(timeout)
        return "there"

    wait_for([Dependency("a", probe)], soon(1), quiet)
    wait_for([Dependency("a", probe)], soon(1000), quiet)
    assert given[0] <= 1 and given[1] == 5


@pytest.mark.parametrize("count", [1, 2])
def test_stop_ends_the_wait(count: int) -> None:
    """Setting `stop` from elsewhere ends the wait; nothing is ready, nothing is an error."""
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    outcomes = wait_for([Dependency("a", says(REFUSED))] * count, soon(LONG), quiet, stop)
    assert time.monotonic() - began < LONG / 2
    assert [(o.ready, o.error) for o in outcomes] == [(False, None)] * count


@pytest.mark.parametrize("count", [1, 2])
def test_a_signal_handler_may_raise(count: int) -> None:
    """A handler that raises (SIGTERM) leaves the wait at once, with one or several."""

    def handler(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            wait_for([Dependency("a", says(REFUSED))] * count, soon(LONG), quiet)
        assert time.monotonic() - began < LONG / 2
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("count", [1, 2])
def test_a_bug_is_not_waited_for(count: int) -> None:
    """What is neither Transient nor Permanent reaches the caller, out of a thread as well."""
    with pytest.raises(ZeroDivisionError):
        wait_for([Dependency("a", says(ZeroDivisionError()))] * count, soon(LONG), quiet)


def test_pauses_grow_to_a_cap() -> None:
    """The first pause is at most 50 ms, none is longer than 1 s, and they are not all alike."""
    assert all(0 <= waiting.backoff(1) <= 0.05 for _ in range(200))
    late = [waiting.backoff(n) for n in range(1, 3000)]
    assert max(late) <= 1 and len(set(late)) > 100


def test_a_server_that_starts_later() -> None:
    """A port that opens half a second into the wait is found: refused first, then ready."""
    port = free_port()
    changes: list[Change] = []
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    threading.Timer(0.5, server.listen).start()
    with server:
        tcp = services.dependency(f"tcp://127.0.0.1:{port}", {})
        [outcome] = wait_for([tcp], soon(LONG), lambda n, r, s: changes.append((n, r)))
    assert outcome.ready and outcome.attempts > 1
    assert changes == [(f"tcp://127.0.0.1:{port}", "connection refused")]


def of(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (of(errno.ECONNREFUSED), "connection refused"),
        (of(errno.ECONNRESET), "connection reset"),
        (of(errno.EPIPE), "connection reset"),
        (of(errno.ETIMEDOUT), "timed out"),
        (TimeoutError("timed out"), "timed out"),
        (of(errno.EHOSTUNREACH), "no route to host"),
        (of(errno.ENETUNREACH), "network unreachable"),
        (of(errno.EMFILE), "Too many open files"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "name db is not in DNS (yet)"),
        (socket.gaierror(socket.EAI_NODATA, "x"), "name db is not in DNS (yet)"),
        (
            socket.gaierror(socket.EAI_AGAIN, "x"),
            "name db cannot be looked up (DNS does not answer)",
        ),
        (socket.gaierror(socket.EAI_FAIL, "broken"), "name db cannot be looked up (broken)"),
        (ssl.SSLEOFError(8, "eof"), "TLS handshake failed (eof)"),
    ],
)
def test_errors_that_pass(error: OSError, reason: str) -> None:
    """What a starting network or server causes is waited for, in plain words."""
    verdict = waiting.classify_os_error(error, "db")
    assert isinstance(verdict, Transient) and verdict.reason == reason


def test_a_unix_socket_not_there_yet_passes() -> None:
    """A socket's file appears when its server starts."""
    verdict = waiting.classify_os_error(of(errno.ENOENT), "/run/pg/.s.PGSQL.5432")
    assert isinstance(verdict, Transient)
    assert verdict.reason == "socket /run/pg/.s.PGSQL.5432 is not there (yet)"


@pytest.mark.parametrize("host", ["/run/s", "db"])
def test_a_forbidden_connection_does_not_pass(host: str) -> None:
    """EACCES and EPERM are decisions, not conditions."""
    for code in (errno.EACCES, errno.EPERM):
        verdict = waiting.classify_os_error(of(code), host)
        assert isinstance(verdict, Permanent) and host in verdict.what


def test_a_missing_certificate_file_does_not_pass() -> None:
    """ENOENT on a connection to a host is about a file that the settings name."""
    error = FileNotFoundError(errno.ENOENT, "No such file", "/certs/ca.pem")
    verdict = waiting.classify_os_error(error, "db")
    assert isinstance(verdict, Permanent) and "/certs/ca.pem" in verdict.what


def test_permanent_reads_as_three_sentences() -> None:
    """`str` of a refusal says what happened, what it means and what to do."""
    assert str(PASSWORD) == "The password is wrong. Waiting does not help. Correct it."


def test_importing_the_engine_loads_no_tls() -> None:
    """The engine and the probes load `ssl` only when a URL asks for it."""
    import subprocess

    code = "import sys, tidegate.container.services; print('ssl' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert out.stdout == "False\n", out.stderr
