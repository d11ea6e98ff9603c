"""What the verbs of the outside share: their options, their target, errors as exit codes."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from tidegate import discovery
from tidegate import settings as options
from tidegate._version import __version__
from tidegate.container.entry import Globals
from tidegate.container.origin import handed_on
from tidegate.container.report import Report, masked
from tidegate.container.typos import meant
from tidegate.contracts.target import Ambiguous, Asked, Target
from tidegate.errors import Stopped, TidegateError, UsageProblem
from tidegate.frontends.cli.again import completed
from tidegate.model.command import line

WATCHED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a verb: a switch, or one that takes a value. `short` is its other spelling."""

    name: str
    value: bool = False
    short: str = ""


TARGET = (Option("--env", True), Option("--service", True))


def parse(
    verb: str, argv: Sequence[str], known: Sequence[Option], words: int = 0
) -> tuple[dict[str, str], list[str]]:
    """Split argv into options and words; a word after `--` is never an option.

    Raises UsageProblem for an option that the verb doesn't know, or for more than `words` words.
    """
    by_name = {name: one for one in known for name in (one.name, one.short) if name}
    found: dict[str, str] = {}
    rest: list[str] = []
    index = 0
    while index < len(argv):
        word = argv[index]
        if word == "--":
            return found, rest + list(argv[index:])
        flag, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            rest.append(word)
        elif flag not in by_name or (equals and not by_name[flag].value):
            raise unknown(verb, word, by_name)
        elif not by_name[flag].value:
            found[by_name[flag].name] = "yes"
        else:
            if not equals:
                index += 1
                if index >= len(argv):
                    raise UsageProblem(f"{flag} has no value", "", f"write {flag} VALUE")
                value = argv[index]
            found[by_name[flag].name] = value
        index += 1
    if len(rest) > words:
        raise unknown(verb, rest[words])
    return found, rest


def unknown(verb: str, word: str, known: Iterable[str] = ()) -> UsageProblem:
    """Return the error for a word that a verb does not take, with the option that is near."""
    near = meant(word.partition("=")[0], known)
    guess = f"did you mean {near}? " if near else ""
    return UsageProblem(f"{verb} does not take {word}", "", f"{guess}see tidegate {verb} --help")


def asked_of(glob: Globals, found: Mapping[str, str], values: Mapping[str, str]) -> Asked:
    """Return what the command line says about the target."""
    return Asked(
        files=tuple(glob.files),
        env_files=(glob.env_file,) if glob.env_file else (),
        environment=found.get("--env", ""),
        service=found.get("--service", ""),
        values=values,
    )


def target_of(
    glob: Globals, asked: Asked, environ: Mapping[str, str], need_backend: bool = True
) -> Target:
    """Return the project's target. At a terminal, what is ambiguous is asked."""
    root = Path(glob.root)
    if not root.is_dir():
        raise UsageProblem(
            f"{root} is not a folder", "", "name the project's folder with --project DIR"
        )
    environment = asked.environment or environ.get("TIDEGATE_ENV", "")
    asked = replace(asked, environment=environment)
    try:
        tables = (options.table(str(root), "compose"), options.table(str(root), "environments"))
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    found = _found(root, asked, tables, {**environ, "TIDEGATE_ORIGIN": handed_on(environ)})
    if found is None:
        raise UsageProblem(
            f"no Compose file was found at {root}",
            "tidegate looks for compose.yaml and docker-compose.yml, for files named after an "
            "environment (docker-compose.local.yml), and in folders such as docker/ and deploy/.",
            "run it in the project's folder, or name the file: tidegate -f FILE ...\n"
            "or have the files written for it: tidegate init",
        )
    if need_backend and not found.backend:
        raise _no_backend(root, found)
    return found


def _no_backend(root: Path, found: Target) -> UsageProblem:
    """Return what to name: the service, or the files that hold it."""
    named = next((one.value.split() for one in found.told if one.name == "files"), [])
    others = [one.name for one in sorted(root.glob("*compose*.y*ml")) if one.name not in named]
    meaning = f"The services are: {', '.join(one.name for one in found.services)}."
    advice = (
        'name the backend with --service, or with service = "..." under [tool.tidegate.compose] in '
        "pyproject.toml"
    )
    if others:
        both = line([word for name in [*named, others[0]] for word in ("-f", name)])
        meaning += f" They are those of {', '.join(named)}; there is {', '.join(others)} too."
        advice = (
            f"name the files together: tidegate {both} ...\n"
            f"or write files = {json.dumps([*named, others[0]])} under [tool.tidegate.compose] in "
            f"pyproject.toml\nor {advice}"
        )
    return UsageProblem("no service's image holds manage.py or alembic.ini", meaning, advice)


def _found(root: Path, asked: Asked, tables: Any, environ: Mapping[str, str]) -> Target | None:
    while True:
        try:
            found: Target | None = discovery.target(root, asked, tables, environ)
            return found
        except Ambiguous as error:
            if not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            answer = _choose(error)
            asked = replace(
                asked,
                files=answer.files or asked.files,
                service=answer.service or asked.service,
            )


def _choose(error: Ambiguous) -> Asked:
    print(error.what, file=sys.stderr)
    for number, (label, _) in enumerate(error.choices, 1):
        print(f"  {number}  {label}", file=sys.stderr)
    print("which? ", end="", file=sys.stderr, flush=True)
    word = sys.stdin.readline().strip()
    for number, (label, answer) in enumerate(error.choices, 1):
        if word in (str(number), label):
            return answer
    raise error


def guesses(target: Target, report: Report) -> None:
    """Say once what was guessed."""
    words = [
        f"{one.name} {one.value} ({one.source})"
        for one in target.told
        if one.guessed and one.value and one.name in ("files", "service", "migrations")
        and not (one.name == "migrations" and one.value == target.backend)
    ]  # fmt: skip
    if words:
        report.stage("found", "", "; ".join(words))


def is_noise(text: str) -> bool:
    """Whether a line is Compose's own complaint that old files say their version, at each call."""
    return "attribute `version` is obsolete" in text


def guarded(report: Report, work: Callable[[], int], glob: Globals, argv: Sequence[str]) -> int:
    """Run `work`; turn what it raises into lines and the contract's exit code.

    `glob` and `argv` are what was typed: the commands that an error tells of name the same target.
    """
    _watch()
    try:
        return work()
    except Stopped as stop:
        stands = f": {stop.stands}" if stop.stands else ""
        report.stage("stop", "", f"signal {stop.signum}{stands}")
        return stop.exit_code
    except BrokenPipeError:
        raise  # `| head` has seen enough: __main__ ends for all verbs alike
    except TidegateError as error:
        completed(error, glob, argv)
        report.error(error.lines(), error.exit_code)
        return error.exit_code
    except Exception as error:
        text = masked(f"{type(error).__name__}: {error}", report.secrets)
        log = f"A log that can be pasted into an issue: {_log(error, report)}"
        report.error([f"a bug in tidegate: {text}", f"  {log}"], 70)
        return 70


def _watch() -> None:
    """Turn the first signal into Stopped; a second one must not break what is being undone."""
    seen: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not seen:
            seen.append(number)
            raise Stopped(number)

    for name in WATCHED:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def _log(error: Exception, report: Report) -> str:
    lines = "".join(traceback.format_exception(error))
    head = f"tidegate {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    with tempfile.NamedTemporaryFile(
        "w", prefix="tidegate-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.write(head + "```\n" + masked(lines, report.secrets) + "```\n")
    return file.name
