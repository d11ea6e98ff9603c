"""What an incident is, and the texts that many of them share."""

from __future__ import annotations

from dataclasses import dataclass, field

Tree = dict[str, str]

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n'
GUNICORN = 'CMD ["gunicorn", "site.wsgi", "--bind=0.0.0.0:8000"]\n'
COPIED = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"
DOCKERFILE = COPIED + GUNICORN
SCRIPTED = COPIED + 'ENTRYPOINT ["sh", "/app/start.sh"]\n'
BUILT = "services:\n  web:\n    build: .\n"
PROBE = 'healthcheck:\n      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres"]\n'
DB = f"  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: shop\n    {PROBE}"


@dataclass(frozen=True)
class Incident:
    """Something that happened to somebody.

    `said` is what was printed, `rule` and `at` what doctor has to say, `bad` the project then and
    `mended` the files that were changed.
    """

    name: str
    said: str
    rule: str
    at: str
    bad: Tree
    mended: Tree = field(default_factory=dict)

    @property
    def good(self) -> Tree:
        return {**self.bad, **self.mended}
