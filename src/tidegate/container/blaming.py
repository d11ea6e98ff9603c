"""An error out of the project's own code, in words: what it says, and which line it came from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from tidegate.container.report import masked
from tidegate.errors import RefusedForGood, TidegateError, UsageProblem
from tidegate.model.masking import of_environ

MOST = 12  # lines of the error's own text
DRIVERS = {
    "psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary", "asyncpg": "asyncpg",
    "pg8000": "pg8000", "aiosqlite": "aiosqlite", "MySQLdb": "mysqlclient", "pymysql": "pymysql",
    "aiomysql": "aiomysql", "asyncmy": "asyncmy", "mariadb": "mariadb", "oracledb": "oracledb",
}  # fmt: skip
# pydantic repeats the whole input, which is the whole environment; it is cut off in the middle.
_INPUT = re.compile(r"input_value=.*, input_type=")


def blamed(
    error: Exception, own: str, secrets: tuple[str, ...], environ: Mapping[str, str]
) -> TidegateError | None:
    """Return the error as one of ours, or None where none but tidegate's code (`own`) is in it."""
    driver = missing_driver(error)
    if driver:
        return no_driver(driver)
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    outside = [one for one in frames if not os.path.abspath(one.filename).startswith(own)]
    if not outside:
        return None
    theirs = [
        one for one in outside if not _is_library(one.filename) and os.path.isfile(one.filename)
    ]  # compiled code names no file that is there
    where = _syntax(error) or next(
        (
            f"{one.filename}, line {one.lineno}, in {one.name}"
            for one in reversed(theirs or [one for one in outside if one.filename[:1] != "<"])
        ),
        "",
    )
    first, *more = said(error, (*secrets, *of_environ(environ)))
    return UsageProblem(
        f"the project can't be loaded: {first}",
        "\n".join([*more, *([where] if where else [])]),
        "correct it; the same error comes from the framework's own commands",
    )


def said(error: Exception, secrets: tuple[str, ...]) -> list[str]:
    """Return the error's type and whole text, without secrets, in at most MOST lines."""
    text = _INPUT.sub("input_value=…, input_type=", f"{type(error).__name__}: {error}")
    lines = [line.rstrip() for line in masked(text, secrets).splitlines() if line.strip()]
    if len(lines) <= MOST:
        return lines
    return [*lines[: MOST - 1], f"… and {len(lines) - MOST + 1} more lines"]


def missing_driver(error: BaseException) -> str:
    """Return the name of the database driver whose import failed; nothing where none did."""
    for one in _chain(error):
        name = (getattr(one, "name", None) or "").split(".")[0]
        if isinstance(one, ImportError) and name in DRIVERS:
            return name
        if isinstance(one, ImportError) and "no pq wrapper available" in str(one):
            return "psycopg"
        if "Error loading psycopg" in str(one):
            return "psycopg"
    return ""


def no_driver(name: str) -> RefusedForGood:
    """Return the refusal of a database that this Python has no driver for."""
    return RefusedForGood(
        f"the database driver {name} is not installed for this Python",
        "The framework can't reach the database without it. Nothing was changed.",
        f"pip install {DRIVERS.get(name, name)}    (in the image: with the app's requirements)",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _syntax(error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    return ""


def _is_library(path: str) -> bool:
    return any(mark in path for mark in ("site-packages", "<frozen", f"{os.sep}lib{os.sep}python"))
