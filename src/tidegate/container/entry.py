"""The way in for `boot`: the global options by hand (argparse costs 10 ms), then the two ways."""

from __future__ import annotations

import os
import sys

from tidegate.container.fast import BOOT, attempt
from tidegate.container.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.errors import UsageProblem

FORMATS = ("text", "json", "jsonl", "github", "sarif", "markdown", "gitlab", "junit", "html")
TAKES_VALUE = {"--project": "project", "--env-file": "env_file", "-f": "files",
               "--file": "files", "--format": "format"}  # fmt: skip
LATER = {"--format": "format", "--env-file": "env_file"}  # taken after the verb as well
SWITCHES = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose",
            "--no-color": "no_color"}  # fmt: skip


class Globals:
    """The options before the verb."""

    __slots__ = ("env_file", "files", "format", "next", "no_color", "problem", "project", "quiet",
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
        self.next = "see tidegate --help"

    @property
    def env_path(self) -> str:
        """Where the env file is that was named; nothing where none was."""
        return located(self.root, self.env_file) if self.env_file else ""

    @property
    def root(self) -> str:
        """The project's folder, absolute."""
        try:
            return os.path.abspath(self.project or os.environ.get("TIDEGATE_PROJECT", "") or ".")
        except FileNotFoundError:  # another release was put in its place, say
            text = "tidegate  error   the folder that this was started in is gone\n"
            os.write(2, f"{text}{'':18}next: cd into the project's folder again\n".encode())
            raise SystemExit(2) from None


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
    return out, "", []


def take_globals(glob: Globals, words: list[str]) -> list[str]:
    """Take the global options out of what follows the verb, up to `--`: people write them there.

    `-f` and `--file` are left: what they mean is the verb's business.
    """
    end = words.index("--") if "--" in words else len(words)
    left: list[str] = []
    index = 0
    while index < end:
        word = words[index]
        flag, equals, value = word.partition("=")
        if word in SWITCHES:
            setattr(glob, SWITCHES[word], True)
        elif flag in LATER and (equals or index + 1 < end):
            index += 0 if equals else 1
            setattr(glob, LATER[flag], value if equals else words[index])
        else:
            left.append(word)
        index += 1
    return left + words[end:]


def check_globals(glob: Globals) -> None:
    """Note as the problem what can't be meant: a format that is none, a file that is not there."""
    if glob.problem:
        return
    if glob.format not in FORMATS:
        glob.problem = f"--format is {glob.format!r}"
        glob.next = f"use one of: {', '.join(FORMATS)}"
    for flag, path in (("--env-file", glob.env_file), *(("-f", name) for name in glob.files)):
        if path and path != "-" and not os.path.exists(located(glob.root, path)):
            glob.problem = f"{flag} {path}: there is no such file"
            glob.next = f"correct the name; it is looked for in {glob.root}"


def located(root: str, path: str) -> str:
    """Return where a file that the command line names is: in the project's folder, or in ours."""
    inside = os.path.join(root, path)
    return inside if os.path.exists(inside) else path


def run_boot(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Boot: the fast path if it will do, else the long way. Returns only when it failed."""
    argv = take_globals(glob, argv)
    check_globals(glob)
    if not glob.problem and glob.format not in ("text", "jsonl"):
        glob.problem, glob.next = f"boot has no --format {glob.format}", "use text or jsonl"
    if glob.problem:
        Report("text").error([glob.problem, f"  next: {glob.next}"], 2)
        return 2
    report = Report(glob.format, glob.quiet)
    _quiet_end()
    held: dict[str, object] = {}
    if glob.env_file:
        from tidegate.container.envfile import with_file
        from tidegate.errors import UsageProblem

        try:
            environ = with_file(glob.env_path, environ)
        except UsageProblem as error:
            report.error(error.lines(), error.exit_code)
            return error.exit_code
    why = attempt(glob.root, argv, report, began, held)
    if glob.verbose:
        report.stage("gate", "", f"the long way: {why}")
    from tidegate.container.running import guarded

    return guarded(
        report, lambda signals: _long_way(glob, argv, began, environ, report, signals, held),
        "boot", loads=True,
    )  # fmt: skip


def _no_command(rest: list[str]) -> UsageProblem:
    from tidegate.container.typos import meant
    from tidegate.errors import UsageProblem
    from tidegate.settings import BY_FLAG

    word = rest[0] if rest[:1] != ["--"] and rest else ""
    if word.startswith("-"):
        guess = meant(word, [*(one for one in BY_FLAG), *SWITCHES, *TAKES_VALUE])
        return UsageProblem(
            f"boot has no option {word}", "",
            f"is {guess} meant? " * bool(guess) + "See tidegate boot --help",
        )  # fmt: skip
    return UsageProblem(
        "boot has no command to become",
        "It ends by turning into the app.",
        f"write two dashes before it: tidegate boot ... -- {' '.join(rest)}" if word
        else "write it after two dashes: tidegate boot -- gunicorn project.wsgi",
    )  # fmt: skip


def _quiet_end() -> None:
    """As PID 1 a process has no default action for SIGTERM: give it one until the long way.

    What whoever started us has ignored (`nohup`, a shell's `&`) stays so, for the command too.
    """
    import _signal  # type: ignore[import-not-found]

    def end(number: int, frame: object) -> None:
        os._exit(128 + number)

    for number in (_signal.SIGTERM, _signal.SIGINT):
        if _signal.getsignal(number) != _signal.SIG_IGN:
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

    settings, rest = settings_for(glob.root, environ, argv, BOOT)
    if rest[:1] != ["--"] or len(rest) < 2:
        raise _no_command(rest)
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
