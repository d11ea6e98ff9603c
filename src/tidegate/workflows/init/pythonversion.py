"""Which Python a project's image gets: the one that the project asks for."""

from __future__ import annotations

import posixpath
import re
import tomllib
from typing import Any

from tidegate.reading.project.project import ProjectFiles

USUAL = "3.12"
# The usual one, else the next newer one that fits, else the newest older one.
_MINORS = (12, 13, 14, 15, 11, 10, 9, 8)
_CLAUSE = re.compile(r"\s*(>=|<=|==|~=|!=|>|<|\^|~)?\s*3(?:\.(\d+))?(\.\d+)?(?:\.\*)?\s*$")


def read(project: ProjectFiles, folder: str) -> str:
    """Return the version, such as 3.12."""
    places = dict.fromkeys((folder, ""))
    for name in (".python-version", "runtime.txt"):
        for place in places:
            found = re.search(r"3\.\d+", project.read(posixpath.join(place, name)) or "")
            if found:
                return found[0]
    for place in places:
        said = _required(project.read(posixpath.join(place, "pyproject.toml")) or "")
        if said:
            return next((f"3.{one}" for one in _MINORS if fits(one, said)), USUAL)
    return USUAL


def _required(text: str) -> str:
    """Return what pyproject.toml asks for, in the words of the standard or of Poetry."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return ""
    standard = document.get("project", {}).get("requires-python", "")
    poetry = document.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
    return str(standard or poetry)


def fits(minor: int, said: str) -> bool:
    """Whether 3.`minor` is among the versions that a specifier allows."""
    return any(
        all(_one(minor, clause) for clause in choice.split(",")) for choice in said.split("||")
    )


def _one(minor: int, clause: str) -> bool:
    found = _CLAUSE.match(clause)
    if found is None or found[2] is None:
        return True  # such as <4, or words that we do not know
    operator, wanted, patch = found[1] or "==", int(found[2]), bool(found[3])
    if operator in (">=", ">", "^") or (operator == "~=" and not patch):
        return minor >= wanted
    if operator == "<":
        return minor <= wanted if patch else minor < wanted
    if operator == "<=":
        return minor <= wanted
    return minor != wanted or patch if operator == "!=" else minor == wanted
