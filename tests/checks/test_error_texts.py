"""`--error` with what programs print leads to the check of that fault, whatever the project is."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import MANAGE
from checks.test_check_examples import written
from tidegate.checks import replicas_migrate_together
from tidegate.workflows.doctor import errortext, story

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
# As servers and systems of other languages print it, with what stands around it in a log.
FOREIGN = (
    ("\x1b[31mweb-2  |\x1b[0m 2026-11-22T10:11:12Z FEHLER:  Relation »shop_order« existiert bereits", "several-containers-migrate"),
    ("ProgrammingError: FEHLER:  Relation »shop_order« existiert nicht\nLINE 1: SELECT 1", "worker-starts-before-schema"),
    ("konnte Hostname »db« nicht in Adresse übersetzen: Der Name oder der Dienst ist nicht bekannt", "database-host-unknown"),
    ("FATAL:  das Datenbanksystem startet gerade", "nothing-waits-for-database"),
    ("pg_dump: Fehler: Abbruch wegen unpassender Serverversion", "dump-tool-older-than-server"),
    ("web-1 | FATAL:  Passwort-Authentifizierung für Benutzer »shop« fehlgeschlagen", "volume-keeps-first-password"),
    ("django.db.utils.ProgrammingError: la relation « shop_order » existe déjà", "several-containers-migrate"),
    ("psycopg.errors.UndefinedTable: la relation « shop_order » n'existe pas", "worker-starts-before-schema"),
    ("connexion au serveur sur « db », port 5432 a échoué : Connexion refusée", "nothing-waits-for-database"),
    ("la valeur d'une clé dupliquée rompt la contrainte unique « pg_type_typname_nsp_index »", "several-containers-migrate"),
    ("ERROR:  no existe la relación «shop_order»", "worker-starts-before-schema"),
    ("connection to server at \"db\", port 5432 failed: Conexión rehusada", "nothing-waits-for-database"),
    ("ConnectionRefusedError: [Errno 111] Connect call failed ('172.20.0.3', 5432)", "nothing-waits-for-database"),
    ("env: can't execute 'bash': No such file or directory", "interpreter-missing"),
    ("/app/start.sh: line 2: set: -\r: invalid option", "windows-line-endings"),
)  # fmt: skip
ELSEWHERE = (
    ("permission denied for schema public", "bind-source-missing"),
    ("PermissionError: [Errno 13] Permission denied: '/app/media/a.png'", "bind-source-missing"),
    ("the job was killed by its statement_timeout", "container-out-of-memory"),
)


@pytest.mark.parametrize(("text", "rule"), (*SAID, *FOREIGN))
def test_a_text_leads_to_its_check(text: str, rule: str) -> None:
    """The rule is among those that explain the text."""
    assert rule in [one.rule for one in errortext.explain(text, ())]


@pytest.mark.parametrize(("text", "rule"), ELSEWHERE)
def test_a_text_of_another_fault_does_not(text: str, rule: str) -> None:
    """A word that many errors share is not enough."""
    assert rule not in [one.rule for one in errortext.explain(text, ())]


# The first answer for an error as it is found in an issue, in a project where no file has a fault.
FIRST = (
    ('django.db.utils.ProgrammingError: relation "variant_variant" already exists', "several-containers-migrate"),
    ('could not translate host name "postgres" to address: Name or service not known', "database-host-unknown"),
    ('connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused', "nothing-waits-for-database"),
    ('OCI runtime create failed: runc create failed: unable to start container process: exec: "/app/entrypoint.sh": permission denied: unknown', "script-not-executable"),
    ("exec /app/entrypoint.sh: no such file or directory", "windows-line-endings"),
    ('exec: "/app/entrypoint.sh": stat /app/entrypoint.sh: no such file or directory: unknown', "mount-hides-entrypoint"),
    ('exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown', "probe-tool-missing"),
    ("dependency failed to start: container shop-web-1 is unhealthy", "healthcheck-shorter-than-migration"),
    ('FATAL:  password authentication failed for user "shop"', "volume-keeps-first-password"),
    ("FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version 15, which is not compatible with this version 16.4", "volume-of-another-version"),
    ("Can't locate revision identified by '20260918_0317'", "image-older-than-database"),
    ("ValueError: Missing staticfiles manifest entry for 'css/app.css'", "manifest-never-collected"),
    ("./entry.sh: line 51: 18 Killed ./manage.py migrate --no-input\nexited with code 137", "container-out-of-memory"),
    ("ImproperlyConfigured: Set the SECRET_KEY environment variable", "variable-never-reaches-container"),
    ('django.db.utils.ProgrammingError: relation "todo_item" does not exist', "models-without-migrations"),
    ('service "web" depends on undefined service "db": invalid compose project', "compose-file-refused"),
    (" > [build 6/7] RUN python manage.py collectstatic:\nKeyError: 'SECRET_KEY'\nprocess \"/bin/sh -c python manage.py collectstatic\" did not complete successfully: exit code: 1", "build-needs-secret-key"),
    (" > [5/7] RUN python manage.py migrate:\ncould not translate host name \"db\" to address: Name or service not known\nThe command returned a non-zero code: 1", "database-needed-at-build"),
    ('\x1b[36mdb-1   | \x1b[0m\nweb-1  | Traceback (most recent call last):\nweb-1  |   File "x.py", line 3\nweb-1  | psycopg.OperationalError: connection failed: FATAL:  password authentication failed for user "shop"\nweb-1 exited with code 1', "volume-keeps-first-password"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "rule"), FIRST)
def test_the_first_answer_is_the_likeliest(text: str, rule: str, tmp_path: Path) -> None:
    """What files can't show comes before what was looked for and is not here; a build is told."""
    files = {"compose.yaml": "services:\n  web:\n    image: example/web:1\n", "manage.py": MANAGE}
    project = written(tmp_path, files)
    assert errortext.explain(text, story.examine(project), project)[0].rule == rule


def test_what_the_project_does_not_have_comes_last(tmp_path: Path) -> None:
    """Pods are named first in a project that has manifests of some."""
    text = 'relation "shop_order" already exists'
    pods = dict(replicas_migrate_together.GOOD)
    rules = [one.rule for one in errortext.explain(text, (), written(tmp_path, pods))]
    assert rules[0] == "replicas-migrate-together"
    bare = written(tmp_path / "bare", {"compose.yaml": "services:\n  web:\n    image: a:1\n"})
    rules = [one.rule for one in errortext.explain(text, (), bare)]
    assert rules[-1] == "replicas-migrate-together"
