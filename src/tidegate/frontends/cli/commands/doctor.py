"""Find what will break when the containers start, and mend it.

usage: tidegate doctor [--fix [--yes]] [--error TEXT|-] [--live] [--import]
                       [--fail-on error|warning|info]

Reads Compose files, Dockerfiles, entrypoint scripts, .env files, settings, Celery's configuration,
migrations, deployment scripts and Kubernetes manifests together.
A finding names the two places that contradict each other, the error that follows, and the mend.

--fix     shows the smallest edits that mend what can be mended, and makes them when you agree
--yes     agrees beforehand
--error   says which of the findings explain an error text; `-` reads it, or a log, from stdin
--live    asks the container engine too: restarts, exit codes, memory, volumes, disk
--import  loads the settings, or env.py, in a one-off container of each service (without containers,
          with the project's own Python): what the files leave open is decided by the values
--fail-on the lowest severity that makes the exit code 1 (default: error)

A comment `tidegate: allow RULE` on a line, or above it, lets a finding be; so does
`ignore = ["RULE"]` under [tool.tidegate.doctor].
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES


@dataclass
class Options:
    """What the flags say."""

    fix: bool = False
    yes: bool = False
    live: bool = False
    load: bool = False
    error: str = ""
    fail_on: str = "error"
    ignore: list[str] = field(default_factory=list)


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        options = _options(glob.root, argv)
        _needs_extra()
        from tidegate.frontends.cli import doctoring

        return doctoring.run(glob, options, environ)

    return guarded(report, work)


def _options(root: str, argv: list[str]) -> Options:
    from tidegate import settings

    if not Path(root).is_dir():
        raise UsageProblem(
            f"{root} is not a folder", "", "name the project's folder with --project DIR"
        )
    try:
        table = settings.table(root, "doctor")
    except settings.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    out = Options(fail_on=str(table.get("fail-on", "error")))
    ignore = table.get("ignore", [])
    out.ignore = [str(one) for one in ignore] if isinstance(ignore, list) else [str(ignore)]
    words = list(argv)
    while words:
        word, equals, value = words.pop(0).partition("=")
        if word in ("--error", "--fail-on"):
            if not equals and not words:
                raise UsageProblem(f"{word} has no value", "", f"write {word} VALUE")
            setattr(out, word[2:].replace("-", "_"), value if equals else words.pop(0))
        elif word == "--import" and not equals:
            out.load = True
        elif word in ("--fix", "--yes", "--live") and not equals:
            setattr(out, word[2:], True)
        else:
            raise UsageProblem(f"doctor does not take {word}", "", "see tidegate doctor --help")
    if out.fail_on not in SEVERITIES:
        raise UsageProblem(
            f"--fail-on is {out.fail_on!r}", "", "use one of: " + ", ".join(SEVERITIES)
        )
    if out.error == "-":
        out.error = sys.stdin.read()
        if not out.error.strip():
            out.error, out.live = "", True
            print(
                "tidegate  doctor  nothing came in: a container that never ran has no log, "
                "so the engine is asked",
                file=sys.stderr,
            )
    return out


def _needs_extra() -> None:
    try:
        import tree_sitter_bash  # noqa: F401  (both are asked for before any work)
        import yaml  # noqa: F401
    except ImportError as error:
        raise UsageProblem(
            f"doctor needs the package {error.name}, which is not installed",
            "It reads YAML with positions and parses shell scripts; tidegate itself needs nothing.",
            "pip install 'tidegate[doctor]', or: uvx --from 'tidegate[doctor]' tidegate doctor",
        ) from None
