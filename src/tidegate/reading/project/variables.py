"""What the variables and arguments of a container's scripts are, as far as the files decide it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.reading.project.image import Image
from tidegate.reading.project.service import Service

_ALWAYS = ("PATH", "HOME", "HOSTNAME", "PWD", "USER", "LANG", "TERM", "SHELL", "PYTHON_VERSION")


@dataclass(frozen=True)
class Variables:
    """The values of a container's variables, as far as they are known.

    `unsure` are those that have some value; `complete` says that no other one is set.
    """

    values: Mapping[str, str]
    unsure: frozenset[str] = frozenset()
    complete: bool = False

    def value(self, text: str, arguments: tuple[str, ...], name: str) -> str | None:
        """Return what a variable of a script, or an argument, is; None where nobody can tell."""
        if name.isdigit():
            moved = re.search(r"\bshift\b|\bset +--", text)
            given = arguments[int(name) - 1 : int(name)] if int(name) and not moved else ()
            return given[0] if given and "$" not in given[0] else None
        default = self._own_default(text, name)
        if default is None and _changed(text, name):
            return None
        found = self.values.get(name)
        absent = self.complete and name.isupper() and name not in self.unsure
        found = "" if found is None and absent and name not in _ALWAYS else found
        return found if found is None or default is None else found or default

    def _own_default(self, text: str, name: str) -> str | None:
        """Return the default of `NAME=${NAME:-word}`, if that is all that a script does to it."""
        own = re.findall(rf"""^\s*(?:export )?{name}=["']?(.*?)["']?;?$""", text, re.M)
        found = re.fullmatch(rf"\$\{{{name}:?-([\w.:/-]*)\}}", own[0]) if len(own) == 1 else None
        alone = len(re.findall(rf"\b{name}:?=", text)) == 1
        return found[1] if found is not None and alone else None


def _changed(text: str, name: str) -> bool:
    """Whether a script may give the variable another value."""
    reads = rf"\b(read|source|\.|eval|for|unset)\b[^\n]*\b{name}\b"
    return bool(re.search(rf"\b{name}:?=|{reads}", text))


def of(service: Service | None, image: Image | None) -> Variables:
    """Return what the files alone decide about the variables of a container."""
    values = _values(service, image)
    if service is None or image is None:
        return Variables(values)
    unsure = frozenset((*image.environ, *service.environment)) - set(values)
    return Variables(values, unsure, image.plain and service.all_env_files_there)


def _values(service: Service | None, image: Image | None) -> dict[str, str]:
    """Return the variables whose values the files alone decide."""
    out = dict(image.environ) if image is not None else {}
    if service is None:
        return out
    if not service.all_env_files_there:
        out = {}
    for name, given in service.environment.items():
        out.pop(name, None)
        if given.value is not None and not given.unknown:
            out[name] = given.value
    return {name: value for name, value in out.items() if "$" not in value}
