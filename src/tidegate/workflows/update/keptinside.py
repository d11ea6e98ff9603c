"""A database that is a file in a container itself, on no volume: it goes with the container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.contracts.target import Container
from tidegate.errors import PolicyRefused
from tidegate.workflows.update.updating import Update


def refuse_rolling(one: Update, standing: Mapping[str, Any]) -> None:
    """Raise PolicyRefused where a rollback would replace a container that has such a file."""
    backend = one.target.backend
    old = [each for each in one.seen() if each.service == backend]
    for database in standing["databases"]:
        if database.get("passing") == "layer" and old:
            raise refused(backend, old, database, "tidegate up with the older code")


def refused(
    backend: str, old: Sequence[Container], database: Mapping[str, Any], instead: str
) -> PolicyRefused:
    """Return the refusal to replace the containers that have it; `instead` is what can be typed
    where nothing in it counts."""
    alias, where = database["alias"], database["where"]
    return PolicyRefused(
        f"a new container of {backend} would begin without the database {alias}",
        f"It is a SQLite file in the container itself, on no volume with a name: {where}. What "
        "is in it goes with the container.",
        f"keep a copy: docker cp {old[0].name}:{where} . ; then give its folder a volume with "
        "a name\n"
        "or, where the code runs in another folder of the container than its image says:\n"
        'workdir = "/FOLDER" under [tool.tidegate.compose] in pyproject.toml\n'
        f"or, where nothing in it counts: docker rm -f {old[0].name}, then {instead}",
    )
