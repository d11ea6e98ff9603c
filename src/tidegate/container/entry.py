"""The way in for `boot`: the global options by hand (argparse costs 10 ms), then the two ways."""

from __future__ import annotations

import os
import sys

from tidegate.container.fast import BOOT, attempt
from tidegate.container.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("text", "json", "jsonl", "github", "sarif", "markdown", "gitlab", "junit", "html")
TAKES_VALUE = {"--project": "project", "--env-file": "env_file", "-f": "files",
               "--file": "files", "--format": "format"}  # fmt: skip
SWITCHES = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose",
            "--no-color": "no_color"}  # fmt: skip


class Globals:
    """The options before the verb."""

    __slots__ = ("env_file", "files", "format", "no_color", "problem", "project", "quiet",
                 "verbose")  # fmt: skip

    def __init__(self) -> None:
        self.project = ""
        self.env_file = ""
        self.files: list[str] = []
        self.format = "text"
        self.quiet = False
        self.verbose = False
        self.no_color = False
        self.problem = ""

    @property
    def root(self) -> str:
        """The project's folder, absolute."""
        return os.path.abspath(self.project or os.environ.get("TIDEGATE_PROJECT", "") or ".")


def split_globals(argv: list[str]) -> tuple[Globals, str, list[str]]:
    """Split argv into the global options, the verb, and what follows the verb."""
    out = Globals()
    index = 0
    while index < len(argv):
        word = argv[index]
        if not word.startswith("-"):
            return out, word, argv[index + 1 :]
        flag, equals, value = word.partition("=")
        if flag in SWITCHES and not equals:
            setattr(out, SWITCHES[flag], True)
        elif flag in TAKES_VALUE:
            if not equals:
                index += 1
                if index >= len(argv):
                    out.problem = f"{flag} has no value"
                    return out, "", []
                value = argv[index]
            if TAKES_VALUE[flag] == "files":
                out.files.append(value)
            else:
                setattr(out, TAKES_VALUE[flag], value)
        else:
            return out, word, argv[index + 1 :]
        index += 1
    if out.format not in FORMATS:
        out.problem = f"--format is {out.format!r}; use one of: {', '.join(FORMATS)}"
    return out, "", []


def run_boot(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Boot: the fast path if it will do, else the long way. Returns only when it failed."""
    if "--format" in argv:  # also taken after the verb, where people write it
        at = argv.index("--format")
        if at + 1 < len(argv) and (("--" not in argv) or at < argv.index("--")):
            glob.format = argv[at + 1]
            argv = argv[:at] + argv[at + 2 :]
    report = Report(glob.format, glob.quiet)
    if glob.format not in ("text", "jsonl"):
        report = Report("text")
        report.error([f"boot has no --format {glob.format}", "  next: use text or jsonl"], 2)
        return 2
    _quiet_end()
    held: dict[str, object] = {}
    why = attempt(glob.root, argv, report, began, held)
    if glob.verbose:
        report.stage("gate", "", f"the long way: {why}")
    from tidegate.container.running import guarded

    return guarded(
        report, lambda signals: _long_way(glob, argv, began, environ, report, signals, held), "boot"
    )


def _quiet_end() -> None:
    """As PID 1 a process has no default action for SIGTERM: give it one until the long way."""
    import _signal  # type: ignore[import-not-found]

    def end(number: int, frame: object) -> None:
        os._exit(128 + number)

    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, end)


def _long_way(
    glob: Globals,
    argv: list[str],
    began: float,
    environ: Mapping[str, str],
    report: Report,
    signals: object,
    held: dict[str, object],
) -> int:
    from pathlib import Path

    from tidegate.container.boot import Boot, boot, start
    from tidegate.container.running import settings_for
    from tidegate.container.signals import Signals
    from tidegate.errors import UsageProblem

    settings, rest = settings_for(glob.root, environ, argv, BOOT)
    if rest[:1] != ["--"] or len(rest) < 2:
        raise UsageProblem(
            "boot has no command to become",
            "It ends by turning into the app.",
            "write it after two dashes: tidegate boot -- gunicorn project.wsgi",
        )
    assert isinstance(signals, Signals)
    one = Boot(Path(glob.root), environ, settings, report, signals, began, held, rest[1])
    if settings["startup_port"]:
        from tidegate.container.health.starting import answering_on

        with answering_on(int(settings["startup_port"]), report, environ):
            boot(one, rest[1:])
    else:
        boot(one, rest[1:])
    for tell in report.listeners:
        getattr(tell, "write", lambda code: None)(0)
    sys.stdout.flush()
    start(one, rest[1:])
    return 0
