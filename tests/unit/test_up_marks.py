"""The marks that keep two updates of one project apart, whoever they are of, and wherever."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fake_engine import FakeShared, FakeTarget
from support.gate import eventually
from tidegate.container.report import Report
from tidegate.errors import ElectionNotWon
from tidegate.process import run
from tidegate.workflows.update import holding
from tidegate.workflows.update.holding import Hold
from tidegate.workflows.update.state import Release, State

Make = Callable[[], Hold]


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make the holds of one project, each as of a machine of its own."""
    numbers = itertools.count(1)
    monkeypatch.setattr(holding, "BEAT", 0.2)
    monkeypatch.setattr(holding, "LOOK", 0.05)
    monkeypatch.setattr(holding, "_machine", lambda: f"machine {next(numbers)}")
    made: list[Hold] = []

    def make() -> Hold:
        made.append(Hold(FakeShared(tmp_path / "shared"), "shop", tmp_path, Report("text", True)))
        return made[-1]

    yield make
    for one in made:
        one.release()


def test_an_update_on_another_machine_is_seen_to_live(another: Make, tmp_path: Path) -> None:
    """It is refused for, with who it is; once that one has ended the way is free."""
    first, second = another(), another()
    first.take()
    with pytest.raises(ElectionNotWon, match="another update of shop is running") as caught:
        second.take()
    assert " on " in caught.value.meaning
    first.release()
    second.take()
    second.release()
    assert list((tmp_path / "shared").glob("update-*")) == []


def test_a_mark_that_is_not_renewed_is_nobodys(
    another: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process was killed on a machine that can't be asked: the next one waits, and goes on."""
    monkeypatch.setattr(holding, "SILENT", 0.3)
    shared = FakeShared(tmp_path / "shared")
    for name in ("update-0dead-7", "update-0dead-8"):
        run(shared.making(name, {"machine": "gone", "user": "anna", "pid": "7"}))
    another().take()
    assert [name for name in shared.seen() if "0dead" in name] == []


def test_of_many_at_once_one_goes_on(another: Make) -> None:
    """All begin in the same moment; never two hold it, and not all of them are refused."""
    held: list[Hold] = []
    most: list[int] = []
    refused: list[Hold] = []

    def begin(one: Hold) -> None:
        try:
            one.take()
        except ElectionNotWon:
            refused.append(one)
            one.release()
            return
        held.append(one)
        most.append(len(held))
        time.sleep(0.1)
        held.remove(one)
        one.release()

    threads = [threading.Thread(target=begin, args=(another(),)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert max(most) == 1
    assert len(most) + len(refused) == 4


def test_one_that_was_taken_for_dead_does_nothing_more(another: Make, tmp_path: Path) -> None:
    """A machine that slept finds another's mark in the place of its own, and says so."""
    first, shared = another(), FakeShared(tmp_path / "shared")
    first.take()
    run(shared.making("update-other-3", {"machine": "x"}))
    # It makes its next mark at any moment: what it makes is taken away until it sees that.

    def seen_by_it() -> bool:
        run(shared.removing([name for name in shared.seen() if "other" not in name]))
        return first.lost

    eventually(seen_by_it, 30, "that another took over")
    state = State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state")})
    state._hold = first
    with pytest.raises(ElectionNotWon, match="took this one for dead"):
        state.refuse_lost()


def test_what_one_account_has_left_another_goes_on_with(tmp_path: Path) -> None:
    """An update that was cut off, the configuration that ran, and the releases are everybody's."""
    target, tell = FakeTarget(tmp_path), Report("text", True)
    anna, bert = (State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path / name)})
                  for name in ("anna", "bert"))  # fmt: skip
    with anna.held(target, tell):
        anna.begin(Release("1", {"web": "sha256:1"}))
        anna.reached("replace")
        anna.keep('{"services": {}}', {"web": "d"})
        anna.record([{"stamp": "1"}])
        anna.keep_of("1", '{"old": 1}')
    with bert.held(target, tell):
        assert bert.unfinished() == ("replace", Release("1", {"web": "sha256:1"}))
        assert bert.kept()[1] == {"web": "d"}
        assert Path(bert.kept_of("1")).read_text() == '{"old": 1}'
        assert bert.releases() == [{"stamp": "1"}]
        bert.end()
        bert.keep_of("1", "")
    anna.look(target, tell)
    assert anna.unfinished() is None
    assert anna.kept_of("1") == ""
    assert all(one.stat().st_mode & 0o077 == 0 for one in anna.folder.glob("*.json"))
