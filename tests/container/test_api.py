"""tidegate from Python: values come back, errors are raised, and nothing is loaded early."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.gate import Database
from support.projects import SmallProject

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Fresh = Callable[[str], Database]


def python(code: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=100,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_of_the_reference(tmp_path: Path) -> None:
    """The examples of the reference page run, one after the other, on the example project."""
    root = tmp_path / "menuplanner"
    shutil.copytree(ROOT / "examples" / "menuplanner", root)
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    examples = PYTHON.findall(page)
    assert len(examples) == 11
    out = python("\n".join(examples), root, DATABASE_URL=f"sqlite:///{tmp_path}/menu.db")
    lines = out.splitlines()
    assert lines[0].startswith("alembic [('alembic', 'empty', ")
    assert lines[1].startswith("alembic current ")
    assert lines[2] == "alembic () ()"
    assert lines[3].startswith(str(root / "backups"))
    assert lines[4].startswith("down (") and "is dropped" in lines[4]
    assert [line.split()[1:3] for line in lines[5:7]] == [["migrate", "done"], ["backup", "done"]]
    assert lines[7].startswith("[")
    assert int(lines[8].split()[0]) > 3


def test_errors_are_raised(tmp_path: Path, fresh: Fresh) -> None:
    """What the commands end with is raised, with what to type next."""
    project, database = SmallProject(tmp_path / "app", "django", 2), fresh("newest")
    code = """if 1:
        import logging, sys, tidegate
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
        (done,) = tidegate.migrate(target="shop.0001_step")
        assert done == tidegate.Migrated("default", "behind", ("shop.0001_step",)), done
        assert tidegate.migrate()[0].applied == ("shop.0002_step",)
        try:
            tidegate.migrate(target="shop.0001_step")
        except tidegate.PolicyRefused as error:
            assert "rollback" in error.next, error.next
        else:
            raise SystemExit("went backwards")
        try:
            tidegate.status("nowhere")
        except tidegate.TidegateError as error:
            print(type(error).__name__, error.exit_code)
    """
    out = python(code, project.root, **database.environ)
    assert out.splitlines() == ["UsageProblem 2"]
    wrong = database.url.replace(":" + database.parts["POSTGRES_PASSWORD"], ":wrong")
    code = """if 1:
        import tidegate
        try:
            tidegate.wait(timeout=5)
        except tidegate.RefusedForGood as error:
            print(error.exit_code, error.lines())
    """
    assert python(code, project.root, DATABASE_URL=wrong).startswith("4 ")


def test_going_back(tmp_path: Path) -> None:
    """What loses data is refused without its own word; with it the steps are undone, and that is
    on record. A backup that was taken is a way, too."""
    root = tmp_path / "menuplanner"
    shutil.copytree(ROOT / "examples" / "menuplanner", root)
    code = """if 1:
        import tidegate
        (done,) = tidegate.migrate()
        found = tidegate.rollback(plan=True)
        assert (found.steps, found.done) == (tuple(reversed(done.applied)), False), found
        assert found.way == "down" and found.loses and found.word, found
        for word in ("", "0123456789ab"):
            try:
                tidegate.rollback(approve=word)
            except tidegate.PolicyRefused as error:
                assert f"approve={found.word!r}" in error.next, error.next
            else:
                raise SystemExit("data was lost without a word")
        gone = tidegate.rollback(approve=found.word)
        assert (gone.done, gone.level) == (True, ()), gone
        assert tidegate.status().databases[0].pending == done.applied
        assert [run.kind for run in tidegate.history()] == ["migrate", "rollback"]
        try:
            tidegate.rollback(to="nowhere")
        except tidegate.UsageProblem as error:
            print(error.exit_code, error.what)
    """
    out = python(code, root, DATABASE_URL=f"sqlite:///{tmp_path}/menu.db")
    assert out.startswith("2 nowhere is no step")


def test_nothing_is_loaded_early(tmp_path: Path) -> None:
    """`import tidegate` loads nothing but itself; each name of the list is there
    and in the stub."""
    code = (
        "import sys, tidegate\n"
        "assert sorted(n for n in sys.modules if n.startswith('tidegate')) == "
        "['tidegate'], sys.modules\n"
        "assert not hasattr(tidegate, 'nothing')\n"
        "print(len([getattr(tidegate, name) for name in tidegate.__all__]))"
    )
    assert int(python(code, tmp_path)) > 10
    stub = (ROOT / "src" / "tidegate" / "__init__.pyi").read_text()
    names = set(re.findall(r" as (\w+)$", stub, re.MULTILINE))
    assert names == set(python("import tidegate; print(*tidegate.__all__)", tmp_path).split())
