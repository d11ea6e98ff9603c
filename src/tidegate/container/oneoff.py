"""A SQLite file that one container has for itself, met in a one-off container: another file.

What is written there is gone a moment later, and what is read there is not the app's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.container.describing import passing
from tidegate.errors import PolicyRefused
from tidegate.model.connection import Connection

ONE_OFF = "TIDEGATE_ONE_OFF"  # set where a container was started for one command alone
VOLUME = "give the folder of the file a volume with a name, in the Compose file\n"
AT_START = 'or let the image migrate when it starts: ENTRYPOINT ["tidegate", "boot", "--"]\n'
WORKDIR = (
    "or, where the code runs in another folder of the container than its image says:\n"
    'workdir = "/FOLDER" under [tool.tidegate.compose] in pyproject.toml'
)
COPY = (
    "for a copy of it as it is now, with the service's own name for SERVICE:\n"
    'docker compose exec SERVICE python -c "import sqlite3 as s; '
    "s.connect('{path}').backup(s.connect('/tmp/copy.sqlite3'))\"\n"
    "docker compose cp SERVICE:/tmp/copy.sqlite3 .\n"
    "then "
)


def refuse_writing(
    environ: Mapping[str, str], connections: Sequence[Connection], done: str
) -> None:
    """Raise PolicyRefused where what is `done` to a database would go with this container."""
    for one in _passing(environ, connections):
        raise PolicyRefused(
            f"what is {done} {one.alias} here would be gone with this container",
            f"It is a SQLite file on no volume with a name: {one.shown}. Nothing was changed.",
            VOLUME + (AT_START if done == "applied to" else "") + WORKDIR,
        )


def refuse_reading(
    environ: Mapping[str, str], connections: Sequence[Connection], what: str
) -> None:
    """Raise PolicyRefused where a file that is read here is not the one that the app has."""
    for one in _passing(environ, connections):
        raise PolicyRefused(
            f"{what} would be of another file than the app's",
            f"{one.alias} is a SQLite file on no volume with a name ({one.shown}): each container "
            "has one of its own, and this one was started for the command alone.",
            COPY.format(path=one.name) + VOLUME + WORKDIR,
        )


def _passing(environ: Mapping[str, str], connections: Sequence[Connection]) -> list[Connection]:
    return [one for one in connections if passing(one)] if environ.get(ONE_OFF) else []
