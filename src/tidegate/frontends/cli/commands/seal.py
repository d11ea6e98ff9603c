"""Write down at build time what the code knows of its steps, so that boot starts fast.

usage: RUN tidegate seal [--timeout SECONDS]      (in a Dockerfile, after the code is copied)

Needs no database and no secret. Writes tidegate.seal into the project's folder (or TIDEGATE_SEAL).
Variables that the settings insist on are made up; give what they won't take: RUN NAME=value
tidegate seal. It is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.container import seal
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.model.words import counted

FORMATS = ("text", "json")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        names = ("framework", "databases")
        asked, rest = settings_for(glob.root, environ, argv, (*names, "timeout"))
        if rest:
            raise UsageProblem(f"seal does not take {rest[0]}", "", "see tidegate seal --help")
        signals.restore()  # children are forked here; an interrupt may end us at once
        own = [one for one in argv if one.startswith("--timeout")]
        seconds = float(asked["timeout"]) if own else seal.PATIENCE
        # What is sealed are the settings of boot, whose --timeout is another.
        settings, _ = settings_for(glob.root, environ, [], ())
        settings.update({name: asked[name] for name in names})
        sealed = seal.seal(
            Path(glob.root),
            environ,
            settings,
            seconds,
            lambda text: report.stage("seal", "", text),
        )
        if glob.format == "json":
            answer(seal.as_json(sealed))
            return 0
        counts = ", ".join(f"{alias}: {counted(n, 'step')}" for alias, n in sealed.steps.items())
        report.stage("seal", sealed.framework, f"{counts}; written to {sealed.path}")
        if not sealed.fast:
            report.warn(f"boot will load the settings at each start: {sealed.why}")
        elif sealed.unsure:
            report.warn(
                f"boot will load the settings where {' or '.join(sealed.unsure)} is set: what "
                "they make of it can't be told; a value that is set while sealing is tried (it is "
                "not kept)"
            )
        if sealed.elsewhere:
            report.warn(
                f"static files are where {' and '.join(sealed.elsewhere)} will say, not set "
                "here: where one is set, boot will load the settings to look at them; set it "
                "before sealing (ENV in the Dockerfile)"
            )
        return 0

    return guarded(report, work, loads=True)
