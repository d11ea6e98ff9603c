"""Probe an app, a worker or the schema: a container's HEALTHCHECK without curl.

usage: tidegate health URL [--timeout SECONDS] [--host NAME]
       tidegate health --local [--timeout SECONDS]
       tidegate health --file FILE [--age SECONDS]

URL is http://127.0.0.1:8000/readyz, or just :8000 (then /readyz). 2xx is healthy; a redirect is
not followed. --host sends another Host header. --local asks the database from here whether every
step of the code is applied. --file is a worker's sign of life, which must not be older than --age
(30). The timeout is 3 seconds. Exits with 0 or 1, as Docker wants it; 2 is a wrong command line.
TIDEGATE_HEALTH_TOKEN is sent along when it is set.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.entry import Globals
from tidegate.container.health.probing import probe


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    return probe(glob, argv, environ)
