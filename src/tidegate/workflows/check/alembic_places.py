"""Where an Alembic project's configuration says that its revisions lie, read without Alembic."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

SECTION = re.compile(r"^\[([^\]]+)\]", re.MULTILINE)
INI = re.compile(
    r"^(script_location|version_locations)[ \t]*[=:][ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
BETWEEN = re.compile(r"[\s,;]+")


class Place(NamedTuple):
    """An environment's folder, and the folders of revisions that lie elsewhere."""

    environment: str
    versions: tuple[str, ...] = ()


def places(folder: str, names: set[str], root: str) -> list[Place]:
    """Return what the configuration files of a folder name; `names` are the files in it."""
    found = []
    for name in sorted(names):
        if name.endswith(".ini") and "alembic" in name:
            found += _sections(_text(folder, name), folder, root)
        elif name == "pyproject.toml":
            text = _text(folder, name)
            if "[tool.alembic" in text:
                found += _table(text, folder, root)
    return found


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _sections(text: str, folder: str, root: str) -> list[Place]:
    heads = list(SECTION.finditer(text))
    ends = [one.start() for one in heads[1:]] + [len(text)]
    out = []
    for head, end in zip(heads, ends, strict=True):
        said = {match[1]: match[2] for match in INI.finditer(text, head.end(), end)}
        out += _place(said.get("script_location"), said.get("version_locations"), folder, root)
    return out


def _table(text: str, folder: str, root: str) -> list[Place]:
    import tomllib

    try:
        said = tomllib.loads(text).get("tool", {}).get("alembic", {})
    except tomllib.TOMLDecodeError:
        return []
    versions = said.get("version_locations")
    if isinstance(versions, list):
        versions = "\n".join(str(one) for one in versions)
    return _place(said.get("script_location"), versions, folder, root)


def _place(script: object, versions: object, folder: str, root: str) -> list[Place]:
    environment = _folders(str(script or ""), folder, root)
    if not environment:
        return []
    return [Place(environment[0], tuple(_folders(str(versions or ""), folder, root)))]


def _folders(said: str, folder: str, root: str) -> list[str]:
    """Return the folders that a setting names, those of them that are there."""
    out = []
    for word in BETWEEN.split(said.replace("%(here)s", folder).strip()):
        found = _folder(word, folder, root)
        parts = [] if found else [_folder(one, folder, root) for one in word.split(":")]
        out += [found] if found else [one for one in parts if one]
    return list(dict.fromkeys(out))


def _folder(word: str, folder: str, root: str) -> str:
    """Return the folder of one word: a path, or `package:path`; "" where there is none."""
    package, colon, inside = word.partition(":")
    said = [word] if word else []
    if colon and "/" not in package and not inside.startswith("/"):
        said.append(os.path.join(package.replace(".", "/"), inside))
    for base in (folder, root, os.path.join(root, "src")):
        for one in said:
            path = os.path.normpath(os.path.join(base, one))
            if path.startswith(root + os.sep) and os.path.isdir(path):
                return path
    return ""
