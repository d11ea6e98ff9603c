"""A percent sign in the database URL stops Alembic's ini reader.

`set_main_option` stores the URL in an ini file's language, in which `%` begins a reference; a password with `@`, `/` or `#` is escaped as `%40`, `%2F`, `%23` and has one.
Double it: `url.replace("%", "%%")`.
It is an error where a URL of the project has a percent sign, and information elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import dotenv, edits, facts
from tidegate.reading.project.alembicfiles import Alembic, UrlCall
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (r"invalid interpolation syntax",)
PRINTED = "ValueError: invalid interpolation syntax in 'postgresql+psycopg://shop:pa%40ss@db/shop' at position 28"
WHEN = "at every Alembic command"
BAD = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": 'import os\n\nfrom alembic import context\n\nconfig = context.config\nconfig.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"])\n',
    ".env": "DATABASE_URL=postgresql+psycopg://shop:pa%40ss@db/shop\n",
}
GOOD = {
    **BAD,
    "migrations/env.py": BAD["migrations/env.py"].replace(
        '["DATABASE_URL"])', '["DATABASE_URL"].replace("%", "%%"))'
    ),
}
AT = "migrations/env.py:6"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield URLs that go into Alembic's configuration as they are."""
    for one in project.alembics:
        bare = one.url.replace("%%", "").replace("%(here)s", "")
        if "%" in bare:
            yield Problem(
                Place(one.ini, one.url_line),
                "The % in sqlalchemy.url begins a reference in the language of ini files.",
                "write %% in place of %",
                (),
                edits.swap(
                    one.ini,
                    project.read(one.ini) or "",
                    one.url_line,
                    one.url,
                    one.url.replace("%%", "%").replace("%", "%%"),
                ),
            )
        evidence = _url_with_percent(project)
        for call in one.calls:
            if call.escaped or (call.literal and "%" not in call.literal.replace("%%", "")):
                continue
            if not call.literal and _plain_words(call.source):
                continue
            yield Problem(
                Place(one.env, call.line),
                "Alembic cannot read a URL with a % in it, which every escaped password has.",
                f'write {call.source}.replace("%", "%%")',
                (evidence,) if evidence else (),
                _mend(project, one, call),
                "" if evidence else "info",
            )


def _plain_words(source: str) -> bool:
    return source.startswith(("'", '"')) and "%" not in source


def _url_with_percent(project: ProjectFiles) -> Place | None:
    for path in project.named(".env", ".env.example", ".env.dist", ".env.sample"):
        for variable in dotenv.read(project.read(path) or "").values():
            if "://" in variable.value and "%" in variable.value:
                return Place(path, variable.line)
    for service in project.services:
        for given in service.environment.values():
            found = facts.url(given)
            if found is not None and "%" in (given.value or ""):
                return given.place
    return None


def _mend(project: ProjectFiles, one: Alembic, call: UrlCall) -> tuple[Edit, ...]:
    text = project.read(one.env) or ""
    line = text.split("\n")[call.end[0] - 1]
    at = edits.line_start(text, call.end[0]) + len(line.encode()[: call.end[1]].decode())
    begin = edits.line_start(text, call.start[0]) + call.start[1]
    simple = call.source.startswith(("os.environ[", "str(")) or call.source.isidentifier()
    tail = '.replace("%", "%%")'
    if simple and not call.source.isidentifier():
        return (Edit(one.env, at, at, tail),)
    return (Edit(one.env, begin, at, f"str({call.source}){tail}"),)
