"""Collect Django's static files where what they are made of has changed.

usage: tidegate collectstatic [--collectstatic always] [--volume] [--timeout SECONDS] [--env NAME]
                              [--service NAME] [--local] [--format text|jsonl]

Files are compared by their content, so that an older release brings its own files back. What was
collected is remembered beside the files: a second run has nothing to do, unless --collectstatic
always says so. --volume collects only into a volume: a folder that lies in the image, or in the
tree of the code, is left alone, and one that this user can't write is warned of.

Where the project has Compose files and Docker is there, it runs in a one-off container of the
backend; --local (or TIDEGATE_LOCAL=1) runs it here. `tidegate boot` does the same at each start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.container import mounts, static
from tidegate.container.boot import Boot
from tidegate.container.entry import Globals
from tidegate.container.gate import Gate, open_gate
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "jsonl")
OPTIONS = ("timeout", "collectstatic", "framework")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("collectstatic", glob, argv, environ)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        own, _, rest = split(argv, (), ("volume",))
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        why = _why_not(gate, settings, "volume" in own)
        if why:
            report.stage("static", "", why)
            return 0
        try:
            static.collect(
                gate.project, settings, report, one.deadline, signals, gate.sealed_static
            )
        except static.Unwritable as error:
            if "volume" not in own:
                raise
            report.warn("\n".join([error.what, error.meaning, f"next: {error.next}"]))
        return 0

    return guarded(report, work, "collectstatic", loads=True)


def _why_not(gate: Gate, settings: Mapping[str, str], volume: bool) -> str:
    """Return why nothing is collected, or an empty string."""
    if settings["collectstatic"] == "never":
        return "not collected: COLLECTSTATIC_ON_START=false switches it off"
    root = static.root_of(gate.project, gate.sealed_static)
    if not root:
        return "not collected: the project collects nothing (no STATIC_ROOT)"
    if volume and not mounts.shared(root, str(gate.project.root)):
        return f"not collected: {root} is on no volume of its own"
    return ""
