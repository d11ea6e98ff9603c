"""`kill -9` of an update at each of its stages: the next one knows what to go on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.errors import UpdateUndone
from tidegate.workflows.update.state import State
from tidegate.workflows.update.story import up
from tidegate.workflows.update.updating import Update

STATIC = "/srv/static"
# Stages by the number of the last command that was run in them; those of the building, migrating,
# replacing and verifying are killed on a real engine.
WELL = {"status": 3, "static": 5}
UNDO = {"a name back": 8, "static back": 9, "replaced back": 10}


def update(folder: Path) -> Update:
    target = FakeTarget.again(folder)
    state = State("shop", folder, {"XDG_STATE_HOME": str(folder / "state")})
    return Update(target, state, Report("text", quiet=True), print, print)


def killed(folder: Path, number: int, **state: object) -> FakeTarget:
    """Run an update in a process of its own, which dies after its command of that number."""
    target = FakeTarget(folder, static=STATIC, kills=number, **state)
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert len(target.state()["log"]) == number
    return target


def change(target: FakeTarget, **more: object) -> None:
    target.file.write_text(json.dumps({**target.state(), "kills": 0, **more}))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
@pytest.mark.parametrize("stage", WELL)
def test_killed_then_a_release_that_is_not_well(tmp_path: Path, stage: str) -> None:
    """Whatever the killed one has done, it is the release from before it that runs again, by its
    name and with its static files."""
    target = killed(tmp_path, WELL[stage])
    change(target, built="three", sick=["three"])
    with pytest.raises(UpdateUndone):
        up(update(tmp_path))
    state = target.state()
    assert state["running"] == {"web": "one"}
    assert (state["images"]["shop"], state["collected"]) == ("one", "one")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
@pytest.mark.parametrize("stage", UNDO)
def test_killed_while_going_back_then_one_that_is_well(tmp_path: Path, stage: str) -> None:
    """The next update takes the release of today, whole."""
    target = killed(tmp_path, UNDO[stage], sick=["two"])
    change(target, built="three", sick=[])
    assert up(update(tmp_path))["outcome"] == "done"
    state = target.state()
    assert state["running"] == {"web": "three"}
    assert (state["images"]["shop"], state["collected"], state["pending"]) == ("three", "three", [])


if __name__ == "__main__":
    up(update(Path(sys.argv[1])))
