"""Parts of a Compose service as values: what lies over its paths, its variables, its probe."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass

from tidegate.model.finding import Place
from tidegate.reading.project.composemerge import split_mount
from tidegate.reading.project.tree import Item

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Mount:
    """Something that lies over a path of the container."""

    kind: str  # volume, bind, tmpfs, anonymous
    source: str
    target: str
    read_only: bool
    item: Item


@dataclass(frozen=True)
class Given:
    """A variable of a container: its value, and the place that gives it."""

    name: str
    value: str | None
    place: Place
    from_file: bool = False
    item: Item | None = None

    @property
    def unknown(self) -> bool:
        """Whether its value hangs on a variable that only the user's machine has."""
        return self.item is not None and bool(self.item.holes)


@dataclass(frozen=True)
class Health:
    """A health check as it takes effect. `words` begin with CMD or CMD-SHELL."""

    words: tuple[str, ...]
    place: Place
    interval: float
    timeout: float
    retries: int
    start_period: float
    item: Item | None = None

    @property
    def shell(self) -> str:
        """The command as one line of shell."""
        if self.words[:1] == ("CMD-SHELL",):
            return " ".join(self.words[1:2])
        return shlex.join(self.words[1:])

    @property
    def patience(self) -> float:
        """Seconds after which a container that never answers is called unhealthy."""
        return self.start_period + self.interval * self.retries


def seconds(text: str, default: float) -> float:
    """Return a duration such as `1m30s`."""
    found = _SECONDS.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in found) if found else default


def mount(one: Item) -> Mount:
    """Return an entry of `volumes`, short or long."""
    if one.entries:
        kind = one.get("type")
        source, target = one.get("source"), one.get("target")
        only = one.get("read_only")
        name = source.text if source is not None else ""
        return _mount(
            kind.text if kind else "volume", name, target.text if target else "",
            only is not None and only.value is True, one,
        )  # fmt: skip
    parts = split_mount(one.text)
    if len(parts) == 1:
        return Mount("anonymous", "", normal(parts[0]), False, one)
    bind = parts[0][:1] in (".", "/", "~", "\\") or (parts[0][1:2] == ":")
    options = parts[2].split(",") if len(parts) > 2 else []
    return _mount("bind" if bind else "volume", parts[0], parts[1], "ro" in options, one)


def _mount(kind: str, source: str, target: str, read_only: bool, item: Item) -> Mount:
    if (kind == "bind" and source[:1] in (".",)) or (
        kind == "bind" and not source.startswith(("/", "~", "$")) and source[1:2] != ":"
    ):
        source = normal(posixpath.join(item.base, source))
    if kind == "volume" and not source:
        kind = "anonymous"
    return Mount(kind, source, normal(target), read_only, item)


def normal(path: str) -> str:
    """Return a path without dots; empty for the folder itself."""
    path = posixpath.normpath(path) if path else ""
    return "" if path == "." else path


def masked(text: str) -> str:
    """Return a line of a log without what looks like a password."""
    text = re.sub(r"(://[^:/@\s]*:)[^@\s]+@", r"\1***@", text)
    return re.sub(
        r"((?:password|passwd|secret|token)\w*['\"]?\s*[:=]\s*)\S+", r"\1***", text, flags=re.I
    )
