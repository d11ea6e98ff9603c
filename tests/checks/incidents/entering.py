"""Incidents of entrypoints: endings, modes, shebangs, mounts, signals, failures that nobody saw."""

from __future__ import annotations

from checks.incidents.base import BUILT, COPIED, SCRIPTED, Incident

DIRECT = COPIED + 'RUN chmod +x /app/entrypoint.sh\nENTRYPOINT ["/app/entrypoint.sh"]\n'
SCRIPT = "#!/bin/sh\nset -e\nexec gunicorn site.wsgi\n"

INCIDENTS = (
    Incident(
        "a checkout on Windows turned the script's endings",
        "exec ./entrypoint.sh: no such file or directory",
        "windows-line-endings",
        "entrypoint.sh:1",
        {
            "Dockerfile": DIRECT,
            "entrypoint.sh": SCRIPT.replace("\n", "\r\n"),
            "compose.yaml": BUILT,
        },
        {"entrypoint.sh": SCRIPT},
    ),
    Incident(
        "the interpreter is given, and the second line fails",
        "/config/entrypoint.sh: set: line 2: illegal option -",
        "windows-line-endings",
        "start.sh:1",
        {"Dockerfile": SCRIPTED, "start.sh": SCRIPT.replace("\n", "\r\n"), "compose.yaml": BUILT},
        {
            "Dockerfile": COPIED
            + "RUN sed -i 's/\\r//' /app/start.sh\n"
            + 'ENTRYPOINT ["sh", "/app/start.sh"]\n'
        },
    ),
    Incident(
        "the image converts the script, and a later COPY brings it back",
        "/bin/sh: /entrypoint.sh: not found",
        "windows-line-endings",
        "entrypoint.sh:1",
        {
            "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY entrypoint.sh .\nRUN sed -i 's/\\r//' entrypoint.sh\nCOPY . .\nRUN chmod +x /app/entrypoint.sh\nENTRYPOINT [\"/app/entrypoint.sh\"]\n",
            "entrypoint.sh": SCRIPT.replace("\n", "\r\n"),
            "compose.yaml": BUILT,
        },
        {
            "Dockerfile": DIRECT.replace(
                "RUN chmod", "RUN sed -i 's/\\r//' /app/entrypoint.sh && chmod"
            )
        },
    ),
    Incident(
        "a bind mount shows the host's file, without the bit that the image set",
        'exec: "/usr/src/app/entrypoint.sh": permission denied: unknown',
        "script-not-executable",
        "Dockerfile:5",
        {
            "Dockerfile": DIRECT,
            "entrypoint.sh": SCRIPT,
            "compose.yaml": BUILT + "    volumes:\n      - .:/app\n",
        },
        {"Dockerfile": COPIED + 'ENTRYPOINT ["sh", "/app/entrypoint.sh"]\n'},
    ),
    Incident(
        "chmod came before the last COPY",
        'exec: "/home/app/web/entrypoint.prod.sh": permission denied: unknown',
        "script-not-executable",
        "Dockerfile:6",
        {
            "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY ./entrypoint.sh .\nRUN chmod +x /app/entrypoint.sh\nCOPY . /app\nENTRYPOINT ["/app/entrypoint.sh"]\n',
            "entrypoint.sh": SCRIPT,
            "compose.yaml": BUILT,
        },
        {"Dockerfile": DIRECT},
    ),
    Incident(
        "the script has no first line",
        'exec user process caused "exec format error"',
        "script-without-shebang",
        "entrypoint.sh:1",
        {"Dockerfile": DIRECT, "entrypoint.sh": SCRIPT[10:], "compose.yaml": BUILT},
        {"entrypoint.sh": SCRIPT},
    ),
    Incident(
        "a byte order mark stands before the shebang",
        "exec /app/entrypoint.sh: exec format error",
        "script-without-shebang",
        "entrypoint.sh:1",
        {"Dockerfile": DIRECT, "entrypoint.sh": "\ufeff" + SCRIPT, "compose.yaml": BUILT},
        {"entrypoint.sh": SCRIPT},
    ),
    Incident(
        "bash on Alpine",
        "exec /app/entrypoint.sh: no such file or directory",
        "interpreter-missing",
        "entrypoint.sh:1",
        {
            "Dockerfile": DIRECT.replace("3.12", "3.12-alpine"),
            "entrypoint.sh": SCRIPT.replace("/sh", "/bash"),
            "compose.yaml": BUILT,
        },
        {
            "Dockerfile": DIRECT.replace("3.12", "3.12-alpine").replace(
                "RUN chmod", "RUN apk add --no-cache bash && chmod"
            )
        },
    ),
    Incident(
        "the mounted folder does not have manage.py",
        "python: can't open file 'manage.py': [Errno 2] No such file or directory",
        "mount-hides-entrypoint",
        "compose.yaml:6",
        {
            "Dockerfile": COPIED,
            "manage.py": "print()\n",
            "src/keep.txt": "",
            "compose.yaml": BUILT
            + "    command: python manage.py runserver\n    volumes:\n      - ./src:/app\n",
        },
        {
            "compose.yaml": BUILT
            + "    command: python manage.py runserver\n    volumes:\n      - .:/app\n"
        },
    ),
    Incident(
        "the code is neither copied nor mounted",
        "python: can't open file 'manage.py'",
        "started-file-not-in-image",
        "compose.yaml:4",
        {
            "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY requirements.txt .\n",
            "requirements.txt": "django\n",
            "manage.py": "print()\n",
            "compose.yaml": BUILT + "    command: python manage.py runserver\n",
        },
        {"Dockerfile": COPIED},
    ),
    Incident(
        "run-server.sh starts gunicorn as a child",
        "SIGTERM swallowed by bash; SIGKILL after grace",
        "app-never-gets-the-stop-signal",
        "start.sh:3",
        {
            "Dockerfile": COPIED + 'CMD ["/bin/bash", "start.sh"]\n',
            "start.sh": "#!/usr/bin/env bash\nHYPHEN='-'\ngunicorn --bind 0.0.0.0:8088 'app:create()'\n",
            "compose.yaml": BUILT,
        },
        {
            "start.sh": "#!/usr/bin/env bash\nHYPHEN='-'\nexec gunicorn --bind 0.0.0.0:8088 'app:create()'\n"
        },
    ),
    Incident(
        "CMD in shell form",
        "web exited with code 137",
        "app-never-gets-the-stop-signal",
        "Dockerfile:4",
        {
            "Dockerfile": COPIED + "CMD gunicorn app:app --bind 0.0.0.0:8000\n",
            "compose.yaml": BUILT,
        },
        {"Dockerfile": COPIED + 'CMD ["gunicorn", "app:app", "--bind", "0.0.0.0:8000"]\n'},
    ),
    Incident(
        "the container starts although the migration failed",
        'sqlalchemy.exc.ProgrammingError: column "x" does not exist',
        "failed-migration-is-ignored",
        "start.sh:2",
        {
            "Dockerfile": SCRIPTED,
            "start.sh": "#!/bin/sh\nflask db upgrade\nexec gunicorn app\n",
            "compose.yaml": BUILT,
        },
        {"start.sh": "#!/bin/sh\nset -euo pipefail\nflask db upgrade\nexec gunicorn app\n"},
    ),
    Incident(
        "a semicolon lets the server run on a half-migrated database",
        'relation "jobs" does not exist',
        "failed-migration-is-ignored",
        "Dockerfile:4",
        {
            "Dockerfile": COPIED
            + 'CMD ["sh", "-c", "alembic upgrade head; exec uvicorn app:app"]\n',
            "compose.yaml": BUILT,
        },
        {
            "Dockerfile": COPIED
            + 'CMD ["sh", "-c", "alembic upgrade head && exec uvicorn app:app"]\n'
        },
    ),
    Incident(
        "a failure that the script calls true",
        'relation "jobs" does not exist',
        "failed-migration-is-ignored",
        "start.sh:3",
        {
            "Dockerfile": SCRIPTED,
            "start.sh": "#!/bin/sh\nset -e\nairflow db migrate || true\nexec gunicorn app\n",
            "compose.yaml": BUILT,
        },
        {"start.sh": "#!/bin/sh\nset -e\nairflow db migrate || exit 1\nexec gunicorn app\n"},
    ),
    Incident(
        "two execs, and the first replaced the shell",
        "You have 3 unapplied migration(s)",
        "unreachable-after-exec",
        "start.sh:4",
        {
            "Dockerfile": SCRIPTED,
            "start.sh": "#!/bin/sh\nset -e\nexec s6-setlock /data/lock true\nexec python manage.py check\n",
            "compose.yaml": BUILT,
        },
        {"start.sh": "#!/bin/sh\nset -e\nexec s6-setlock /data/lock python manage.py check\n"},
    ),
)
