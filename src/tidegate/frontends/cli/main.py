"""The command line: the global options, then one module of `commands` a verb."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Any

from tidegate._version import __version__
from tidegate.container.entry import (
    FORMATS,
    SWITCHES,
    TAKES_VALUE,
    Globals,
    check_globals,
    split_globals,
    take_globals,
)
from tidegate.container.typos import meant
from tidegate.frontends.cli import commands
from tidegate.frontends.cli.console import readable

MOMENTS = {
    "adopt": ("init", "doctor", "adopt"),
    "review": ("make", "check", "rule", "rules"),
    "rehearse": ("plan", "apply", "approve"),
    "ship": ("up", "migrate", "run", "superuser", "logs", "settings"),
    "start": ("boot", "wait", "seal", "health"),
    "observe": ("status", "history"),
    "go back": ("backup", "restore", "rollback"),
}  # of the help page; a verb that is not here stands under "more"
WITHOUT_PROJECT = ("boot", "health", "wait")  # they may run where the code can't be listed


def names() -> list[str]:
    """Return every verb, without importing one: what a verb imports, no other should wait for."""
    return sorted(found.name for found in pkgutil.iter_modules(commands.__path__))


def verbs() -> dict[str, str]:
    """Return every verb, with the first line of its help."""
    return {name: (_module(name).__doc__ or "").splitlines()[0] for name in names()}


def _module(name: str) -> Any:
    return importlib.import_module(f"tidegate.frontends.cli.commands.{name}")


def main(argv: list[str], began: float) -> int:
    """Run one verb; return its exit code."""
    readable()
    glob, verb, rest = split_globals(argv)
    if glob.problem:
        return _wrong(glob.problem, glob.next)
    if verb in ("--version", "version"):
        print(f"tidegate {__version__}")
        return 0
    if verb in ("", "-h", "--help", "help"):
        print(usage())
        return 0 if verb else 2
    known = names()
    if verb not in known:
        return _unknown(verb, known)
    module = _module(verb)
    before_command = rest[: rest.index("--")] if "--" in rest else rest
    if "-h" in before_command or "--help" in before_command:
        print(module.__doc__.strip())
        return 0
    rest = take_globals(glob, rest)
    check_globals(glob)
    taken = getattr(module, "FORMATS", FORMATS)
    if not glob.problem and glob.format not in taken:
        glob.problem = f"{verb} has no --format {glob.format}"
        glob.next = f"use {' or '.join(taken)}"
    if glob.problem:
        return _wrong(glob.problem, glob.next)
    if verb not in WITHOUT_PROJECT and _closed(glob.root):
        return _wrong(
            f"the project's folder {glob.root} can't be read by this user",
            "let the user read and enter it (chmod u+rx), or run as one who may",
        )
    code: int = module.run(glob, rest, began, dict(os.environ))
    return code


def _unknown(word: str, known: list[str]) -> int:
    options = [*TAKES_VALUE, *SWITCHES, "--version", "--help"]
    if word.startswith("-"):
        guess = meant(word, options)
        what = f"{word} is not an option before a command"
    else:
        guess = meant(word, known)
        what = f"{word} is not a command"
    if guess:
        return _wrong(what, f"did you mean: tidegate {guess}")
    return _wrong(what, "use one of: " + ", ".join(known))


def _closed(root: str) -> bool:
    """Whether the folder is there, and is not for us to list."""
    return os.path.isdir(root) and not os.access(root, os.R_OK | os.X_OK)


def usage() -> str:
    """Return the help page: the verbs in the order in which a change lives through them."""
    left = verbs()
    formats = "text|json|jsonl|github|sarif|markdown|gitlab|junit|html"
    lines = [
        "usage: tidegate [--project DIR] [--env-file FILE] [-f COMPOSE_FILE ...]",
        f"                [--format {formats}]",
        "                [-q|-v] [--no-color] COMMAND",
        "",
        "Takes a Django or Alembic backend from changed code to running, migrated and healthy,",
        "and back.",
    ]
    for moment, names in MOMENTS.items():
        known = {name: left.pop(name) for name in names if name in left}
        lines += ["", moment, *_listed(known)] if known else []
    lines += ["", "more", *_listed(left)] if left else []
    return "\n".join([*lines, "", "tidegate COMMAND --help says more."])


def _listed(some: dict[str, str]) -> list[str]:
    return [f"  {name:<10} {text}" for name, text in some.items()]


def _wrong(what: str, next: str) -> int:
    print(f"tidegate  error   {what}\n                  next: {next}", file=sys.stderr)
    return 2


__all__ = ["Globals", "main", "usage", "verbs"]
