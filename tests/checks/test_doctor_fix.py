"""`--fix`: small edits that take the finding away and change nothing else."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest

from checks.test_check_examples import FILE_CHECKS, written
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import mending, planned, story


def fixable() -> list[str]:
    """The checks that have edits for their own bad example; asked once, when tests are collected."""
    import tempfile

    out = []
    for rule, check in FILE_CHECKS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = story.examine(written(Path(folder), check.BAD))
            if any(one.problem.edits and not one.problem.edits[0].command for one in found):
                out.append(rule)
    return out


FIXABLE = fixable()


def test_most_checks_can_mend() -> None:
    """At least half of the checks of files offer an edit."""
    assert len(FIXABLE) * 2 >= len(FILE_CHECKS)


@pytest.mark.parametrize("rule", FIXABLE)
def test_the_fix_mends(rule: str, tmp_path: Path) -> None:
    """After it no check speaks, and the diff is small."""
    check: Any = FILE_CHECKS[rule]
    project = written(tmp_path, check.BAD)
    found = story.examine(project)
    plan = mending.plan(project, found)
    result = mending.apply(project, plan, found)
    assert [(one.rule, one.problem.place) for one in result.left] == [], "\n".join(plan.shown())
    assert rule in [name for name, _ in result.mended]
    for old, new in plan.changes.values():
        lines = [
            x
            for x in difflib.unified_diff(old.splitlines(), new.splitlines(), n=0)
            if x[:1] in "+-" and x[:3] not in ("+++", "---")
        ]
        assert len(lines) <= 12


COMMENTED = """\
# The shop.
x-logging: &logging   # kept short
  driver: json-file

services:
  web:
    build: .   # our own
    logging: *logging
    depends_on:
      - db   # before us
      - cache
    healthcheck: {test: ["CMD", "true"]}

  # PostgreSQL
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    logging: *logging

  cache:
    image: redis:7
"""


def test_comments_and_anchors_stay(tmp_path: Path) -> None:
    """A short depends_on becomes a long one, and every other line is as it was."""
    project = written(
        tmp_path,
        {
            "compose.yaml": COMMENTED,
            "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["sh", "-c", "python manage.py migrate && exec gunicorn shop.wsgi"]\n',
        },
    )
    found = story.examine(project)
    assert [one.rule for one in found] == ["nothing-waits-for-database"]
    result = mending.apply(project, mending.plan(project, found), found)
    text = (tmp_path / "compose.yaml").read_text()
    kept = [
        line
        for line in COMMENTED.splitlines()
        if line.strip() not in ("- db   # before us", "- cache")
    ]
    assert [line for line in text.splitlines() if line in kept] == kept
    assert "services.web.depends_on.db.condition" in " ".join(result.config)
    again = next(one for one in ProjectFiles(tmp_path).services if one.name == "web")
    assert {name: condition for name, (condition, _) in again.depends_on.items()} == {
        "db": "service_healthy",
        "cache": "service_started",
    }


def test_a_fix_that_makes_it_worse_is_put_back(tmp_path: Path) -> None:
    """When another finding appears, every file is as before, and the reason is said."""
    check: Any = FILE_CHECKS["database-host-unknown"]
    project = written(tmp_path, check.BAD)
    found = story.examine(project)
    plan = mending.plan(project, found)
    old, new = plan.changes["compose.yaml"]
    plan.changes["compose.yaml"] = (
        old,
        new.replace("postgres:16", "postgres:latest\n    volumes: [db:/var/lib/postgresql]"),
    )
    result = mending.apply(project, plan, found)
    assert (tmp_path / "compose.yaml").read_text() == check.BAD["compose.yaml"]
    assert "put back" in result.notes[0]
    assert "database-image-floats" in result.notes[0]


def test_a_mend_that_brings_a_fault_is_left_out(tmp_path: Path) -> None:
    """Without makemigrations at the start the app would have none: that line stays, the rest is mended."""
    project = written(
        tmp_path,
        {
            "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
            "shop/settings.py": 'SECRET_KEY = "x"\nINSTALLED_APPS = ["todo"]\n',
            "todo/models.py": "from django.db import models\n\n\nclass Item(models.Model):\n    pass\n",
            "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
            "start.sh": "set -e\npython manage.py makemigrations\npython manage.py migrate\ngunicorn shop.wsgi\n",
            "compose.yaml": "services:\n  web:\n    build: .\n",
        },
    )
    found = story.examine(project)
    assert {one.rule for one in found} == {
        "makemigrations-at-start",
        "app-never-gets-the-stop-signal",
    }
    assert all(one.problem.edits for one in found)
    fit = mending.fitting(project, found)
    assert [one.rule for one in fit if one.finding.fixable] == ["app-never-gets-the-stop-signal"]
    assert "can mend 1 of them" in story.report(project, fit, {}, {}).summary
    result = mending.apply(project, mending.plan(project, found), found)
    assert result.notes[-1] == "mended 1 of 1"
    assert [one.rule for one in result.left] == ["makemigrations-at-start"]
    assert (
        "makemigrations-at-start is not mended: models-without-migrations would appear"
        in result.notes[0]
    )
    assert "exec gunicorn" in (tmp_path / "start.sh").read_text()


def test_secrets_do_not_show_in_a_diff(tmp_path: Path) -> None:
    """A password that an edit moves is masked in what is shown, and whole in what is written."""
    check: Any = FILE_CHECKS["dollar-cuts-value"]
    project = written(tmp_path, check.BAD)
    found = story.examine(project)
    plan = mending.plan(project, found)
    assert "pa$word" not in "\n".join(plan.shown())
    assert "word" not in "".join(one.problem.message for one in found).replace(
        "password", ""
    ).replace("PASSWORD", "")
    mending.apply(project, plan, found)
    assert (tmp_path / ".env").read_text() == "POSTGRES_PASSWORD='pa$word'\n"


def test_a_reference_with_a_message_is_no_secret() -> None:
    """`${NAME:?message}` stays readable, and a default in the same place does not."""
    line = "  URL: postgresql://u:${DB_PASSWORD:?set it in .env}@db/shop"
    assert planned.masked(line) == line
    assert "hunter2" not in planned.masked("  PASSWORD: ${DB_PASSWORD:-hunter2}")


def test_windows_newlines_stay(tmp_path: Path) -> None:
    """A Compose file with CR LF keeps them on every line, the new ones too."""
    check: Any = FILE_CHECKS["healthcheck-shorter-than-migration"]
    tree = {**check.BAD, "compose.yaml": check.BAD["compose.yaml"].replace("\n", "\r\n")}
    project = written(tmp_path, tree)
    found = story.examine(project)
    mending.apply(project, mending.plan(project, found), found)
    raw = (tmp_path / "compose.yaml").read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b"start_period: 120s" in raw


def test_a_command_in_a_block_of_yaml(tmp_path: Path) -> None:
    """The line that a shell of the Compose file runs is named, and joined with the next."""
    compose = "services:\n  web:\n    build: .\n    command:\n      - bash\n      - -c\n      - |\n        python manage.py migrate\n        exec gunicorn shop.wsgi\n"
    project = written(tmp_path, {"Dockerfile": "FROM python:3.12\n", "compose.yaml": compose})
    found = story.examine(project)
    assert [(one.rule, one.problem.place.line) for one in found] == [
        ("failed-migration-is-ignored", 8)
    ]
    mending.apply(project, mending.plan(project, found), found)
    assert (tmp_path / "compose.yaml").read_text() == compose.replace("migrate\n", "migrate &&\n")


SERVED = """\
x-app: &app
  build: .
  restart: unless-stopped

services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: word}
    healthcheck:
      test: ["CMD-SHELL", "pg_isready", "-h", "127.0.0.1", "-U", "shop"]
  migrate:
    <<: *app
    command: python manage.py migrate --noinput
    depends_on: {db: {condition: service_healthy}}
  web:
    <<: *app
    depends_on:
      migrate:
        condition: service_completed_successfully
"""
DOCKERFILE = 'FROM python:3.12-slim\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n'


def test_what_an_anchor_gives_is_said_again_in_the_service(tmp_path: Path) -> None:
    """What stays up keeps its restart policy: the one-shot gets a line of its own."""
    files = {"compose.yaml": SERVED, "Dockerfile": DOCKERFILE, "manage.py": ""}
    project = written(tmp_path, files)
    found = [one for one in story.examine(project) if one.rule == "one-shot-restarts"]
    mending.apply(project, mending.plan(project, found), found)
    text = (tmp_path / "compose.yaml").read_text("utf-8")
    line = "    depends_on: {db: {condition: service_healthy}}\n"
    assert f'{line}    restart: "no"\n' in text
    assert "  restart: unless-stopped\n" in text


def test_a_mend_in_a_line_that_others_have_by_an_anchor_is_left_to_a_person(tmp_path: Path) -> None:
    """The agent shares the machine's network, where localhost is right: the line is its line too."""
    compose = (
        "x-env: &env\n  DB_HOST: localhost\nservices:\n  web:\n    build: .\n"
        "    environment: *env\n  agent:\n    build: .\n    network_mode: host\n"
        "    environment: *env\n  db:\n    image: postgres:16\n"
        "    environment: {POSTGRES_PASSWORD: word}\n"
    )
    project = written(tmp_path, {"compose.yaml": compose, "Dockerfile": DOCKERFILE})
    (one,) = [one for one in story.examine(project) if one.rule == "localhost-in-container"]
    assert not one.problem.edits
    assert one.problem.remedy.endswith(
        "in the service itself: agent has that line too, by an anchor"
    )
    both = written(tmp_path, {"compose.yaml": compose.replace("    network_mode: host\n", "")})
    (one,) = [one for one in story.examine(both) if one.rule == "localhost-in-container"]
    assert one.problem.edits


def test_two_mends_of_one_line_are_made_one_after_the_other(tmp_path: Path) -> None:
    """The second is made only if it is needed still: both at once made a check that never runs."""
    files = {"compose.yaml": SERVED, "Dockerfile": DOCKERFILE, "manage.py": ""}
    project = written(tmp_path, files)
    found = story.examine(project)
    mending.apply(project, mending.plan(project, found), found)
    text = (tmp_path / "compose.yaml").read_text("utf-8")
    assert 'test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "shop"]' in text


STRAY = {
    "a word of another file's": SERVED.replace(
        "python manage.py", "wait-for-it db:5432 -- python manage.py"
    ),
    "keys that an anchor brings": SERVED.replace(
        "    depends_on: {db: {condition: service_healthy}}\n", ""
    ),
}


@pytest.mark.parametrize("what", STRAY)
def test_a_mend_is_written_where_the_words_stand(what: str, tmp_path: Path) -> None:
    """Neither in the script that only hands them on, nor at the anchor that others have too."""
    script = '#!/bin/sh\nset -e\nmain() {\n  exec "$@"\n}\n\nmain "$@"\n'
    files = {
        "compose.yaml": STRAY[what],
        "Dockerfile": DOCKERFILE.replace("CMD", 'ENTRYPOINT ["/start.sh"]\nCMD'),
        "manage.py": "",
        "start.sh": script,
    }
    project = written(tmp_path, files)
    found = story.examine(project)
    result = mending.apply(project, mending.plan(project, found), found)
    assert (tmp_path / "start.sh").read_text("utf-8") == script
    text = (tmp_path / "compose.yaml").read_text("utf-8")
    assert text.split("services:")[0] == STRAY[what].split("services:")[0]
    assert text.split("  web:")[1] == STRAY[what].split("  web:")[1]
    assert not [one for one in result.left if one.severity != "info"]
