"""`tidegate seal`: write down, at build time, what the image's code knows of its steps.

Needs no database and no secret: variables that the settings insist on are made up for the time of
the sealing and are not written anywhere.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any, NoReturn

from tidegate import discovery
from tidegate._version import __version__
from tidegate.container import sealfile
from tidegate.container.asking import RETRIES, Answer, Ask, TooLong
from tidegate.container.bytecode import compile_start
from tidegate.container.learning import Learned, learn
from tidegate.container.static import fingerprint
from tidegate.container.traces_left import TakenBack
from tidegate.contracts.framework import Project
from tidegate.errors import UsageProblem
from tidegate.model.level import heads, judge
from tidegate.model.step import Step

PATIENCE = 120.0  # seconds
ENV_FILES = (".env", ".env.local", ".flaskenv")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed, for whoever shows it."""

    path: str
    framework: str
    steps: dict[str, int]
    fast: bool
    why: str
    unsure: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def seal(
    root: Path,
    environ: Mapping[str, str],
    settings: Mapping[str, str],
    seconds: float = PATIENCE,
    tell: Callable[[str], None] | None = None,
) -> Sealed:
    """Write the seal of the project at `root`; `tell` hears of the progress.

    Where it takes more `seconds`, it is written without a recipe: boot then loads the settings.
    """
    project = discovery.find_project(root, environ, settings["framework"])
    path = sealfile.seal_path(str(root), environ)
    with _writable(path, environ):  # now, not after minutes of questions
        sealfile.try_out(path)
    ask = Ask(project, time.monotonic() + seconds, tell)
    learned = _learned(ask, environ)
    with TakenBack(str(project.root.resolve())):
        rows, body = _content(root, project, environ, settings, learned)
    with _writable(path, environ):
        sealfile.write(path, rows, body)
    compile_start()
    counts = {alias: len(some) for alias, some in body["steps"].items()}
    static = [row for row in rows if row[0] == "static" and row[1] != "-"]
    return Sealed(
        path,
        project.framework,
        counts,
        bool(learned.recipes),
        learned.why,
        learned.unsure,
        tuple(name for name in learned.static_variables if static and name not in environ),
    )


@contextmanager
def _writable(path: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Say what a seal that can't be written means."""
    try:
        yield
    except OSError as error:
        named = environ.get("TIDEGATE_SEAL")
        raise UsageProblem(
            f"{path} can't be written: {error.strerror}",
            "TIDEGATE_SEAL names this place."
            if named
            else "The seal lies in the project's folder, which this user may not write to.",
            "correct TIDEGATE_SEAL, or leave it out"
            if named
            else "seal before `USER` in the Dockerfile, or name another place with TIDEGATE_SEAL",
        ) from None


def _content(
    root: Path,
    project: Project,
    environ: Mapping[str, str],
    settings: Mapping[str, str],
    learned: Learned,
) -> tuple[list[tuple[str, ...]], dict[str, dict[str, Any]]]:
    """Return the lines of the seal, and what is read only where they don't suffice."""
    connections = project.connections()
    steps = {one.alias: project.steps(one.alias) for one in connections}
    static = project.static_files()
    _refuse_gaps(steps)
    watched = _watched(root, project, steps, learned)
    by_name = project.ids_are_file_names
    absent = [str(root / name) for name in ENV_FILES if not (root / name).exists()]
    statics = [(name, _digest(environ.get(name))) for name in learned.static_variables]
    rows: list[tuple[str, ...]] = [
        ("version", __version__),
        ("framework", project.framework),
        ("root", str(root)),
        *_config(project, environ),
        *(("shape", name, _digest(environ.get(name))) for name in learned.shape_variables),
        *(("static-shape", *one) for one in statics),
        *(("watch", path) for path in watched),
        *(("absent", path) for path in absent),
        ("signature", sealfile.signature(watched)),
        ("quick", "names" if by_name else "times", sealfile.signature(watched, not by_name)),
        *(("variable", name) for name in learned.variables),
        *(("switch", name) for name in learned.switches),
        *(("alias", one.alias) for one in connections),
        *_logins(learned),
        *_expected(project, connections, steps),
        ("static", static.root if static else "-", fingerprint(static) if static else "-"),
        *(("setting", name, value) for name, value in sorted(settings.items())),
    ]
    if learned.why:
        rows.append(("why", learned.why))
    rows = [tuple(column.replace("\t", " ").replace("\n", " ") for column in row) for row in rows]
    return rows, {
        "steps": {alias: [asdict(step) for step in some] for alias, some in steps.items()},
        "files": sealfile.digests(watched),
        "tables": {
            one.alias: [one.version_table, one.version_schema, one.tenants] for one in connections
        },
    }


def _learned(ask: Ask, environ: Mapping[str, str]) -> Learned:
    """Learn the recipes, and give this process the variables that the settings insist on."""
    if not hasattr(os, "fork"):
        return Learned(why="this system has no fork: seal on Linux, where the image is built")
    try:
        first = ask(environ, make_up=RETRIES)
    except TooLong:
        raise UsageProblem(
            f"the project was not loaded within {ask.seconds:.0f} seconds",
            "Sealing imports the settings (Django) or runs env.py up to its connect (Alembic).",
            "give it more time: tidegate seal --timeout SECONDS",
        ) from None
    if first.error:
        _refuse(first, environ)
    learned = learn(ask, environ, first)
    os.environ.update(first.made_up)
    return learned


def _refuse(answer: Answer, environ: Mapping[str, str]) -> NoReturn:
    """Say why the settings can't be asked, and which invented value it may be."""
    if answer.advice:
        raise UsageProblem(answer.error, *answer.advice)
    where = f"{answer.where}: " if answer.where else ""
    names = [name for name in answer.made_up if name in answer.error] or [answer.last]
    if names[0] in answer.made_up and names[0] not in environ:
        raise UsageProblem(
            f"the project can't be loaded: {where}{answer.error}",
            f"{names[0]} is not set here, so a value was made up for it, and the settings take "
            "none of those that were tried.",
            f"give it one that they take; it is not kept: RUN {names[0]}=… tidegate seal",
        )
    raise UsageProblem(
        f"the project can't be loaded: {where}{answer.error}",
        "Sealing imports the settings (Django) or runs env.py up to its connect (Alembic).",
        "make that work while the image is built, without a database: see the error above",
    )


def _refuse_gaps(steps: Mapping[str, Sequence[Step]]) -> None:
    """A step that needs one which isn't there can never be applied."""
    for some in steps.values():
        known = {step.id for step in some} | {old for step in some for old in step.replaces}
        for step in some:
            missing = [need for need in step.needs if need not in known]
            if missing:
                raise UsageProblem(
                    f"step {step.id} needs {missing[0]}, and there is no such step",
                    f"A file is missing beside {step.path}, or .dockerignore leaves it out.",
                    "restore the file (git status), then seal again",
                )


def _watched(
    root: Path, project: Project, steps: Mapping[str, Sequence[Step]], learned: Learned
) -> list[str]:
    folders = {os.path.dirname(step.path) for some in steps.values() for step in some if step.path}
    folders |= set(project.step_folders())
    files = set(learned.files)
    if "ALEMBIC_CONFIG" in project.identity():
        files.add(project.identity()["ALEMBIC_CONFIG"])
        files |= {os.path.join(os.path.dirname(folder), "env.py") for folder in folders}
    for name in (*ENV_FILES, "manage.py", "pyproject.toml", "tidegate.toml"):
        files.add(str(root / name))
    inside = {path for path in files if os.path.exists(path)}
    folders -= {path for path in folders if os.path.isfile(path)}
    return sorted(folders | {path for path in inside if os.path.dirname(path) not in folders})


def _config(project: Project, environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [
        ("config", name, environ.get(name) or value, "environ" if environ.get(name) else "default")
        for name, value in project.identity().items()
        if name != "ALEMBIC_CONFIG" or environ.get(name)
    ]


def _digest(value: str | None) -> str:
    return "-" if value is None else sha256(value.encode()).hexdigest()[:16]


def _logins(learned: Learned) -> list[tuple[str, ...]]:
    """One line a recipe."""
    rows = []
    for recipe in learned.recipes:
        columns: list[str] = []
        for key, (kind, source) in recipe.fields.items():
            columns += [key, kind, source]
        for key, value in recipe.options.items():
            columns += [f"option:{key}", "const", str(value)]
        rows.append(("login", recipe.alias, recipe.vendor, ",".join(recipe.pattern), *columns))
    return rows


def _expected(
    project: Project, connections: Sequence[object], steps: Mapping[str, Sequence[Step]]
) -> list[tuple[str, ...]]:
    """What the server's digest of the recorded rows is when the database is current."""
    rows: list[tuple[str, ...]] = []
    for one in connections:
        alias = one.alias  # type: ignore[attr-defined]
        some = steps[alias]
        if project.framework == "alembic":
            names = sorted(heads(some))
        else:
            names = sorted({s.id for s in some} | {old for s in some for old in s.replaces})
            assert judge(some, names).state == "current"
        digest = md5(",".join(names).encode(), usedforsecurity=False).hexdigest()
        rows.append(("expect", alias, str(len(names)), digest, _digest_sql(project, one)))
    return rows


def _digest_sql(project: Project, connection: object) -> str:
    """Return the query whose one row is (count, md5 over all, version)."""
    if project.framework == "alembic":
        table = project.recorded_sql(connection).split(" FROM ", 1)[1]  # type: ignore[arg-type]
        name = "version_num::text"
    else:
        table, name = "django_migrations", "(app || '.' || name)"
        if connection.tenants:  # type: ignore[attr-defined]
            table = f"({project.recorded_sql(connection)}) AS level"  # type: ignore[arg-type]
    listed = f"string_agg({name}, ',' ORDER BY {name} COLLATE \"C\")"
    return f"SELECT count(*), md5(coalesce({listed}, '')) FROM {table}"


def as_json(sealed: Sealed) -> str:
    """Return the result for machines."""
    return json.dumps(asdict(sealed), indent=2)
