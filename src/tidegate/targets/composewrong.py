"""Why Compose can't read a project's configuration, and what to type about it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tidegate.errors import UsageProblem
from tidegate.process import Result
from tidegate.targets.composeargs import Words
from tidegate.targets.composeengine import last_line

REQUIRED = re.compile(r"required variable (\w+) is missing a value")
ENV_LINE = re.compile(r'line (\d+): .* in variable name "(.*)"')
_ENDLESS = re.compile(r"out of memory|cannot allocate memory|it took longer than")
NO_ENV_FILE = re.compile(r"env file (.+?) not found")


def explained(words: Words, done: Result) -> UsageProblem:
    """Return what the user can do about a configuration that Compose does not read."""
    silent = not (done.err + done.why).strip()  # ended by a signal of its bounds
    if silent or _ENDLESS.search(done.err + done.why):
        return UsageProblem(
            "Compose took too much memory or time to read the project's configuration",
            "Its reading was ended at 2 GB or 20 s of work: anchors of a file repeat each other, "
            "or contain themselves.",
            "tidegate doctor names the line",
        )
    example = next(
        (name for name in (".env.example", ".env.sample", ".env.dist", "env.example")
         if (words.root / name).is_file() and not (words.root / ".env").is_file()), "",
    )  # fmt: skip
    advice = "correct the file; `" + words.config("--quiet").shown() + "` says the same"
    if absent := NO_ENV_FILE.search(done.err):
        return without_env_file(Path(absent[1]), words.root)
    missing = REQUIRED.search(done.err)
    if missing:
        advice = f"give it a value: {missing[1]}=... in {words.root / '.env'}, or export it"
    line = ENV_LINE.search(done.err)
    if line:
        names = _with_line(words, int(line[1]), line[2])
        place = " or ".join(names) or "the env file"
        advice = f"correct line {line[1]} of {place}: a quote ends with the sign it begins with"
    if example:
        advice = f"there is no .env: copy {example} to .env and fill it in"
    return UsageProblem(
        "Compose can't read the project's configuration",
        last_line(done.err) or done.why,
        advice,
    )


def without_env_file(path: Path, root: Path) -> UsageProblem:
    """Return what to do about a file that `env_file` of a service names."""
    shown = os.path.relpath(path, root)
    known = [f"{path.name}{end}" for end in (".example", ".sample", ".dist", ".template")]
    example = next((name for name in [*known, "env.example", "example.env"]
                    if (path.parent / name).is_file()), "")  # fmt: skip
    return UsageProblem(
        f"there is no {shown}, which env_file of a service names",
        "Compose starts nothing without it.",
        f"copy {os.path.join(os.path.dirname(shown), example)} to {shown} and fill it in"
        if example
        else f"write {shown}, one NAME=value a line, or take it out of env_file",
    )


def _with_line(words: Words, number: int, fragment: str) -> list[str]:
    """Return the env files with such a line: Compose says the number, and not of which."""
    found = []
    for path in sorted({*words.root.glob(".env*"), *words.root.rglob("*.env"),
                        *(words.root / name for name in words.env_files)}):  # fmt: skip
        try:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            continue
        if number <= len(lines) and fragment.split("\\n")[0] in lines[number - 1]:
            found.append(os.path.relpath(path, words.root))
    return found
