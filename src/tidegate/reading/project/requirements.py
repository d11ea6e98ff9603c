"""What the project installs: requirements files, pyproject.toml and lock files."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LINE = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(.*)$")


@dataclass(frozen=True)
class Requirement:
    """One package, by its normalised name, with the version the file pins or demands."""

    name: str
    spec: str
    path: str
    line: int
    extras: str = ""

    @property
    def version(self) -> tuple[int, ...]:
        """The pinned or lowest version; () where the file says none."""
        found = re.search(r"(?:==|>=|~=|\^|^)\s*v?(\d+(?:\.\d+)*)", self.spec)
        return tuple(int(part) for part in found[1].split(".")) if found else ()


def read(paths: Sequence[str], text_of: Callable[[str], str | None]) -> dict[str, Requirement]:
    """Return the project's packages; a lock file's version wins over a range."""
    out: dict[str, Requirement] = {}
    for path in sorted(paths, key=lambda one: one.endswith(".lock")):
        text = text_of(path) or ""
        name = posixpath.basename(path)
        found: list[Requirement] = []
        if name.endswith((".txt", ".in")):
            found = _lines(text.splitlines(), path)
        elif name == "pyproject.toml":
            found = _pyproject(text, path)
        elif name.endswith(".lock"):
            found = _lock(text, path)
        for one in found:
            if one.name not in out or one.spec:
                out[one.name] = one
    return out


def normal(name: str) -> str:
    """Return a package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(lines: Sequence[str], path: str, first: int = 1) -> list[Requirement]:
    out = []
    for number, line in enumerate(lines, first):
        found = _LINE.match(line.split("#")[0].split(";")[0])
        if found and not line.lstrip().startswith("-"):
            out.append(
                Requirement(normal(found[1]), found[3].strip(), path, number, found[2] or "")
            )
    return out


def _pyproject(text: str, path: str) -> list[Requirement]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return []
    project = data.get("project", {})
    listed = [*project.get("dependencies", [])]
    for group in (
        *project.get("optional-dependencies", {}).values(),
        *data.get("dependency-groups", {}).values(),
    ):
        listed += [one for one in group if isinstance(one, str)]
    out = []
    lines = text.splitlines()
    for one in listed:
        number = next((n for n, line in enumerate(lines, 1) if one in line), 1)
        out += _lines([one], path, number)
    poetry = data.get("tool", {}).get("poetry", {})
    groups = [poetry.get("dependencies", {})]
    groups += [group.get("dependencies", {}) for group in poetry.get("group", {}).values()]
    for group in groups:
        for name, spec in group.items():
            version = (
                spec
                if isinstance(spec, str)
                else str(spec.get("version", ""))
                if isinstance(spec, dict)
                else ""
            )
            number = next(
                (n for n, line in enumerate(lines, 1) if line.strip().startswith(name)), 1
            )
            out.append(Requirement(normal(name), version, path, number))
    return out


def _lock(text: str, path: str) -> list[Requirement]:
    """uv.lock and poetry.lock: `name` and `version` stand in a row under [[package]]."""
    out = []
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r'name = "([^"]+)"', line):
            name = found[1]
        elif name and (found := re.match(r'version = "([^"]+)"', line)):
            out.append(Requirement(normal(name), "==" + found[1], path, number))
            name = ""
    return out
