"""A step that takes long says so: a long one is told from a hung one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.gate import Database, Runner, eventually
from support.projects import SmallProject
from tidegate.container import lasting
from tidegate.container.report import Report
from tidegate.contracts.framework import Applying


def test_a_long_step_says_what_it_sent_last(
    tidegate: Runner, fresh: Callable[[str], Database], make_project: Callable[..., SmallProject]
) -> None:
    """After ten seconds there is a line with the statement, without its values."""
    project, database = make_project("django"), fresh("newest")
    step = project.add("SELECT pg_sleep(300), 'pa55'")
    run = tidegate.start("migrate", cwd=project.root, env=database.environ)
    said = run.until("; sent last: ", 60)
    line = next(one for one in said.splitlines() if "sent last" in one)
    assert f"migrate {step}: runs for 1" in line and "SELECT pg_sleep" in line
    assert "pa55" not in said


def test_each_step_begins_anew_and_a_short_one_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once for each doubling of a step's own time; between steps nothing is."""
    monkeypatch.setattr(lasting, "FIRST", 0.05)
    monkeypatch.setattr(lasting, "TICK", 0.01)
    told: list[tuple[str, str]] = []
    report = Report("text", True)
    report.listeners.append(
        lambda stage, subject, text, seconds, more: told.append((subject, text))
    )
    applying = Applying(lambda step: None, lambda step, seconds: None)
    with lasting.said_while_it_lasts(report, "migrate", applying):
        time.sleep(0.1)
        assert told == []
        for step in ("a.1", "a.2"):
            applying.start(step, True)
            eventually(lambda step=step: step in [one for one, _ in told])
            applying.finish()
    assert told[0][0] == "a.1" and "sent last" not in told[0][1]
