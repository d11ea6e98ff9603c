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
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tidegate.container import pydantic
from tidegate.container.imports import Imports
from tidegate.container.lookups import Own, watch_environ
from tidegate.container.traces_left import TakenBack
from tidegate.contracts.framework import Project
from tidegate.errors import TidegateError

RETRIES = 40  # variables without a default, and forms of them, that we are ready to make up
STUCK = 12  # times the same error, after which no invented variable is thought to mend it
TELL = 5.0  # seconds between two words about the progress


@dataclass(frozen=True, slots=True)
class Answer:
    """What the settings said.

    `connections` as dictionaries; `shape` is text over all that decides which migrations there
    are; `reads` the variables looked at; `made_up` what had to be invented; `iterated` whether
    the whole environment was walked (pydantic does); `files` the project's own modules that were
    imported, `libraries` the modules of others that these brought along, and that have nothing
    from the environment. `static` is what decides
    where static files come from and go to; `error` the kind and text of what ended it, `where` the
    line of the project that it came from, `last` the variable that was looked up before, `wrong`
    the variables whose values pydantic says it does not take.
    """

    connections: list[dict[str, Any]] = field(default_factory=list)
    shape: str = ""
    static: str = ""
    reads: list[str] = field(default_factory=list)
    made_up: dict[str, str] = field(default_factory=dict)
    iterated: bool = False
    files: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    error: str = ""
    advice: list[str] = field(default_factory=list)
    where: str = ""
    last: str = ""
    wrong: list[str] = field(default_factory=list)


def made_up_values(name: str) -> tuple[str, ...]:
    """Return values for a required variable that isn't set, the likeliest form first."""
    upper = name.upper()
    database = "postgresql://seal:seal@seal.invalid:5432/seal"
    word = "made-up-while-sealing-0123456789abcdefghijklmnopqrstuvwxyz"
    other = "https://seal@seal.invalid/1"
    if any(part in upper for part in ("REDIS", "BROKER", "CELERY", "CACHE", "AMQP", "RABBIT")):
        return ("redis://seal.invalid:6379/0", database, other, word)
    if any(part in upper for part in ("URL", "URI", "DSN")):
        # What a URL without a driver means changed between SQLAlchemy 2.0 and 2.1.
        named = database.replace("postgresql:", "postgresql+psycopg2:")
        return (database, named, other, "redis://seal.invalid:6379/0", word)
    if "PORT" in upper or upper.endswith(("_ID", "_TIMEOUT", "_AGE", "_SIZE")):
        return ("5432", word, "true")
    return (word, "5432", "true", database, "{}")


class TooLong(Exception):
    """The questions took longer than they may."""


class Ask:
    """Puts questions to one project, until a deadline of the monotonic clock."""

    def __init__(
        self,
        project: Project,
        until: float = float("inf"),
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.project = project
        self.until = until
        self.asked = 0
        self.cold = True  # a child says what it imports: nobody has warmed up by it yet
        self._tell = tell
        self._began = self._told = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time that is given to all questions."""
        return self.until - self._began

    def __call__(self, environ: Mapping[str, str], make_up: int = 0) -> Answer:
        """Return what the project says under `environ`. Raises TooLong past the deadline.

        Up to `make_up` required variables that are not set are invented, one after the other;
        where the settings don't accept a form of one, it is given another.
        """
        given = dict(environ)
        made_up: dict[str, str] = {}
        forms: dict[str, list[str]] = {}
        refusal: Answer | None = None
        errors: list[tuple[str, str]] = []
        for _ in range(make_up or 1):
            answer, missing = self._question({**given, **made_up})
            if not make_up or not answer.error:
                return replace(answer, made_up=made_up)
            errors.append((answer.error, answer.where))
            if errors[-STUCK:] == [errors[-1]] * STUCK or _is_no_variables_doing(answer, made_up):
                named = {k: v for k, v in made_up.items() if k in answer.error}
                return replace(refusal or answer, made_up=named)
            fresh = [name for name in missing if name not in given and name not in made_up]
            for name in fresh:
                made_up[name], *forms[name] = made_up_values(name)
                refusal = None
            if fresh:
                continue
            refusal = refusal or answer  # of the likeliest form: what a person can use
            left = [name for name in (*answer.wrong, *reversed(made_up)) if forms.get(name)]
            if not left:
                return replace(refusal, made_up=made_up)
            made_up[left[0]] = forms[left[0]].pop(0)
        return Answer(error="the settings ask for more variables than can be made up")

    def _question(self, environ: Mapping[str, str]) -> tuple[Answer, list[str]]:
        now = time.monotonic()
        if now > self.until:
            raise TooLong
        if self._tell and now - self._told > TELL:
            self._told = now
            self._tell(f"asked the settings {self.asked} times in {now - self._began:.0f} s")
        self.asked += 1
        return _in_child(self.project, environ, self.cold)


def _is_no_variables_doing(answer: Answer, made_up: Mapping[str, str]) -> bool:
    """Whether the project can't be loaded whatever its environment is."""
    kind = answer.error.partition(":")[0]
    return not made_up and kind in ("ImportError", "ModuleNotFoundError", "SyntaxError")


def _in_child(project: Project, environ: Mapping[str, str], cold: bool) -> tuple[Answer, list[str]]:
    """Return the answer, and the variables that were missing."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(project, environ, cold, read_end, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        return Answer(error="the settings ended the process"), []
    raw = json.loads(data)
    return Answer(**raw["answer"]), raw["missing"]


def _child(
    project: Project, environ: Mapping[str, str], cold: bool, read_end: int, write_end: int
) -> None:
    """Answer over the pipe; never returns."""
    try:
        os.close(read_end)
        gc.disable()
        silence = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(silence, fd)
        root = str(project.root.resolve())
        imports = Imports()
        own = Own(root, environ)
        watch = watch_environ(environ, own, imports)
        before = set(sys.modules)
        missing: list[str] = []
        wrong: list[str] = []
        with TakenBack(root), imports:
            try:
                found = [_plain(asdict(one)) for one in project.connections()]
                files, others = _imported(own, before, imports) if cold else ([], [])
                shape, static = _shape(project)
                answer = Answer(found, shape, static, files=files, libraries=others)
            except BaseException as error:
                missing, wrong = pydantic.refused(error)
                if not missing and not wrong:
                    missing = watch.missing[-1:]
                answer = _told(error, own)
        answer = replace(
            answer,
            reads=watch.read(environ),
            iterated=watch.blindly,
            last=watch.last,
            wrong=wrong,
        )
        said = {"answer": asdict(answer), "missing": missing}
        data = json.dumps(said).encode()
        while data:
            data = data[os.write(write_end, data) :]
    finally:
        os._exit(0)


def _told(error: BaseException, own: Own) -> Answer:
    """Say what ended the settings, and at which line of the project's own."""
    if isinstance(error, TidegateError):
        return Answer(error=error.what, advice=[error.meaning, error.next])
    where, trace = "", error.__traceback__
    while trace is not None:
        file = os.path.realpath(trace.tb_frame.f_code.co_filename)
        if own.holds(file):
            where = f"{own.shown(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    text = f"{type(error).__name__}: {error}"
    return Answer(error=text[:600], where=where)


def _plain(connection: dict[str, Any]) -> dict[str, Any]:
    password = connection["password"]
    connection["password"] = password.reveal() if hasattr(password, "reveal") else str(password)
    return connection


def _shape(project: Project) -> tuple[str, str]:
    """Return all of the configuration that decides which migrations, and static files, exist."""
    if project.framework != "django":
        return "", ""
    from django.conf import settings

    def values(*names: str) -> dict[str, str]:
        return {name: str(getattr(settings, name, None)) for name in names}

    steps = values("INSTALLED_APPS", "MIGRATION_MODULES", "DATABASE_ROUTERS", "AUTH_USER_MODEL")
    static = values("STATIC_ROOT", "STATICFILES_DIRS", "STORAGES")
    return json.dumps([steps, sorted(settings.DATABASES)]), json.dumps(static)


def _imported(own: Own, before: set[str], imports: Imports) -> tuple[list[str], list[str]]:
    """Return (the project's own files, the names of library modules) that loading brought in.

    What reads the environment while it is imported is the project's own in this, too.
    """
    files, others = set(), []
    readers = imports.readers
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or not file:
            continue
        if own.holds(file):
            files.add(os.path.realpath(file))
            continue
        others.append(name)
        if name in readers:
            files.add(os.path.realpath(file))
    return sorted(path for path in files if path.endswith(".py")), imports.fresh(others)


def warm_up(ask: Ask, answer: Answer) -> None:
    """Import here the libraries that the settings import, so that a forked child has them."""
    ask.cold = False
    for name in answer.libraries:
        try:
            importlib.import_module(name)
        except Exception:
            continue  # one that wants settings first is left to the child
    gc.collect()
    gc.freeze()  # or each child's collector would copy every page of ours
