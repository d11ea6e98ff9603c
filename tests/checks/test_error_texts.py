"""`--error` with what programs print leads to the check of that fault, whatever the project is."""

from __future__ import annotations

import pytest

from tidegate.workflows.doctor import errortext

SAID = (
    ('psycopg.errors.DuplicateObject: type "mood" already exists', "several-containers-migrate"),
    ("ERROR: deadlock detected\nDETAIL: Process 71 waits for AccessExclusiveLock on relation 16402", "several-containers-migrate"),
    ("relation already exists", "replicas-migrate-together"),
    ("pq: deadlock detected (try lock failed in line 0: SELECT pg_advisory_lock($1))", "blocking-advisory-lock"),
    ("postgresql advisory lock error after restart", "lock-outlives-its-holder"),
    ("MigrationLocked: Migration table is already locked", "lock-outlives-its-holder"),
    ('sqlalchemy.exc.ProgrammingError: column "total" does not exist', "migrations-not-in-image"),
    ("sqlite3.OperationalError: no such column: shop_order.total", "worker-starts-before-schema"),
    ('The "m3a" variable is not set. Defaulting to a blank string.', "dollar-cuts-value"),
    ("WARNING: The m3a variable is not set. Defaulting to a blank string.", "dollar-cuts-value"),
    ("PermissionError: Permission denied: '/app/static", "volume-owned-by-root"),
    ("< HTTP/1.1 301 Moved Permanently", "probe-redirected-to-https"),
    ("netbox-1 unhealthy", "healthcheck-shorter-than-migration"),
    ("[INFO] SIGTERM ignored", "app-never-gets-the-stop-signal"),
    ("./entrypoint.sh: line 51: 18 Killed ./manage.py migrate --no-input", "container-out-of-memory"),
)  # fmt: skip
ELSEWHERE = (
    ("permission denied for schema public", "bind-source-missing"),
    ("PermissionError: [Errno 13] Permission denied: '/app/media/a.png'", "bind-source-missing"),
    ("the job was killed by its statement_timeout", "container-out-of-memory"),
)


@pytest.mark.parametrize(("text", "rule"), SAID)
def test_a_text_leads_to_its_check(text: str, rule: str) -> None:
    """The rule is among those that explain the text."""
    assert rule in [one.rule for one in errortext.explain(text, ())]


@pytest.mark.parametrize(("text", "rule"), ELSEWHERE)
def test_a_text_of_another_fault_does_not(text: str, rule: str) -> None:
    """A word that many errors share is not enough."""
    assert rule not in [one.rule for one in errortext.explain(text, ())]
