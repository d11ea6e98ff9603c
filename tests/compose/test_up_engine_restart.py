"""The container engine is restarted while an update runs: what runs then is what is said."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine, missing
from support.gate import Ended, eventually
from support.stacks import BASE, COMPOSE, Stack

Make = Callable[..., Stack]
ALONE = COMPOSE.replace("    build: .\n", "    build: {context: ., network: none}\n"
                        "    network_mode: none\n")  # fmt: skip
SLOW = "migrations.RunSQL('SELECT 1'), migrations.RunPython(lambda *_: __import__('time').sleep(4))"


@pytest.fixture
def own(engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine with the base image in it, in a folder with a short name: sockets have limits."""
    why = missing()
    if why:
        pytest.skip(why)
    saved = subprocess.run(["docker", "save", BASE], check=True, capture_output=True, timeout=300)
    folder = Path(tempfile.mkdtemp(prefix="tg-engine-"))
    one = Engine(folder).start()
    try:
        one.load(BASE, lambda: saved.stdout)
        monkeypatch.setenv("DOCKER_HOST", one.address)
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def restarted(own: Engine, one: Stack, moment: str) -> Ended:
    """Run `up`, and restart the engine at a moment of it."""
    running = one.start("up", "--settle", "6")
    running.until(moment, 120)
    own.stop()
    own.start()
    done = running.end(200)
    eventually(lambda: any(each["State"]["Running"] for each in one.containers()), 60, "web")
    return done


def test_the_engine_is_restarted(own: Engine, stack: Make) -> None:
    """While a step runs in its one-off container nothing is replaced; while services are replaced
    the update waits for the engine, and its exit code says which release runs. The next one ends
    well."""
    one = stack().django(ALONE)
    one.up("--settle", "0")
    one.release("two").migration("0002_slow", SLOW)
    done = restarted(own, one, "0002_slow: applying")
    assert done.code in (3, 5), done.said
    assert one.served() == "release one", done.said
    done = restarted(own, one, "replace web")
    assert done.code in (0, 8), done.said
    assert one.served() == ("release one" if done.code else "release two"), done.said
    one.up("--settle", "0")
    assert one.served() == "release two"
    assert one.applied() == ["0001_initial", "0002_slow"]
