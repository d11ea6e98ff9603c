"""Ask running PostgreSQL servers about themselves, and who it is that connects to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate import process
from tidegate.reading.project import facts
from tidegate.reading.project.live import Pooler, Server
from tidegate.reading.project.service import Service

Docker = Callable[..., process.Result]

_ASK = """
SELECT json_build_object(
  'in_recovery', pg_is_in_recovery(),
  'read_only', current_setting('default_transaction_read_only') = 'on',
  'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'max_connections', current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int,
  'invalid_indexes', (SELECT coalesce(json_agg(indexrelid::regclass::text), '[]')
    FROM pg_index WHERE NOT indisvalid),
  'waiting', (SELECT coalesce(json_agg(json_build_array(
      extract(epoch FROM now() - state_change)::int,
      array_to_string(pg_blocking_pids(pid), ' '), left(query, 60))), '[]')
    FROM pg_stat_activity WHERE wait_event_type = 'Lock'),
  'clients', (SELECT coalesce(json_agg(DISTINCT host(client_addr)), '[]')
    FROM pg_stat_activity WHERE client_addr IS NOT NULL))
"""


def ask(docker: Docker, service: Service, one: Mapping[str, Any]) -> Server | None:
    """Ask a running server over its own socket, as the user that its image made."""
    if one["State"]["Status"] != "running":
        return None
    psql = (
        'psql -At -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
    )
    result = docker("exec", one["Id"], "sh", "-c", psql + ' -c "$0"', _ASK)
    try:
        found = json.loads(result.out)
    except ValueError:
        return None
    return Server(
        service.name,
        found["in_recovery"],
        found["read_only"],
        found["connections"],
        found["max_connections"],
        tuple(found["invalid_indexes"]),
        tuple((int(seconds), str(who), str(text)) for seconds, who, text in found["waiting"]),
        tuple(str(address) for address in found["clients"]),
    )


def poolers(
    docker: Docker, described: Sequence[Mapping[str, Any]], servers: Sequence[Server]
) -> tuple[Pooler, ...]:
    """Return the containers that connect to a server and run a pooler, whatever they are called."""
    out = []
    for one in described:
        name = str((one["Config"].get("Labels") or {}).get("com.docker.compose.service", ""))
        reached = [each.service for each in servers if _addresses(one) & {*each.clients}]
        if not reached or one["State"]["Status"] != "running":
            continue
        program = facts.POOLERS.search(docker("top", one["Id"], "-eo", "pid,comm").out)
        if program is not None:
            out.append(Pooler(name, program[0], reached[0]))
    return tuple(out)


def _addresses(one: Mapping[str, Any]) -> set[str]:
    """Return a container's addresses, on every network that it is on."""
    networks = (one.get("NetworkSettings") or {}).get("Networks") or {}
    keys = ("IPAddress", "GlobalIPv6Address")
    return {str(net.get(key) or "") for net in networks.values() for key in keys} - {""}
