"""Ask a project's settings a question in a forked child, under an environment of our choice.

A child imports the settings (or runs env.py up to its connect) once and is thrown away, so each
question gets fresh modules and nothing leaks into this process. Needs `os.fork`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tidegate.contracts.framework import Project

RETRIES = 40  # variables without a default, and forms of them, that we are ready to make up


@dataclass(frozen=True, slots=True)
class Answer:
    """What the settings said.

    `connections` as dictionaries; `shape` is text over all that decides which migrations there
    are; `reads` the variables looked at; `made_up` what had to be invented; `iterated` whether
    the whole environment was walked (pydantic does); `files` the project's own modules that were
    imported, `libraries` the modules of others that these brought along.
    """

    connections: list[dict[str, Any]] = field(default_factory=list)
    shape: str = ""
    reads: list[str] = field(default_factory=list)
    made_up: dict[str, str] = field(default_factory=dict)
    iterated: bool = False
    files: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    error: str = ""


def made_up_values(name: str) -> tuple[str, ...]:
    """Return values for a required variable that isn't set, the likeliest form first."""
    upper = name.upper()
    database = "postgresql://seal:seal@seal.invalid:5432/seal"
    word = "made-up-while-sealing-0123456789abcdefghijklmnopqrstuvwxyz"
    other = "https://seal@seal.invalid/1"
    if any(part in upper for part in ("REDIS", "BROKER", "CELERY", "CACHE", "AMQP", "RABBIT")):
        return ("redis://seal.invalid:6379/0", database, other, word)
    if any(part in upper for part in ("URL", "URI", "DSN")):
        return (database, other, "redis://seal.invalid:6379/0", word)
    if "PORT" in upper or upper.endswith(("_ID", "_TIMEOUT", "_AGE", "_SIZE")):
        return ("5432", word, "true")
    return (word, "5432", "true", database, "{}")


def ask(project: Project, environ: Mapping[str, str], make_up: int = 0) -> Answer:
    """Return what the project says under `environ`.

    Up to `make_up` required variables that are not set are invented, one after the other; when
    the settings don't accept the last one's form, it is given another.
    """
    given = dict(environ)
    made_up: dict[str, str] = {}
    forms: list[str] = []
    last, refused = "", ""
    for _ in range(make_up or 1):
        answer, missing = _in_child(project, {**given, **made_up})
        if not make_up or not answer.error:
            return replace(answer, made_up=made_up)
        fresh = [name for name in missing if name not in given and name not in made_up]
        for last in fresh:
            made_up[last], *forms = made_up_values(last)
            refused = ""
        if fresh:
            continue
        refused = refused or answer.error  # of the likeliest form: what a person can use
        if not forms:
            return replace(answer, made_up=made_up, error=refused)
        made_up[last] = forms.pop(0)
    return Answer(error="the settings ask for more variables than can be made up")


def _in_child(project: Project, environ: Mapping[str, str]) -> tuple[Answer, list[str]]:
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(project, environ, read_end, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        return Answer(error="the settings ended the process"), []
    raw = json.loads(data)
    return Answer(**raw["answer"]), raw["missing"]


def _child(project: Project, environ: Mapping[str, str], read_end: int, write_end: int) -> None:
    """Answer over the pipe; never returns."""
    try:
        os.close(read_end)
        gc.disable()
        silence = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(silence, fd)
        watch = watch_environ(environ, str(project.root.resolve()))
        before = set(sys.modules)
        answer, missing = Answer(error="interrupted"), []
        try:
            found = [_plain(asdict(one)) for one in project.connections()]
            own, others = _imported(project, before)
            answer = Answer(found, _shape(project), files=own, libraries=others)
        except BaseException as error:
            answer = Answer(error=f"{type(error).__name__}: {error}"[:300])
            missing = watch.missing[-1:] or _named_by_pydantic(error)
        answer = replace(answer, reads=sorted(watch.reads), iterated=watch.iterated)
        data = json.dumps({"answer": asdict(answer), "missing": missing}).encode()
        while data:
            data = data[os.write(write_end, data) :]
    finally:
        os._exit(0)


def _plain(connection: dict[str, Any]) -> dict[str, Any]:
    password = connection["password"]
    connection["password"] = password.reveal() if hasattr(password, "reveal") else str(password)
    return connection


def _shape(project: Project) -> str:
    """Return all of the configuration that decides which migrations and static files exist."""
    if project.framework != "django":
        return ""
    from django.conf import settings

    names = ("INSTALLED_APPS", "MIGRATION_MODULES", "DATABASE_ROUTERS", "STATIC_ROOT",
             "STATICFILES_DIRS", "STORAGES", "AUTH_USER_MODEL")  # fmt: skip
    engines = {alias: raw.get("ENGINE") for alias, raw in settings.DATABASES.items()}
    values = {name: str(getattr(settings, name, None)) for name in names}
    return json.dumps([values, sorted(engines)])


def _imported(project: Project, before: set[str]) -> tuple[list[str], list[str]]:
    """Return (the project's own files, the names of library modules) that loading brought in."""
    root = str(project.root.resolve()) + os.sep
    own, others = set(), []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or not file:
            continue
        path = os.path.realpath(file)
        if path.startswith(root) and "site-packages" not in path:
            own.add(path)
        else:
            others.append(name)
    return sorted(path for path in own if path.endswith(".py")), others


def warm_up(answer: Answer) -> None:
    """Import here the libraries that the settings import, so that a forked child has them."""
    for name in answer.libraries:
        try:
            importlib.import_module(name)
        except Exception:
            continue  # one that wants settings first is left to the child
    gc.collect()
    gc.freeze()  # or each child's collector would copy every page of ours


def _named_by_pydantic(error: BaseException) -> list[str]:
    """pydantic-settings walks the environment, and names what it lacks in its error."""
    problems = getattr(error, "errors", None)
    if not callable(problems):
        return []
    try:
        return [str(one["loc"][0]).upper() for one in problems() if one.get("type") == "missing"]
    except (KeyError, IndexError, TypeError):
        return []


class Watch:
    """What was looked up in the environment; `missing` only where the project's own code asked."""

    def __init__(self, root: str = "") -> None:
        self.reads: set[str] = set()
        self.missing: list[str] = []
        self.iterated = False
        self._root = root + os.sep

    def lacks(self, name: str) -> None:
        """Note a variable that isn't there, unless a library asked for its own ends."""
        if self._is_asked_by_project():
            self.missing.append(name)

    def _is_asked_by_project(self) -> bool:
        """Walk the callers up to one of the project's files, or to an import that it began."""
        frame = sys._getframe(2)
        while frame is not None and "importlib" not in frame.f_code.co_filename:
            path = os.path.realpath(frame.f_code.co_filename)
            if path.startswith(self._root) and "site-packages" not in path:
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


def watch_environ(environ: Mapping[str, str], root: str) -> Watch:
    """Put `environ` in place of this process's environment and record every look-up."""
    watch = Watch(root)
    for name in list(os.environ):
        if name not in environ:
            del os.environ[name]
    os.environ.update(environ)
    kind = type(os.environ)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getitem__(self, name: str) -> str:
            watch.reads.add(name)
            try:
                return str(kind.__getitem__(self, name))
            except KeyError:
                watch.lacks(name)
                raise

        def get(self, name: str, default: Any = None) -> Any:
            watch.reads.add(name)
            try:
                return kind.__getitem__(self, name)
            except KeyError:
                watch.lacks(name)
                return default

        def __contains__(self, name: object) -> bool:
            watch.reads.add(str(name))
            there = kind.__contains__(self, name)
            if not there:
                watch.lacks(str(name))
            return bool(there)

        def __iter__(self) -> Any:
            watch.iterated = True
            return kind.__iter__(self)

    os.environ.__class__ = Watched
    return watch
