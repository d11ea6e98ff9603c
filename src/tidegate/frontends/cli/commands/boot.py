"""Wait, elect, migrate or wait for the schema, collect static files, become the command.

usage: tidegate boot [options] -- COMMAND [ARG ...]

  --when-behind migrate|wait|serve|fail  what to do when the schema lacks steps (migrate)
  --when-ahead serve|fail                what to do when the schema is newer than the code (serve)
  --collectstatic auto|always|never      collect static files (auto: when they have changed)
  --backup auto|always|never             a proved backup first (auto: for risky steps)
  --forms PLAN                           use the forms of a plan that was made with --online
  --wait-for URL                         tcp, http, https, redis, amqp, postgresql, mysql; repeat it
  --timeout SECONDS                      until when everything has to be ready (60)
  --lock-timeout SECONDS                 how long a statement may wait for a lock (2)
  --startup-port PORT                    answer probes on it until the app starts
  --format text|jsonl

Environment: TIDEGATE_WHEN_BEHIND and so on; MIGRATE_ON_START, COLLECTSTATIC_ON_START and
AUTO_BACKUP (true or false); TIDEGATE_METRICS_DIR for metrics; TIDEGATE_DIRECT_URL where a pooler
stands before the database.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container.entry import Globals, run_boot


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    return run_boot(glob, argv, began, environ)
