"""The story of an update told to a fake engine: the order, and the undo of each step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.contracts.target import Service
from tidegate.errors import (
    NotReady,
    StepFailed,
    TidegateError,
    UpdateNotUndone,
    UpdateUndone,
    UsageProblem,
)
from tidegate.workflows.update import releases, story, updating
from tidegate.workflows.update.pending import itself
from tidegate.workflows.update.standing import needs
from tidegate.workflows.update.state import State
from tidegate.workflows.update.story import up
from tidegate.workflows.update.updating import Update


def update(target: FakeTarget, **more: object) -> Update:
    state = State("shop", target.root, {"XDG_STATE_HOME": str(target.root / "state")})
    show: list[str] = []
    return Update(target, state, Report("text", quiet=True), print, show.append, **more)  # type: ignore[arg-type]


def verbs(target: FakeTarget) -> list[str]:
    return [line.split()[0] for line in target.state()["log"]]


def test_the_order(tmp_path: Path) -> None:
    """Remember, build, ask, migrate, replace; the running image was named before the build."""
    target = FakeTarget(tmp_path)
    result = up(update(target))
    assert result["outcome"] == "done"
    assert verbs(target) == ["tag", "build", "status", "migrate", "replace"]
    assert target.state()["running"] == {"web": "two"}


def test_an_image_that_is_not_here(tmp_path: Path) -> None:
    """Taken as it is, it has to be here: nothing is asked of it, and nothing is built for that."""
    target = FakeTarget(tmp_path)
    target.services = tuple(replace(one, image="shop:v7") for one in target.services)
    with pytest.raises(UsageProblem, match="no image shop:v7 on this engine, and web"):
        up(update(target, build=False))
    assert set(verbs(target)) <= {"tag"}


def test_an_unwell_release_is_undone(tmp_path: Path) -> None:
    """The old image has its name back and runs; the new one is called `failed`."""
    target = FakeTarget(tmp_path, sick=["two"])
    with pytest.raises(UpdateUndone) as caught:
        up(update(target))
    assert "web crashes and is restarted" in caught.value.meaning
    assert "The schema is lowered again (a.2 undone)" in caught.value.meaning
    assert verbs(target)[-1] == "rollback", "after the old image runs again"
    state = target.state()
    assert state["running"] == {"web": "one"}
    assert state["images"]["shop"] == "one"
    assert state["images"]["kept:web-failed"] == "two"


def test_what_was_not_replaced_yet_is_left_alone(tmp_path: Path) -> None:
    """When the first of two services can't be replaced, the second is never touched."""
    target = FakeTarget(tmp_path, ("web", "worker"), fails=["replace web"])
    with pytest.raises(UpdateNotUndone):
        up(update(target))
    assert "replace worker" not in target.state()["log"]


def test_what_an_interrupted_replacing_left_under_way(tmp_path: Path) -> None:
    """The engine still makes the container of a command that was stopped: the undo tries again."""
    target = FakeTarget(tmp_path, sick=["two"], busy=[8, 9])
    with pytest.raises(UpdateUndone):
        up(update(target))
    assert [line for line in target.state()["log"] if line.startswith("replace")] == (
        ["replace web"] * 4
    )
    assert target.state()["running"] == {"web": "one"}


def test_a_failed_undo_is_its_own_code(tmp_path: Path) -> None:
    """Neither release runs: exit 9, with both reasons and the names of the kept images."""
    target = FakeTarget(tmp_path, sick=["one", "two"])
    with pytest.raises(UpdateNotUndone) as caught:
        up(update(target))
    assert "going back failed too:" in caught.value.meaning
    assert "kept:web-" in caught.value.next
    assert caught.value.exit_code == 9


@pytest.mark.parametrize(("verb", "kind"), [("build", UpdateUndone), ("migrate", StepFailed)])
def test_a_failure_before_the_replacing(
    tmp_path: Path, verb: str, kind: type[TidegateError]
) -> None:
    """Nothing is replaced, and the image has its name back."""
    target = FakeTarget(tmp_path, fails=[verb])
    with pytest.raises(kind) as caught:
        up(update(target))
    assert "still serves" in caught.value.meaning
    assert "replace" not in verbs(target)
    assert target.state()["images"]["shop"] == "one"


def test_a_bug_of_ours_is_undone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception goes through after the undo, as itself."""
    target = FakeTarget(tmp_path)

    def broken(one: Update) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(story, "verify", broken)
    with pytest.raises(KeyError):
        up(update(target))
    assert target.state()["running"] == {"web": "one"}


def test_an_engine_that_restarts_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers that can't be listed for a moment are no reason to go back."""
    target = FakeTarget(tmp_path)
    one = update(target)
    real = story.replace

    def away(update: Update) -> None:
        real(update)
        target.away = 2

    monkeypatch.setattr(story, "replace", away)
    assert up(one)["outcome"] == "done"
    assert target.away == 0


@pytest.mark.parametrize(("stage", "code"), [("migrate", 3), ("verify", 9)])
def test_an_engine_that_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, code: int
) -> None:
    """Nothing can be undone: it says what is known, and the next update finds what ran before."""
    target = FakeTarget(tmp_path)
    one = update(target)

    def gone(*given: object) -> None:
        target.away = 99
        raise NotReady("the engine is away")

    monkeypatch.setattr(updating, "PATIENCE", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(story, stage, gone)
        with pytest.raises(TidegateError) as caught:
            up(one)
    assert caught.value.exit_code == code
    assert ("No container was replaced." in caught.value.meaning) == (code == 3)
    assert ("What ran before is written down." in caught.value.meaning) == (code == 9)
    target.away = 0
    assert up(update(target))["outcome"] == "done"
    assert target.state()["running"] == {"web": target.state()["images"]["shop"]}


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    """Every command is shown, and the engine never sees one."""
    target = FakeTarget(tmp_path)
    shown: list[str] = []
    one = update(target, dry=True)
    one.show = shown.append
    assert up(one)["outcome"] == "dry-run"
    assert [line.split("engine.json ")[1].split()[0] for line in shown] == [
        "tag", "build", "status", "migrate", "replace"
    ]  # fmt: skip
    assert verbs(target) == []
    assert not (tmp_path / "state").exists()


def test_services_that_are_named_only(tmp_path: Path) -> None:
    """`--only worker` leaves the others as they are; an unknown name is refused."""
    target = FakeTarget(tmp_path, ("web", "worker"))
    up(update(target, only=("worker",)))
    assert target.state()["running"] == {"web": "one", "worker": "two"}
    with pytest.raises(TidegateError, match="there is no service wroker"):
        up(update(target, only=("wroker",)))


def test_static_files_come_before_the_containers(tmp_path: Path) -> None:
    """The new image's files are collected before it starts, the old one's before that starts
    again; what collects nothing is not asked to."""
    target = FakeTarget(tmp_path, static="/srv/static", sick=["two"])
    with pytest.raises(UpdateUndone):
        up(update(target))
    done = [verb for verb in verbs(target) if verb in ("collectstatic", "replace", "tag")]
    assert done == ["tag", "collectstatic", "replace", "tag", "tag", "collectstatic", "replace"]
    assert target.state()["collected"] == "one"


def test_static_files_that_can_not_be_collected(tmp_path: Path) -> None:
    """The update ends before a container is replaced, and the old release has its files again."""
    target = FakeTarget(tmp_path, static="/srv/static", fails=["collectstatic"])
    with pytest.raises(StepFailed) as caught:
        up(update(target))
    assert "still serves" in caught.value.meaning
    assert verbs(target)[-3:] == ["tag", "tag", "collectstatic"]
    assert "replace" not in verbs(target)


def test_a_program_that_can_not_recreate(tmp_path: Path) -> None:
    """Version 1 of docker-compose on an engine of today: the old container is removed first, on
    the way back as well."""
    target = FakeTarget(tmp_path, sick=["two"])
    target.removes_first = True
    with pytest.raises(UpdateUndone):
        up(update(target))
    done = [verb for verb in verbs(target) if verb in ("remove", "replace")]
    assert done == ["remove", "replace", "remove", "replace"]
    assert target.state()["running"] == {"web": "one"}


def test_a_release_of_which_something_crashed(tmp_path: Path) -> None:
    """It is the same release still; when the next one and it are not well, the one before it is
    named, and it is said beforehand what was not well."""
    target = FakeTarget(tmp_path, ("web", "worker"))
    for image in ("two", "three"):
        target.file.write_text(json.dumps({**target.state(), "built": image}))
        up(update(target))
    first, second, third = releases.load(update(target).state)
    running = dict(third.images)
    del running["worker"]
    assert releases.of_images([first, second, third], running) == third
    assert releases.of_images([first, second, third], {"web": "other"}) is None
    target.file.write_text(
        json.dumps({**target.state(), "built": "four", "sick": ["three", "four"]})
    )
    with pytest.raises(UpdateNotUndone) as caught:
        up(update(target))
    assert caught.value.next.startswith(f"tidegate rollback --to {second.stamp} --plan")
    assert len(releases.load(update(target).state)) == 3


def test_servers_alone_are_no_release(tmp_path: Path) -> None:
    """Where only a database ran before the first update there is nothing to go back to."""
    images = {"shop": "one", "postgres": "pg"}
    target = FakeTarget(tmp_path, running={"db": "pg"}, images=images)
    target.services = (Service("db", "postgres"), *target.services)
    one = update(target)
    up(one)
    assert [list(each["images"]) for each in one.state.releases()] == [["web"]]


def test_a_first_start_beside_a_server_that_runs(tmp_path: Path) -> None:
    """When it fails there is no previous release either: nothing is said to run again, and the
    containers stay to be looked at."""
    images = {"shop": "one", "postgres": "pg"}
    target = FakeTarget(tmp_path, running={"db": "pg"}, images=images, sick=["two"])
    target.services = (Service("db", "postgres"), *target.services)
    with pytest.raises(UpdateNotUndone, match="there is no previous release"):
        up(update(target))
    assert target.state()["running"] == {"db": "pg", "web": "two"}


def test_an_update_that_would_start_nothing(tmp_path: Path) -> None:
    """A backend under a profile that is not in force is no release: exit 2. One that runs is
    updated all the same."""
    target = FakeTarget(tmp_path, running={})
    target.services = tuple(replace(each, active=False) for each in target.services)
    with pytest.raises(UsageProblem, match="web is under a profile that is not in force"):
        up(update(target))
    assert verbs(target) == []
    running = FakeTarget(tmp_path)
    running.services = target.services
    assert up(update(running))["replaced"] == ["web"]


def test_a_database_that_no_file_says_is_needed(tmp_path: Path) -> None:
    """It is started before the migration, which would wait for it in vain."""
    target = FakeTarget(tmp_path)
    target.services = (*target.services, Service("db", "postgres", restart="always"))
    target.database = "db"
    assert [each.name for each in needs(target, "web")] == ["db"]
    target.services = (target.services[0], Service("db", "postgres", active=False))
    assert needs(target, "web") == []


def test_localhost_in_a_container(tmp_path: Path) -> None:
    """It is the container itself: the database's service is named; another host is left alone."""
    target = FakeTarget(tmp_path)
    target.database = "db"
    found = itself(update(target), NotReady("default (app@localhost:5432/app): refused"))
    assert "localhost is the container itself" in found.meaning
    assert "name db as the host" in found.next
    other = NotReady("default (app@db:5432/app): refused", "", "next")
    assert itself(update(target), other) is other
