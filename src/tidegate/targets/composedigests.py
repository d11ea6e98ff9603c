"""The digest of each service's configuration, as Compose itself makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tidegate.process import FOR_READING, run
from tidegate.targets.composeargs import Words


def digests(
    words: Words, config: Mapping[str, Any], merged: str, marked: set[tuple[str, str]]
) -> Mapping[str, str]:
    """Return each service's; `marked` are the pairs that the present containers have.

    How a container came to be shows in its digest (Compose 2.26): `up --no-deps` forgets what
    it depends on, `up` does not, and `config --hash` leaves out what an `env_file` holds. Each
    of the three is what the files say now.
    """
    own = words.begin(("*",))[len(words.compose) :]
    if words.first:  # it reads no configuration from its standard input, and has one digest
        return _asked(words, own)
    every = ("-f", "-", "--profile", "*")
    found = _asked(words, every, _alone(config))
    if found and all(found.get(name) == digest for name, digest in marked):
        return found
    whole = _asked(words, every, merged)
    plain = _asked(words, own)
    others = [pair for each in (whole, plain) for pair in each.items() if pair in marked]
    return {**plain, **found, **dict(others)}


def _alone(config: Mapping[str, Any]) -> str:
    """Return the configuration without what the services need of each other."""
    raw = config.get("services") or {}
    own = {name: {k: v for k, v in one.items() if k != "depends_on"} for name, one in raw.items()}
    return json.dumps({**config, "services": own})


@lru_cache(maxsize=16)
def _asked(words: Words, more: tuple[str, ...], stdin: str | None = None) -> dict[str, str]:
    """Ask Compose, once: no file is read anew while an update runs."""
    command = words.command(*words.compose, *more, "config", "--hash", "*")
    done = run(command, 60, stdin=stdin, memory=FOR_READING)
    pairs = (line.split() for line in done.out.splitlines() if done.ok)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
