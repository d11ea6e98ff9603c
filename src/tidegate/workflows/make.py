"""The story of `tidegate make`: the framework's own autogenerate, with the file on the host.

With a target it runs in a one-off container whose code is the host's, laid over the image's, as
the owner of the host's files. Without one it runs with the project's own virtual environment.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Target, Teller
from tidegate.errors import PolicyRefused, StateNotCurrent, UsageProblem
from tidegate.model.command import Command
from tidegate.model.finding import Findings
from tidegate.process import present, run
from tidegate.targets import archive
from tidegate.workflows.making import asking, inside
from tidegate.workflows.ownpython import own_python
from tidegate.workflows.update import hostcode, insiding, standing
from tidegate.workflows.update.hostcode import ROOT, owner
from tidegate.workflows.update.pending import refuse_unreachable

IGNORED = ("node_modules", "__pycache__", "site-packages")


@dataclass(slots=True)
class Wanted:
    """What the user wants made."""

    message: str = ""
    app: str = ""
    empty: bool = False
    merge: bool = False
    renames: Mapping[str, str] = field(default_factory=dict)
    dropped: Sequence[str] = ()
    filled: Sequence[str] = ()
    renumber: bool = False
    scratch: bool = False  # Alembic: compare with what the revisions make, not with the database
    lenient: bool = False  # an answer may name nothing: it was given for changes to come
    ask: asking.Ask | None = None  # None: nobody is there to answer


@dataclass(slots=True)
class Making:
    """Where commands run: in a container with the host's code, or here. `folder` is the host's."""

    folder: Path
    tell: Teller
    target: Target | None = None
    user: str = ""
    mounts: dict[str, str] = field(default_factory=dict)
    python: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    stands: dict[str, Any] = field(default_factory=dict)

    @property
    def django(self) -> bool:
        """Whether the project is Django's."""
        return (self.folder / "manage.py").is_file()

    def command(self, *words: str, more: Mapping[str, str] | None = None) -> Command:
        """Return the command that runs the project's Python; `more` are mounts for it."""
        if self.target is None:
            return Command((self.python, *words), cwd=str(self.folder), environ=QUIET)
        return self.target.once(
            self.target.backend, (self.target.python(), *words), user=self.user,
            mounts={**self.mounts, **(more or {})},
            environ=[f"{name}={value}" for name, value in {**QUIET, "HOME": "/tmp"}.items()],
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        """Return where the databases stand for the host's code; asked once."""
        if not self.stands:
            self.stands = self._status()
        return self.stands

    def _status(self) -> dict[str, Any]:
        if self.target is None:
            return insiding.status(self.inside("--format", "json", "status", "--local"))
        asking = ("--format", "json", "status")
        return insiding.status(
            self.target.inside(asking, self.target.backend, mounts=self.mounts, user=self.user)
        )

    def own(self, paths: Sequence[Path]) -> None:
        """Give files that root made in the container to whom their folder belongs."""
        if self.target is None or self.user != ROOT:
            return
        workdir = next(iter(self.mounts))
        names = [f"{workdir}/{path.relative_to(self.folder).as_posix()}" for path in paths]
        words = ("chown", owner(self.folder), *names)
        code = {
            workdir: self.mounts[workdir]
        }  # an environment below it would be copied for nothing
        run(self.target.once(self.target.backend, words, user=ROOT, mounts=code), 60)

    def inside(self, *words: str) -> Command:
        """Return the command that runs a verb of the inside here, as the project's own Python."""
        pyz = archive.cached(self.environ or os.environ)
        return Command((self.python, str(pyz), "--project", str(self.folder), *words),
                       environ=QUIET)  # fmt: skip


QUIET = {"PYTHONDONTWRITEBYTECODE": "1"}


def through(target: Target, tell: Teller) -> Making:
    """Return how commands run in the target, with the host's code over the image's."""
    if not target.source:
        raise UsageProblem(
            f"it is not known where the code of {target.backend} lies on this machine",
            "The migration's file has to land there.",
            'set source = "FOLDER" under [tool.tidegate.compose] in pyproject.toml',
        )
    standing.prepared(target, target.backend, tell)
    folder = Path(target.source)
    mounts, user = hostcode.mounts(target), owner(folder)
    one = Making(folder, tell, target, user, mounts)
    if user and any(each["vendor"] == "sqlite" for each in one.status()["databases"]):
        one.user = ROOT  # the database's file belongs to the app's user, and only root is both
    return one


def here(root: Path, tell: Teller, environ: Mapping[str, str], python: str = "") -> Making:
    """Return how commands run without containers: in the project's own virtual environment."""
    found = own_python(root, environ, python)
    return Making(root, tell, python=found, environ=environ)


def make(one: Making, wanted: Wanted) -> tuple[list[Path], list[str]]:
    """Make the migration; return the created files, and the SQL that they stand for.

    Raises PolicyRefused while the database that is compared with is not current, StateNotCurrent
    when there is nothing to make.
    """
    if not wanted.merge:
        refuse_behind(one)
    elif not wanted.renumber:
        asking.try_both_orders(one)
    created, outcome = written(one, wanted)
    if not created and wanted.merge:
        raise StateNotCurrent("there is nothing to join: there is one head", "", "go on")
    if not created:
        raise StateNotCurrent(
            "there is nothing to make: the models and the migrations agree",
            asking.why_nothing(outcome),
            "change a model first; for an empty migration to write by hand: --empty",
        )
    return created, outcome["sql"]


def written(one: Making, wanted: Wanted) -> tuple[list[Path], dict[str, Any]]:
    """Run autogenerate; return the created files, and what came of it; none stays on an error."""
    before = migration_files(one.folder)
    try:
        outcome = asking.settled(lambda job: inside.authored(one, job), wanted)
    except BaseException:
        remove(sorted(migration_files(one.folder) - before))
        raise
    created = sorted(path for path in migration_files(one.folder) - before)
    if created:
        one.own(created)
    created = [path for path in created if path.name != "__init__.py"]
    for note in outcome.get("notes", ()):
        one.tell.stage("make", "", note)
    if created:
        formatted(one, created)
    return created, outcome


def refuse_behind(one: Making) -> None:
    """Alembic compares with the database, which has to be current; Django with its files alone."""
    for database in one.status()["databases"]:
        if one.django:
            _note_behind(one, database)
            continue
        _refuse_heads(database["heads"])
        refuse_unreachable(database)
        if database["state"] not in ("current",):
            raise PolicyRefused(
                f"database {database['alias']} is {database['state']}, not current",
                f"Pending: {', '.join(database['pending'][:5]) or 'none'}; unknown here: "
                f"{', '.join(database['unknown'][:5]) or 'none'}. What is compared with it now "
                "would be made a second time, or be taken back.",
                "tidegate migrate",
            )


def _refuse_heads(heads: Sequence[str]) -> None:
    if len(heads) < 2:
        return
    raise PolicyRefused(
        f"there are {len(heads)} heads: {', '.join(heads)}; no file was made",
        "A new revision comes after one of them, and the other would be left beside it.",
        "join them first: tidegate make --merge",
    )


def _note_behind(one: Making, database: Mapping[str, Any]) -> None:
    """Say where the database stands: what counts its rows can only count what is there."""
    alias, state = database["alias"], database["state"]
    if state == "current":
        return
    if state == "unreachable":
        one.tell.stage("make", alias, "can't be reached: no row of it was counted")
        return
    steps = database["pending"] or database["unknown"]
    more = f" and {len(steps) - 3} more" if len(steps) > 3 else ""
    word = "pending" if database["pending"] else "unknown here"
    stands = f"{state} ({word}: {', '.join(steps[:3])}{more})"
    one.tell.stage("make", alias, f"{stands}; Django compares with the files, and goes on")


def formatted(one: Making, paths: Sequence[Path]) -> None:
    """Format the files with what the project uses itself, where that is on this machine."""
    names = [str(path) for path in paths]
    text = ""
    if (one.folder / "pyproject.toml").is_file():
        text = (one.folder / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    if (one.folder / ".pre-commit-config.yaml").is_file() and present("pre-commit"):
        words: tuple[str, ...] = ("pre-commit", "run", "--files", *names)
    elif ("[tool.ruff" in text or (one.folder / "ruff.toml").is_file()) and present("ruff"):
        words = ("ruff", "format", "--quiet", *names)
    elif "[tool.black" in text and present("black"):
        words = ("black", "--quiet", *names)
    else:
        return
    run(Command(words, cwd=str(one.folder)), 120)
    one.tell.stage("format", "", words[0])


def review(root: Path, paths: Sequence[Path]) -> Findings | None:
    """Return what is wrong with the files, where rules are installed; None where none are.

    The rules are found by name, so that this works before and without them.
    """
    try:
        module: Any = importlib.import_module("tidegate.workflows.check.review")
    except ModuleNotFoundError:
        return None
    function: Callable[[Path, Sequence[Path]], Findings] | None = getattr(module, "review", None)
    return function(root, paths) if function else None


def migration_files(folder: Path) -> set[Path]:
    """Return the Python files in folders of migrations."""
    found: set[Path] = set()
    for top, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in IGNORED]
        where = Path(top).relative_to(folder).parts
        if {"migrations", "versions", "alembic"} & set(where):
            found.update(Path(top) / name for name in names if name.endswith(".py"))
    return found


def remove(paths: Sequence[Path]) -> None:
    """Remove files that were made; one that is gone is none."""
    for path in paths:
        path.unlink(missing_ok=True)
