"""A script's branches are followed where the files decide the variable that chooses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.test_check_examples import seen, written

SCRIPT = """set -e
if [ "$ROLE" = "worker" ]; then
  celery -A site worker
elif [ "$ROLE" = web ]; then
  gunicorn site.wsgi
else
  daphne site.asgi
fi
"""
CASE = """set -e
case "$1" in
  worker|jobs) celery -A site worker ;;
  web) gunicorn site.wsgi ;;
  *) daphne site.asgi ;;
esac
"""
DOCKERFILE = 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/run.sh"]\n'
COMPOSE = "services:\n  it:\n    build: .\n    command: {}\n    environment:\n      ROLE: {}\n"
RULE = "app-never-gets-the-stop-signal"


@pytest.mark.parametrize(
    ("script", "role", "lines"),
    [
        (SCRIPT, "worker", [3]),
        (SCRIPT, "web", [5]),
        (SCRIPT, "else", [7]),
        (SCRIPT, "${ROLE}", [3, 5, 7]),
        (CASE, "jobs", [3]),
        (CASE, "web", [4]),
        (CASE, "other", [5]),
        (CASE.replace("case", "shift\ncase", 1), "web", [4, 5, 6]),
        (SCRIPT.replace("set -e", "set -e; ROLE=${ROLE:-web}"), "worker", [3, 5, 7]),
    ],
)
def test_only_the_branch_that_runs_is_judged(
    script: str, role: str, lines: list[int], tmp_path: Path
) -> None:
    """A finding stands in the branch of the service's own role; in each where it is not known."""
    tree = {"Dockerfile": DOCKERFILE, "run.sh": script, "compose.yaml": COMPOSE.format(role, role)}
    found = [place for rule, place in seen(written(tmp_path, tree)) if rule == RULE]
    last = [f"run.sh:{line}" for line in lines]
    assert set(found) <= set(last) and (found == last or len(lines) > 1)
    assert found
