"""A dollar sign in a value is taken for a variable.

Compose replaces `$NAME` in `.env` files and in its own files, by nothing where NAME is not set: a password such as `pa$word` arrives as `pa`.
python-dotenv and django-environ leave the same line alone, so it works on a laptop and not in the container.
Single quotes keep the dollar in a `.env` file, `$$` keeps it in a Compose file.
It is silent for `${NAME}`, which is written on purpose, for a flag's value, and for names that are set or written on purpose elsewhere in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import dotenv
from tidegate.reading.project.composefiles import Stack, Unset
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"The (\\?\")?\w+(\\?\")? variable is not set",
    r"password authentication failed for user",
    r"Access denied for user",
)
PRINTED = 'The "word" variable is not set. Defaulting to a blank string.'
WHEN = "at every `docker compose` command as a warning; at the login as a wrong password"
BAD = {
    ".env": "POSTGRES_PASSWORD=pa$word\n",
    "compose.yaml": "services:\n  db:\n    image: postgres:16\n    env_file: .env\n",
}
GOOD = {**BAD, ".env": "POSTGRES_PASSWORD='pa$word'\n"}
AT = ".env:1"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield values of .env files and Compose files that lose a part at a dollar."""
    for stack in project.stacks:
        yield from _in_files(project, stack)
        meant = {one.name for one in stack.unset if _alone(one)}
        for one in stack.unset:
            raw = one.item.raw
            if (
                not one.required
                and one.name not in meant
                and re.search(r"\w\$" + one.name + r"(?!\w)", raw)
                and _secret_like(one)
            ):
                yield Problem(
                    one.item.place,
                    "Compose takes the part of this value behind its $ for a variable, which nothing sets: the value is cut there.",
                    "write $$ in place of $",
                    (),
                    _doubled(project, one),
                )


def _in_files(project: ProjectFiles, stack: Stack) -> Iterable[Problem]:
    env_files = [
        path for one in project.services if one.stack is stack for path, _, _ in one.env_file_paths
    ]
    for path in dict.fromkeys([stack.env_file, *env_files]):
        text = project.read(path) if path else None
        if text is None:
            continue
        known = {
            **project.environ,
            **({} if path == stack.env_file else {n: v.value for n, v in stack.variables.items()}),
        }
        for variable in dotenv.read(text, environ=known).values():
            bare = [name for name in variable.unset if "${" + name not in variable.raw]
            if not bare:
                continue
            quoted = "'" + variable.raw + "'"
            yield Problem(
                Place(path, variable.line),
                f"Compose takes a part of {variable.name} for a variable, which nothing sets: the value is cut at its $.",
                f"put the value of {variable.name} into single quotes",
                _used(stack, path, variable.name),
                (Edit(path, variable.start, variable.end, quoted),)
                if "'" not in variable.raw
                else (),
            )


def _used(stack: Stack, path: str, name: str) -> tuple[Place, ...]:
    """Return where the file's variable is asked for: its own place, or the whole file's."""
    asked = re.compile(r"\$\{?" + name + r"(?!\w)")
    for one in stack.tree.scalars():
        if asked.search(one.raw) or (one.text and one.text.removeprefix("./") == path):
            return (one.place,)
    return ()


def _alone(one: Unset) -> bool:
    """Whether it is the whole value, or in braces: then the name is a variable's elsewhere too."""
    return one.item.raw.strip() == "$" + one.name or "${" + one.name in one.item.raw


def _secret_like(one: Unset) -> bool:
    """A lone variable inside a path or a URL, or behind a flag, is meant; part of a word is not."""
    return "${" + one.name not in one.item.raw and not re.search(
        r"([/:@.-]|\s-\w)\$" + one.name, one.item.raw
    )


def _doubled(project: ProjectFiles, one: Unset) -> tuple[Edit, ...]:
    text = project.read(one.item.path) or ""
    at = text.find("$" + one.name, one.item.start, one.item.end)
    return (Edit(one.item.path, at, at, "$"),) if at >= 0 else ()
