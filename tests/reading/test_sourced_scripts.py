"""What a script sources, or calls by a path of its own, is part of the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.incidents.base import BUILT, COPIED, DB, Tree
from checks.test_check_examples import seen, written

ENTRY = COPIED + 'ENTRYPOINT ["/app/bin/boot.sh"]\nCMD ["gunicorn", "site.wsgi"]\n'
LIBRARY = "raise_schema() {\n  python manage.py migrate --noinput\n}\n"
SHORT = BUILT + "    depends_on: [db]\n" + DB
WAYS = {
    "dirname": '. "$(dirname "$0")/lib.sh"',
    "a suffix taken off": '. "${0%/*}/lib.sh"',
    "the file's own name": 'source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"',
    "a variable": 'HERE="$(cd "$(dirname "$0")" && pwd)"\n. "$HERE/lib.sh"',
    "a folder above": '. "$(cd "$(dirname "$0")/.." && pwd)/bin/lib.sh"',
    "from the working directory": ". bin/lib.sh",
    "a full path": "source /app/bin/lib.sh",
    "behind cd": "cd bin\n. ./lib.sh",
    "a file that sources it": ". bin/all.sh",
}


def tree(boot: str, **more: str) -> Tree:
    """A project whose image starts `bin/boot.sh`, with two replicas."""
    files = {f"bin/{name}.sh*": text for name, text in more.items()}
    return {
        "Dockerfile": ENTRY, "compose.yaml": SHORT.replace("build: .", "build: .\n    scale: 2"),
        "bin/boot.sh*": f"#!/bin/bash\n{boot}", "bin/lib.sh*": LIBRARY, **files,
    }  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda one: one.replace(" ", "-"))
def test_a_sourced_function_is_followed_to_its_own_line(way: str, tmp_path: Path) -> None:
    """Who migrates, who waits for nothing and whose failure is ignored is seen in the library."""
    boot = f'{WAYS[way]}\nraise_schema\nexec "$@"\n'
    all_of_them = {"all": "source /app/bin/lib.sh\n"} if "all.sh" in boot else {}
    found = seen(written(tmp_path, tree(boot, **all_of_them)))
    assert ("several-containers-migrate", "bin/lib.sh:2") in found
    assert ("failed-migration-is-ignored", "bin/lib.sh:2") in found
    assert "nothing-waits-for-database" in {rule for rule, _ in found}


QUIET = {
    "set -e of the library": (
        '. "$(dirname "$0")/lib.sh"\nraise_schema\nexec "$@"\n',
        "set -e\nuntil nc -z db 5432; do sleep 1; done\n" + LIBRARY,
    ),
    "a wait in the library": (
        'set -e\n. "$(dirname "$0")/lib.sh"\nwait_db\nraise_schema\nexec "$@"\n',
        "wait_db() {\n  until nc -z db 5432; do sleep 1; done\n}\n" + LIBRARY,
    ),
    "a wait in a script beside it": (
        'set -e\ncd "$(dirname "$0")"\n./wait.sh && . ./lib.sh\nraise_schema\nexec "$@"\n',
        LIBRARY,
    ),
    "a failure that ends the function": (
        '. "${0%/*}/lib.sh"\nraise_schema || exit 1\nexec "$@"\n',
        "nc -z db 5432\n" + LIBRARY,
    ),
}


@pytest.mark.parametrize("case", QUIET, ids=lambda one: one.replace(" ", "-"))
def test_a_library_that_copes_is_seen_too(case: str, tmp_path: Path) -> None:
    """A wait or a `set -e` in what is sourced or called keeps the checks silent."""
    boot, library = QUIET[case]
    files = tree(boot, wait="#!/bin/sh\nuntil nc -z db 5432; do sleep 1; done\n")
    rules = {rule for rule, _ in seen(written(tmp_path, {**files, "bin/lib.sh*": library}))}
    assert not rules & {"failed-migration-is-ignored", "nothing-waits-for-database"}


def test_a_library_with_windows_line_endings(tmp_path: Path) -> None:
    """The file with the carriage returns is named, though the engine never executes it."""
    files = tree('set -e\n. "$(dirname "$0")/lib.sh"\nexec "$@"\n')
    files["bin/lib.sh*"] = LIBRARY.replace("\n", "\r\n")
    assert ("windows-line-endings", "bin/lib.sh:1") in seen(written(tmp_path, files))


def test_files_that_source_each_other_end(tmp_path: Path) -> None:
    """A circle of files is read once around."""
    files = tree(". /app/bin/lib.sh\nraise_schema\n")
    files["bin/lib.sh*"] = ". /app/bin/boot.sh\n" + LIBRARY
    assert ("several-containers-migrate", "bin/lib.sh:3") in seen(written(tmp_path, files))


SWALLOWED = {
    "in a function": ("up() {\n  python manage.py migrate || true\n}\nset -e\nup\n", 3),
    "an if that only speaks": (
        "set -e\nif ! python manage.py migrate; then\n  echo failed\nfi\n", 3,
    ),
    "an if without else": ("set -e\nif python manage.py migrate; then echo fine; fi\n", 3),
    "an else that only speaks": (
        "set -e\nif python manage.py migrate; then echo fine; else echo bad; fi\n", 3,
    ),
    "a function with arguments": ('run() {\n  "$@" || echo failed\n}\nrun python manage.py migrate\n', 3),
}  # fmt: skip
NOTICED = {
    "the if ends": "if ! python manage.py migrate; then\n  echo failed\n  exit 1\nfi\n",
    "the else ends": "if python manage.py migrate; then echo fine; else die failed; fi\n",
    "the if tries again": "if ! python manage.py migrate; then sleep 5; python manage.py migrate || exit 1; fi\n",
    "the app stands in the if": 'if python manage.py migrate; then exec "$@"; fi\nexit 1\n',
    "the function's call ends": "up() {\n  python manage.py migrate\n}\nup || exit 1\n",
}


@pytest.mark.parametrize("case", SWALLOWED, ids=lambda one: one.replace(" ", "-"))
def test_a_swallowed_failure_is_named(case: str, tmp_path: Path) -> None:
    """The app starts although the migration failed, whatever hides it."""
    text, line = SWALLOWED[case]
    found = seen(written(tmp_path, tree(text + 'exec "$@"\n')))
    assert ("failed-migration-is-ignored", f"bin/boot.sh:{line}") in found


@pytest.mark.parametrize("case", NOTICED, ids=lambda one: one.replace(" ", "-"))
def test_a_failure_that_is_looked_at_is_let_be(case: str, tmp_path: Path) -> None:
    """A branch that ends the script, tries again or calls something else is no silence."""
    text = NOTICED[case]
    found = seen(written(tmp_path, tree(text if "exec" in text else f'{text}exec "$@"\n')))
    assert "failed-migration-is-ignored" not in {rule for rule, _ in found}
