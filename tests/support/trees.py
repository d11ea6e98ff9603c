"""Projects written out as a user has them, file by file, and asked through tidegate's own door."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.gate import APP, Ended, Runner, Started
from support.projects import POSTGRESQL, put

MANAGE = """\
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""


@dataclass
class Tree:
    """A project's folder, and the environment that its processes get."""

    root: Path
    runner: Runner
    environ: dict[str, str]

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            put(self.root / name, text.replace("postgresql+psycopg://", f"{POSTGRESQL}://"))

    def own(self, *command: str) -> str:
        """Run one of the framework's own commands by `python -m`; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.root, capture_output=True, text=True,
            env=self.runner.environ(self.environ), timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **more: Any) -> Ended:
        return self.runner(*arguments, cwd=self.root, env=self.environ, **more)

    def start(self, *flags: str) -> Started:
        return self.runner.start("boot", *flags, "--", *APP, cwd=self.root, env=self.environ)

    def boot(self, *flags: str, traced: bool = False) -> Ended:
        """Boot; it must become the app."""
        python = ("-X", "importtime") if traced else ()
        done = self.run("boot", "--timeout", "20", *flags, "--", *APP, python=python)
        assert (done.code, done.out) == (0, "app started\n"), done.said
        return done

    def databases(self, *flags: str) -> dict[str, dict[str, Any]]:
        """What `status` says of each database, by alias."""
        done = self.run("--format", "json", "status", *flags)
        assert done.code in (0, 1), done.said
        return {one["alias"]: one for one in json.loads(done.out)["databases"]}

    def states(self) -> dict[str, str]:
        return {alias: one["state"] for alias, one in self.databases().items()}


def revision(
    own: str, down: object, *sql: str, depends_on: object = None, labels: object = None
) -> str:
    """The text of one Alembic revision that runs these statements."""
    lines = "".join(f"    op.execute({one!r})\n" for one in sql) or "    pass\n"
    return (
        f"from alembic import op\n\nrevision = {own!r}\ndown_revision = {down!r}\n"
        f"branch_labels = {labels!r}\ndepends_on = {depends_on!r}\n\n\n"
        f"def upgrade():\n{lines}\n\ndef downgrade():\n    pass\n"
    )


def migration(operations: str = "", **attributes: object) -> str:
    """The text of one Django migration; operations as source, one a line."""
    lines = "".join(f"    {name} = {value}\n" for name, value in attributes.items())
    body = "".join(f"        {line},\n" for line in operations.splitlines())
    return (
        "from django.conf import settings\nfrom django.db import migrations, models\n\n\n"
        f"class Migration(migrations.Migration):\n{lines}    operations = [\n{body}    ]\n"
    )


def make(table: str) -> str:
    """A migration's operation that creates a table."""
    return f"migrations.RunSQL('CREATE TABLE {table} (id integer)')"
