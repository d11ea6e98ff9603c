"""Alembic's ini and env.py, without running them."""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.reading.project import pycode

# What an env.py does that has its URL from elsewhere.
_OWN_URL = re.compile(
    r"set_main_option|set_section_option|environ|getenv|create_(async_)?engine"
    r"|sqlalchemy\.url[\"']\s*\]\s*="
)


@dataclass(frozen=True)
class UrlCall:
    """A call of `set_main_option("sqlalchemy.url", …)`."""

    line: int
    end_line: int
    escaped: bool
    literal: str
    source: str
    start: tuple[int, int] = (0, 0)  # line and column of the value
    end: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Alembic:
    """One Alembic environment."""

    ini: str
    folder: str
    url: str
    url_line: int
    env: str
    module: pycode.Module | None
    calls: tuple[UrlCall, ...]

    @property
    def takes_ini_url(self) -> bool:
        """Whether env.py takes the URL that the ini holds, and no other."""
        text = self.module.text if self.module is not None else ""
        return "://" in self.url and "_from_config(" in text and not _OWN_URL.search(text)


def load(ini: str, read: Callable[[str], str | None]) -> Alembic | None:
    """Return what an alembic.ini points at; None where it has no section of Alembic's."""
    text = read(ini) or ""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    if not parser.has_section("alembic"):
        return None
    here = posixpath.dirname(ini)
    location = (
        parser.get("alembic", "script_location", fallback="")
        .replace("%(here)s/", "")
        .replace("%(here)s", ".")
    )
    folder = posixpath.normpath(posixpath.join(here, location)) if location else ""
    folder = "" if folder == "." else folder
    url = parser.get("alembic", "sqlalchemy.url", fallback="")
    line = next(
        (
            n
            for n, one in enumerate(text.splitlines(), 1)
            if re.match(r"\s*sqlalchemy\.url\s*[=:]", one)
        ),
        0,
    )
    env = posixpath.join(folder, "env.py") if folder else ""
    source = read(env) if env else None
    module = pycode.read(source, env) if source is not None else None
    calls = tuple(_calls(module)) if module is not None and module.tree is not None else ()
    return Alembic(ini, folder, url, line, env if module else "", module, calls)


def _calls(module: pycode.Module) -> list[UrlCall]:
    assert module.tree is not None
    assigned = {one.name: one.value for one in module.assigned}
    out = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in ("set_main_option", "set_section_option") or len(node.args) < 2:
            continue
        key, value = node.args[-2], node.args[-1]
        if pycode.literal(key) != "sqlalchemy.url":
            continue
        source = ast.get_source_segment(module.text, value) or ""
        shown = source
        if isinstance(value, ast.Name) and value.id in assigned:
            shown = ast.get_source_segment(module.text, assigned[value.id]) or source
        escaped = bool(re.search(r"""['"]%['"]\s*,\s*['"]%%['"]""", shown + source))
        text = pycode.literal(value)
        begin = (value.lineno, value.col_offset)
        end = (value.end_lineno or value.lineno, value.end_col_offset or 0)
        said = text if isinstance(text, str) else ""
        last = node.end_lineno or node.lineno
        out.append(UrlCall(node.lineno, last, escaped, said, source, begin, end))
    return out
