"""The rehearsal's process: started with the project's own Python, spoken with in JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import tidegate
from tidegate.errors import TidegateError, UsageProblem
from tidegate.process import Command, Talk
from tidegate.workflows.ownpython import own_python

Event = dict[str, Any]
T = TypeVar("T")


def aside(work: Callable[[], T]) -> Future[T]:
    """Do `work` beside what comes next."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work)
    finally:
        pool.shutdown(wait=False)


class Refused(TidegateError):
    """What the other side refused, with its own exit code."""


class Runner:
    """One process of the project's Python, with the inside of tidegate in it."""

    def __init__(self, talk: Talk, translate: Callable[[Event], Event] | None = None) -> None:
        self._talk = talk
        self._translate = translate
        self._lines = talk.lines()

    def ask(self, do: str, on_event: Callable[[Event], None], **job: Any) -> None:
        """Send one job and hand its events on, up to its end."""
        self._talk.say(json.dumps({"do": do, **job}))
        for line in self._lines:
            event: Event = json.loads(line)
            kind = event["event"]
            if kind == "done":
                return
            if kind == "refused":
                error = Refused(event["what"], event["meaning"], event["next"])
                error.exit_code = int(event["exit_code"])
                raise error
            if kind == "broken" and _is_ours(event["traceback"]):
                raise RuntimeError(event["traceback"])
            if kind == "broken":
                raise UsageProblem(
                    f"the project can't be rehearsed: {event['what']}",
                    _last_of_project(event["traceback"]),
                    "correct it; the framework's own commands raise the same",
                )
            on_event(self._translate(event) if self._translate else event)
        said = "\n".join(self._talk.errors[-8:]) or self._talk.why
        raise UsageProblem(
            "the rehearsal's process ended before its work was done", said,
            "see that the project's Python can run its own migrate command",
        )  # fmt: skip


def _is_ours(text: str) -> bool:
    """Whether the innermost frame is tidegate's own: then the error is, too."""
    files = [line for line in text.splitlines() if line.strip().startswith("File ")]
    return bool(files) and "/tidegate/rehearsal/" in files[-1].replace("\\", "/")


def _last_of_project(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("File ")]
    own = [line for line in lines if "site-packages" not in line and "tidegate" not in line]
    return (own or lines or [""])[-1]


@contextmanager
def runner(
    root: Path,
    python: str,
    environ: Mapping[str, str],
    heard: Callable[[str], None] | None,
    module: str = "tidegate.rehearsal",
) -> Iterator[Runner]:
    """Start the process, `module` of ours; end it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-inside-"))
    try:
        more = {**environ, "PYTHONPATH": _path_to_us(folder, environ), "PYTHONUNBUFFERED": "1"}
        argv = (python, "-m", module)
        with Talk(Command(argv, cwd=str(root), environ=more), heard) as talk:
            if talk.why:
                raise UsageProblem(
                    f"{python} can't be started: {talk.why}",
                    "The steps run in the project's own environment.",
                    "name its Python with --python PATH",
                )
            yield Runner(talk)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _path_to_us(folder: Path, environ: Mapping[str, str]) -> str:
    """Make a folder that holds this package and nothing else of our environment."""
    package = Path(tidegate.__file__).resolve().parent
    try:
        (folder / "tidegate").symlink_to(package, target_is_directory=True)
    except OSError:  # Windows without the right to make links
        shutil.copytree(package, folder / "tidegate")
    before = environ.get("PYTHONPATH", "")
    return str(folder) + (os.pathsep + before if before else "")


def project_python(root: Path, given: str, environ: Mapping[str, str]) -> str:
    """Return the project's Python: named, of the active or its own environment, or ours."""
    return own_python(root, environ, given)
