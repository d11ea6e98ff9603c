"""The digest of each service's configuration, as Compose itself makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.process import run
from tidegate.targets.composeargs import Words


def digests(
    words: Words, config: Mapping[str, Any], merged: str, marked: set[tuple[str, str]]
) -> Mapping[str, str]:
    """Return each service's; `marked` are the pairs that the present containers have.

    How a container came to be shows in its digest (Compose 2.26): `up --no-deps` forgets what
    it depends on, `up` does not, and `config --hash` leaves out what an `env_file` holds. Each
    of the three is what the files say now.
    """
    every = ("-f", "-", "--profile", "*")
    found = _asked(words, every, _alone(config))
    if found and all(found.get(name) == digest for name, digest in marked):
        return found
    whole = _asked(words, every, merged)
    plain = _asked(words, words.begin(("*",))[len(words.compose) :])
    others = [pair for each in (whole, plain) for pair in each.items() if pair in marked]
    return {**plain, **found, **dict(others)}


def _alone(config: Mapping[str, Any]) -> str:
    """Return the configuration without what the services need of each other."""
    raw = config.get("services") or {}
    own = {name: {k: v for k, v in one.items() if k != "depends_on"} for name, one in raw.items()}
    return json.dumps({**config, "services": own})


def _asked(words: Words, more: Sequence[str], stdin: str | None = None) -> dict[str, str]:
    command = words.command(*words.compose, *more, "config", "--hash", "*")
    done = run(command, 60, stdin=stdin)
    pairs = (line.split() for line in done.out.splitlines() if done.ok)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
