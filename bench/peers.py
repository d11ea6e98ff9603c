"""Other linters at their defaults, on the history that bench/review.py has written.

usage: python bench/review.py --keep DIR, then
       PYTHON bench/peers.py DIR POSTGRESQL_URL

PYTHON is that of an environment of their own: pip install "django<6" "psycopg[binary]" sqlalchemy
alembic squawk-cli django-migration-linter django-safe-migrations. The database at the URL has to be
empty: the history is applied to it, so that the SQL of each file is the one that would have run.
Prints for each label the files on which a linter says anything, and those of the harmless ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SETTINGS = """\
SECRET_KEY = "bench"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": {name!r},
    "HOST": {host!r}, "PORT": {port!r}, "USER": {user!r}, "PASSWORD": {password!r}}}}}
"""
MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
Says = Mapping[str, set[str]]


def begin(root: Path, url: str) -> None:
    """Make the generated folder a project of Django's."""
    parts = urlsplit(url)
    login = {"name": parts.path[1:], "host": parts.hostname, "port": str(parts.port),
             "user": parts.username, "password": parts.password or ""}  # fmt: skip
    (root / "settings.py").write_text(SETTINGS.format(**login))
    (root / "manage.py").write_text(MANAGE)
    (root / "shop/__init__.py").write_text("")
    (root / "shop/models.py").write_text("")
    os.chdir(root)
    sys.path.insert(0, str(root))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    import django

    django.setup()


def django_sql(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, SQL) of each migration, and apply it."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder
    from django.db.migrations.state import ProjectState

    loader = MigrationLoader(None)
    state = ProjectState()
    recorder = MigrationRecorder(connection)
    for app, name in sorted(loader.disk_migrations):
        migration = loader.get_migration(app, name)
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            migration.apply(state.clone(), editor, collect_sql=True)
        text = "\n".join(editor.collected_sql)
        yield name, f"BEGIN;\n{text}\nCOMMIT;\n" if migration.atomic else f"{text}\n"
        with connection.schema_editor(atomic=migration.atomic) as editor:
            state = migration.apply(state, editor)
        recorder.record_applied(app, name)


def squawk(sql: Path) -> Says:
    """Run squawk over files of SQL; return what it says of each."""
    program = str(Path(sys.executable).with_name("squawk"))
    said: dict[str, set[str]] = {}
    files = sorted(str(one) for one in sql.glob("*.sql"))
    done = subprocess.run([program, "--reporter", "Json", *files], capture_output=True, text=True)
    for row in json.loads(done.stdout):
        said.setdefault(Path(row["file"]).stem, set()).add(str(row["rule_name"]))
    return said


def migration_linter() -> Says:
    """Run django-migration-linter in this process; return what it says of each migration."""
    from django_migration_linter import MigrationLinter

    linter = MigrationLinter(str(Path.cwd()), no_cache=True, quiet=["ok"])
    out = StringIO()
    with redirect_stdout(out):
        linter.lint_all_migrations()
    said: dict[str, set[str]] = {}
    name = ""
    for line in out.getvalue().splitlines():
        found = re.match(r"\(\w+, (\w+)\)\.\.\. (ERR|WARNING)", line)
        if found:
            name = found[1]
            said[name] = {found[2]}
    return said


def safe_migrations() -> Says:
    """Run django-safe-migrations; return the rules that speak of each migration."""
    program = str(Path(sys.executable).with_name("check-migrations"))
    words = [program, "--format", "json"]
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(words, capture_output=True, text=True, env=environ)
    said: dict[str, set[str]] = {}
    rows: Any = json.loads(done.stdout[done.stdout.index("{") :])
    for row in rows.get("issues", []):
        name = str(row.get("migration_name") or Path(str(row.get("file_path"))).stem)
        said.setdefault(name, set()).add(str(row.get("rule_id")))
    return said


def labels(root: Path) -> dict[str, str]:
    """Return the label of each migration, as bench/review.py has kept it."""
    found: dict[str, str] = json.loads((root / "labels.json").read_text())
    return {Path(path).stem: label for path, label in found.items()}


def show(who: str, said: Says, known: Mapping[str, str], seconds: float) -> None:
    """Print one linter's table."""
    print(f"{who}: {seconds:.1f} s; files on which it says anything:")
    every = Counter(known.values())
    hit = Counter(known[name] for name in said if name in known)
    for label in sorted(every):
        print(f"  {label or 'harmless':<42} {hit[label]:>4} of {every[label]}")
    rules = Counter(rule for name, all_ in said.items() if known.get(name) == "" for rule in all_)
    print(f"  on the harmless: {', '.join(f'{rule} {n}' for rule, n in rules.most_common(6))}")


def main(argv: list[str]) -> int:
    """Run the peers."""
    if len(argv) != 2:
        print(__doc__)
        return 2
    root, url = Path(argv[0]).resolve(), argv[1]
    known = labels(root)
    begin(root / "django", url)
    sql = root / "sql"
    sql.mkdir(exist_ok=True)
    for name, text in django_sql(root / "django"):
        (sql / f"{name}.sql").write_text(text)
    mine = {path.stem: known[path.stem] for path in sql.glob("*.sql")}
    for who, run in (
        ("squawk, on the SQL", lambda: squawk(sql)),
        ("django-migration-linter", migration_linter),
        ("django-safe-migrations", safe_migrations),
    ):
        began = time.perf_counter()
        try:
            show(who, run(), mine, time.perf_counter() - began)
        except Exception as error:
            print(f"{who}: {type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
