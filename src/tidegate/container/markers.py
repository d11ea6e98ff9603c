"""Values to ask settings with: each is known again when it comes out in a login."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

URL, NUMBER, WORD, FILE = range(4)  # the forms


@dataclass(frozen=True, slots=True)
class Markers:
    """Markers of every form. `folder` is where those that are files lie while we ask.

    `escaped` URLs hold a percent-encoded character. Settings that don't decode it, or that hand
    the URL to an ini file's interpolation, are understood without: their recipe then holds for
    URLs without a percent sign only.
    """

    folder: str
    escaped: bool

    def all(self, name: str, seed: str) -> tuple[str, str, str, str]:
        """Return a URL, a number, a word, and the path of a file that holds one."""
        number = str(5400 + sum(map(ord, name + seed)) % 500)
        word = _word(name, seed)
        password = f"p%40{word}" if self.escaped else f"p{word}"
        url = f"postgresql://u{word}:{password}@h{word}:{number}/d{word}"
        return (url, number, word, self._file(name, seed))

    def strict(self, name: str, seed: str) -> tuple[str, str]:
        """Return the paths of files that hold a number, and a yes."""
        return self._file(name, seed, "5432"), self._file(name, seed, "True")

    def traces(self, name: str, seed: str) -> tuple[str, str]:
        """Return what is seen of any of its forms in a login that carries it."""
        return (_word(name, seed), self.all(name, seed)[NUMBER])

    def fitting(self, names: Sequence[str], seed: str) -> dict[str, str]:
        """Return for each variable the form that its name suggests."""
        return {name: self.all(name, seed)[form(name)] for name in names}

    def _file(self, name: str, seed: str, text: str = "") -> str:
        path = os.path.join(self.folder, f"{seed}-{name}{text}")
        with open(path, "w", encoding="utf-8") as file:
            file.write((text or _word(name, seed)) + "\n")  # as editors and `echo` leave a secret
        return path


def _word(name: str, seed: str) -> str:
    return f"{seed}-{name.lower().replace('_', '-')}"


def form(name: str) -> int:
    """Return the form that a variable's name suggests."""
    upper = name.upper()
    if upper.endswith("_FILE") or upper.startswith("FILE__"):
        return FILE
    if any(word in upper for word in ("URL", "URI", "DSN")):
        return URL
    return NUMBER if "PORT" in upper else WORD


def is_url(name: str) -> bool:
    """Whether a variable's name suggests a URL."""
    return form(name) == URL


def carried(value: str) -> str:
    """Return what a marker puts into a login: of a file, what stands in it."""
    if value[:1] != "/":
        return value
    with open(value, encoding="utf-8") as file:
        return file.read().strip()
