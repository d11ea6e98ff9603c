"""Wait for the databases and services only.

usage: tidegate wait [--wait-for URL ...] [--timeout SECONDS] [-- COMMAND ...]

Without a project in the folder it waits for the URLs alone. With a command, it becomes it then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.boot import Boot, raise_first_refusal, services, start, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.startable import refuse_unstartable
from tidegate.container.waiting import wait_for
from tidegate.errors import Stopped, UsageProblem

FORMATS = ("text", "jsonl")
OPTIONS = ("wait_for", "timeout")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        settings, rest = settings_for(glob.root, environ, argv, OPTIONS)
        if rest and rest[0] != "--":
            raise UsageProblem(f"wait does not take {rest[0]}", "", "see tidegate wait --help")
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        one.command = rest[1] if rest[1:] else ""
        if rest[1:]:
            refuse_unstartable(rest[1], environ)
        _wait(one)
        if rest[1:]:
            start(one, rest[1:])
        report.stage("wait", "", "everything is ready", time.monotonic() - began)
        return 0

    return guarded(report, work, loads=True)


def _wait(one: Boot) -> None:
    try:
        gate = open_gate(one.root, one.environ, one.settings)
    except UsageProblem:
        if not one.settings["wait_for"]:
            raise
    else:
        wait(one, gate)
        return
    outcomes = wait_for(
        services(one),
        one.deadline,
        lambda name, reason, _: one.report.stage("wait", name, reason),
        one.signals.event,
    )
    if one.signals.stopped:
        raise Stopped(one.signals.stopped)
    raise_first_refusal(outcomes, one)
