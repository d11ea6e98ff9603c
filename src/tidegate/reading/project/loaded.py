"""What a service's configuration said when it was loaded, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Failure:
    """Why a configuration did not load. `path` is the project's file, else the container's."""

    what: str
    type: str
    text: str
    path: str = ""
    line: int = 0
    module: str = ""  # the one that could not be imported


@dataclass(frozen=True)
class Login:
    """Where env.py would connect to."""

    alias: str
    vendor: str
    host: str
    port: str


@dataclass(frozen=True)
class Loaded:
    """The values of one service's settings; `unset` are names that keep Django's own value."""

    service: str
    framework: str = ""
    settings: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    logins: Sequence[Login] = ()
    failure: Failure | None = None

    @property
    def decides(self) -> bool:
        """Whether Django's settings are known, so that nothing has to be guessed."""
        return self.framework == "django" and bool(self.values)


def read(service: str, document: Mapping[str, Any]) -> Loaded:
    """Return the document of `tidegate.container.telling` as values."""
    failed = document.get("failure")
    return Loaded(
        service, document["framework"], document.get("settings", ""), document["values"],
        tuple(document["unset"]),
        tuple(Login(one["alias"], one["vendor"], one["host"] or "", str(one["port"] or ""))
              for one in document["logins"]),
        Failure(**failed) if failed else None,
    )  # fmt: skip
