"""Known last words of servers, explained: a line for people; nothing is decided by them."""

from __future__ import annotations

import re

KNOWN = (
    (
        r"database files are incompatible with server|was initialized by PostgreSQL version",
        "The volume was made by another major version of PostgreSQL. Nothing was deleted: go back "
        "to that version's image, dump, and load the dump into a new volume.",
    ),
    (
        r"password authentication failed|Access denied for user",
        "A database's volume keeps the password of its first start: changing it in the env file "
        "changes the app alone. Put the old one back, or alter the role in the database.",
    ),
    (
        r"DuplicateTable|DuplicateColumn|DuplicateObject|already exists \(42|"
        r"(table|relation|column) .*already exists",
        "The database holds what the step would make: it was made by hand or by another tool, and "
        "no migration is recorded for it. `tidegate adopt` compares it with what the steps make, "
        "and records the steps that are there.",
    ),
    (
        r"No space left on device|ENOSPC|disk quota exceeded",
        "The disk is full. `docker system df` shows what takes it. `docker builder prune` frees "
        "what builds keep, `docker image prune` images without a name; neither touches a volume, a "
        "database or a release that is kept for going back. Nothing was pruned here.",
    ),
    (
        r"No such file or directory.*(entrypoint|manage\.py)|(entrypoint|manage\.py).*No such file",
        "The file is in the image, but a bind mount may hide it: see `volumes` of the service.",
    ),
    (
        r"Network .* needs to be recreated - option",
        "docker-compose version 1 takes a default of this engine for a change of the network. "
        "Compose v2 does not; or write the option's value under networks: default: driver_opts: in "
        "the Compose file.",
    ),
    (
        r"port is already allocated|address already in use",
        "Another container or program of this machine has that port: `docker ps` shows which "
        "container publishes it. Stop that one, or publish another port.",
    ),
    (
        r"No such image",
        "An image was removed while it was needed (docker rmi, docker image prune). The next "
        "`tidegate up` builds it, or fetches it, again.",
    ),
    (
        r"exec format error|\r: (not found|No such file)|bad interpreter",
        "The script can't be executed: CRLF line ends, no #! line, or another processor's image.",
    ),
)


def explained(text: str) -> list[str]:
    """Return what is known about the words in a log."""
    return [meaning for pattern, meaning in KNOWN if re.search(pattern, text, re.IGNORECASE)]
