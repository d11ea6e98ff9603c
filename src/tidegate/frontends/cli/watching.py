"""`tidegate make --watch` and `--squash`: the options, and the question at the end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate import discovery
from tidegate import settings as options
from tidegate.container.entry import Globals
from tidegate.errors import Stopped, UsageProblem
from tidegate.frontends.cli.outside import Option
from tidegate.workflows.make import Making, Wanted, review
from tidegate.workflows.watching import folding, guard, story, temporary

OPTIONS = (Option("--watch"), Option("--squash"))
OTHERS = ("--empty", "--merge", "--renumber")
CALLED = "TIDEGATE_PRODUCTION"


def wanted(found: Mapping[str, str]) -> bool:
    """Whether one of these was asked for. Raises UsageProblem for what does not go together."""
    if "--watch" not in found and "--squash" not in found:
        return False
    asked = "--watch" if "--watch" in found else "--squash"
    for other in OTHERS:
        if other in found:
            raise UsageProblem(f"{asked} and {other} don't go together", "", "leave one out")
    if "--squash" in found and not found.get("--message") and not _terminal():
        raise UsageProblem(
            "--squash needs a message",
            "It becomes the name of the migration that is left.",
            f'tidegate make {asked} {"--squash " if asked == "--watch" else ""}-m "add rooms"',
        )
    return True


def run(
    glob: Globals, one: Making, found: Mapping[str, str], environ: Mapping[str, str], said: Wanted
) -> int:
    """Watch until a signal, then fold where that is asked for; or fold what is there."""
    environment = found.get("--env", "") or environ.get("TIDEGATE_ENV", "")
    story.refuse_production(one, _marks(glob, one, environment, environ), environment)
    if "--watch" not in found:
        return _fold(glob, one, found.get("--message", "") or _message(1))
    said.message, said.lenient = story.NAME, True
    number = story.watch(story.Watching(one, said))
    _mind_the_second_signal()
    left = temporary.found(one)
    if left:
        names = ", ".join(step.path.name for step in left)
        one.tell.stage(story.NAME, "", f"ended; applied and temporary: {names}")
    else:
        one.tell.stage(story.NAME, "", "ended; no temporary migration is left")
    message = found.get("--message", "") if "--squash" in found else ""
    if left and not message and number == signal.SIGINT and _terminal():
        message = _message(len(left))
    if left and message:
        return _fold(glob, one, message)
    if left:
        one.tell.stage("next", "", 'tidegate make --squash -m "what changed"')
    return 0 if number == signal.SIGINT else Stopped(number).exit_code


def _marks(
    glob: Globals, one: Making, environment: str, environ: Mapping[str, str]
) -> list[tuple[str, bool]]:
    """Return where it is said that the database is production's, or that it is not."""
    try:
        own = options.table(str(Path(glob.root)), "make")
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    unknown = sorted(set(own) - {guard.SETTING})
    if unknown:
        raise UsageProblem(
            f"[tool.tidegate.make] has {unknown[0]}, which is not a setting of tidegate", "",
            f"use {guard.SETTING}",
        )  # fmt: skip
    told = {each.name: each for each in one.target.told} if one.target else {}
    places = [(f"{guard.SETTING} under [tool.tidegate.make]", own.get(guard.SETTING, ""))]
    if guard.SETTING in told:
        each = told[guard.SETTING]
        places.append((f"{guard.SETTING} ({each.source})", each.value))
    places.append((CALLED, environ.get(CALLED, "")))
    out = [(where, guard.word(value, where)) for where, value in places]
    return [(where, value) for where, value in out if value is not None]


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _mind_the_second_signal() -> None:
    """The first one ended the watch; from here on Ctrl-C leaves what is asked."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _message(number: int) -> str:
    """Ask for the message of the one migration; empty where they shall stay."""
    many = f"the {number} temporary migrations" if number > 1 else "the temporary migration"
    print(f"one migration in place of {many}; what does it do? (empty: not now) ",
          end="", file=sys.stderr, flush=True)  # fmt: skip
    try:
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return ""


def _fold(glob: Globals, one: Making, message: str) -> int:
    if not message:
        return 0
    try:
        done = folding.fold(one, message)
    except KeyboardInterrupt:
        one.tell.stage("undo", "", "stopped; the temporary migrations are as they were")
        return 130
    root = Path(glob.root).resolve()
    gone, created = (
        [_relative(path, root) for path in paths] for paths in (done.gone, done.created)
    )
    said = review(one.folder, done.created) if done.created else None
    if glob.format == "json":
        listed = [each.document() for each in said.findings] if said else []
        print(json.dumps({"created": created, "replaced": gone, "sql": list(done.sql),
                          "findings": listed}, indent=2))  # fmt: skip
        return 0
    print("\n".join(f"removed {name}" for name in gone))
    print("\n".join(f"created {name}" for name in created) or
          "created nothing: the models are what they were before")  # fmt: skip
    if done.sql:
        print("\n".join(f"  {line}" for line in done.sql))
    if said and said.findings:
        print(discovery.reporter("text").render(said, colour=False))
    return 0


def _relative(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root).as_posix()
    except ValueError:
        return str(path)
