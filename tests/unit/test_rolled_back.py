"""What a rollback leaves for the next update, and which release a run belongs to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.targets.composewrong import without_env_file
from tidegate.workflows.update import rolling
from tidegate.workflows.update.releases import Entry, of_run
from tidegate.workflows.update.rolled import Rolling, Wish
from tidegate.workflows.update.state import Release, State
from tidegate.workflows.update.updating import Update


def update(folder: Path) -> Update:
    state = State("shop", folder, {"XDG_STATE_HOME": str(folder / "state")})
    return Update(FakeTarget(folder), state, Report("text", quiet=True), print, print)


def test_an_update_that_could_not_go_back_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a rollback has brought a release that runs well, no later update goes back to what ran
    before the one that failed."""
    one = update(tmp_path)
    one.state.folder.mkdir(parents=True)
    one.state.begin(Release("20260101000000", {"web": "bad"}))
    one.state.reached("undo")
    monkeypatch.setattr(rolling, "_run", lambda *given: None)
    rolling.go(one, Rolling(Wish(), Entry("20260102000000"), Entry(""), "as asked for"), {})
    assert one.state.unfinished() is None


def test_a_releases_configuration_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of a server as today's files do has today's digest; what it says otherwise has
    none that is known."""
    now = json.dumps({"services": {"web": {"image": "shop"}, "db": {"image": "postgres:15"}}})
    monkeypatch.setattr(FakeTarget, "configuration", lambda self: now)
    monkeypatch.setattr(FakeTarget, "digests", lambda self: {"web": "w", "db": "d"})
    one = update(tmp_path)
    assert rolling._of_servers(one, now) == {"web": "w", "db": "d"}
    assert rolling._of_servers(one, now.replace(":15", ":14")) == {"web": "w"}


def test_the_release_of_a_run_in_a_service_of_its_own() -> None:
    """What migrates may have another image than what serves."""
    entry = Entry("20260102000000", {"web": "sha256:w"}, {"shop-migrate": "sha256:m"})
    run = {"image": "sha256:m", "container": "", "started": "2026-01-01T00:00:00"}
    assert of_run([entry], run, []) == entry
    assert of_run([entry], {**run, "image": "sha256:x"}, []) is None


def test_an_env_file_of_a_service_that_is_missing(tmp_path: Path) -> None:
    """It is named from the project's folder, with its example where there is one."""
    (tmp_path / "src").mkdir()
    path = tmp_path / "src" / ".env"
    assert "write src/.env" in without_env_file(path, tmp_path).next
    (tmp_path / "src" / ".env.example").touch()
    assert without_env_file(path, tmp_path).next == (
        "copy src/.env.example to src/.env and fill it in"
    )
