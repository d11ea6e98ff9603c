"""The container engine is restarted, or its disk fills up, while an update runs: what runs then is
what is said."""

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
FULL = "RUN head -c 300000000 /dev/urandom >/large\n"
ROOM = 2_000_000_000  # bytes; what is not used takes no memory
SLOW = "migrations.RunSQL('SELECT 1'), migrations.RunPython(lambda *_: __import__('time').sleep(4))"


@pytest.fixture
def own(engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine with the base image in it, in a folder with a short name: sockets have limits."""
    why = missing()
    if why:
        pytest.skip(why)
    saved = subprocess.run(["docker", "save", BASE], check=True, capture_output=True, timeout=300)
    folder = Path(tempfile.mkdtemp(prefix="tg-engine-"))
    data = folder / "data"
    data.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tidegate-tests", str(data)], check=True
    )
    one = Engine(folder).start()
    try:
        one.load(BASE, lambda: saved.stdout)
        monkeypatch.setenv("DOCKER_HOST", one.address)
        yield one
    finally:
        one.stop()
        subprocess.run(["umount", "--lazy", str(data)], check=False)
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


def test_the_engine_is_restarted_then_its_disk_is_full(own: Engine, stack: Make) -> None:
    """While a step runs in its one-off container nothing is replaced; while services are replaced
    the update waits for the engine, and its exit code says which release runs. The next one ends
    well. A build for which there is no room at the engine's is refused before it begins (3); one
    that fills it up ends with 8, says what to prune, prunes nothing, and the release still runs."""
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
    before, images = one.ids(), own.images()
    narrow(own.folder / "data", leave=120_000_000)
    refused = one.tidegate("up")
    assert refused.code == 3, refused.said
    assert "GB are free at" in refused.err
    one.write({"Dockerfile": (one.folder / "Dockerfile").read_text() + FULL})
    full = one.tidegate("up", env={"TIDEGATE_COMPOSE_DISK": "0"})
    assert full.code == 8, full.said
    assert "docker builder prune" in full.err
    assert (one.ids(), one.served()) == (before, "release two")
    assert images <= own.images()


def narrow(folder: Path, leave: int) -> None:
    """Take all but `leave` bytes of what is free in a file system in memory."""
    size = shutil.disk_usage(folder).used + leave
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
