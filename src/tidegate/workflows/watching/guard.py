"""What speaks for a database that serves people: `make --watch` keeps away from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.errors import PolicyRefused, UsageProblem

WORDS = {"prod", "production", "prd", "live", "staging", "stage"}
HERE = ("", "localhost", "::1", "host.docker.internal", "gateway.docker.internal")
SETTING = "production"
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def word(value: object, source: str) -> bool | None:
    """Return what a setting says; None where it says nothing."""
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    if not text:
        return None
    raise UsageProblem(f"{source} is {value!r}", "", "use true or false")


def refuse(
    marks: Sequence[tuple[str, bool]], environment: str, services: Sequence[str],
    found: Mapping[str, Any],
) -> None:  # fmt: skip
    """Raise PolicyRefused where a mark says production, or where signs do and no mark denies it.

    `marks` are (where it is said, what it says); `found` is what the app's own Python tells.
    """
    said = [where for where, production in marks if production]
    if said:
        raise PolicyRefused(
            "this database is marked production; nothing was made",
            f"{said[0]} says so. --watch applies each change of the models at once, as it is "
            "typed, and rewrites the history of what it applied.",
            'make one migration instead: tidegate make -m "what changed"',
        )
    if marks:
        return
    seen = signs(environment, services, found)
    if seen:
        raise PolicyRefused(
            "this may be a database that serves people; nothing was made",
            "\n".join(seen),
            'make one migration instead: tidegate make -m "what changed"\n'
            "or, where it is a development database, say so: production = false under "
            "[tool.tidegate.make] in pyproject.toml, or TIDEGATE_PRODUCTION=false",
        )


def signs(environment: str, services: Sequence[str], found: Mapping[str, Any]) -> list[str]:
    """Return what speaks for production, as sentences."""
    out = []
    if _means(environment):
        out.append(f"The environment is called {environment}.")
    for name, value in found["environment"].items():
        if _means(value):
            out.append(f"{name} is {value} where the app runs.")
    for one in found["databases"]:
        if one["vendor"] == "sqlite":
            continue
        if _means(one["name"]):
            out.append(f"The database is called {one['name']}.")
        host = one["host"]
        if not is_here(host) and host not in services:
            others = one["clients"]
            more = f", and {others} other clients work with it" if others else ""
            out.append(f"The database is on {host}, which is not this machine{more}.")
    return out


def is_here(host: str) -> bool:
    """Whether a host's name is this machine's own, or a socket in it."""
    return host in HERE or host.startswith(("/", "127."))


def _means(text: str) -> bool:
    return bool(WORDS & set(re.split(r"[^a-z]+", text.lower())))
