"""What the demo makes on a machine, to be unmade however it ends: a folder and its processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

from tidegate.errors import Stopped, TidegateError

PATIENCE = 60.0  # seconds; every process of the demo has ended long before

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")

NOT_PASSED_ON = ("TIDEGATE_", "PG", "DJANGO_", "DATABASE_", "MIGRATE_ON_START",
                 "COLLECTSTATIC_ON_START", "AUTO_BACKUP")  # fmt: skip


class DemoFailed(TidegateError):
    """The demo did not go as its own sentences say."""

    exit_code = 70


@dataclass(slots=True)
class Stage:
    """What the demo made, to be unmade: the folder, and the processes with their groups."""

    folder: Path
    environ: dict[str, str]
    children: list[subprocess.Popen[Any]] = field(default_factory=list)
    servers: list[subprocess.Popen[Any]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        """The Django project."""
        return self.folder / "project"

    def start(self, command: Sequence[str], **more: Any) -> subprocess.Popen[Any]:
        """Start a process in a group of its own, so that Ctrl-C reaches the demo alone."""
        options: dict[str, Any] = {"cwd": self.project, "env": self.environ, **more}
        child: subprocess.Popen[Any] = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, start_new_session=True, **options
        )
        self.children.append(child)
        return child

    def run(self, command: Sequence[str], **more: Any) -> str:
        """Run a process that has to succeed; return its output."""
        child = self.start(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
        )
        out, _ = child.communicate(timeout=PATIENCE)
        self.children.remove(child)
        if child.returncode:
            raise DemoFailed(f"{_shown(command)} ended with {child.returncode}", str(out).strip())
        return str(out).rstrip()

    def tidegate(self, *words: str) -> list[str]:
        """Return the command line of tidegate for the project."""
        return [sys.executable, "-m", "tidegate", "--project", str(self.project), *words]


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn a signal into `Stopped`, once: a second one must not break the cleaning up."""

    def stop(number: int, frame: FrameType | None) -> None:
        _deafen()
        raise Stopped(number)

    old = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in SIGNALS}
    for number in old:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def stage(environ: Mapping[str, str]) -> Iterator[Stage]:
    """Make the folder; at the end, however it came, end the processes and remove the folder."""
    kept = {k: v for k, v in environ.items() if not k.startswith(NOT_PASSED_ON)}
    one = Stage(Path(tempfile.mkdtemp(prefix="tidegate-demo-")).resolve(), kept)
    try:
        yield one
    finally:
        _deafen()
        for child in one.children:
            _end(child, signal.SIGTERM)
        for child in one.servers:
            _end(child, signal.SIGQUIT)  # "at once": its data is thrown away
        shutil.rmtree(one.folder, ignore_errors=True)


def _deafen() -> None:
    for name in SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end(child: subprocess.Popen[Any], number: int) -> None:
    """End a process with a signal, and its whole group with SIGKILL if it does not."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(5)
    if child.stdout is not None:
        child.stdout.close()


def write_project(folder: Path) -> None:
    """Write the templates `*-tpl` out as the Django project."""
    folder.mkdir()
    with resources.as_file(resources.files("tidegate.workflows.demo") / "project") as source:
        for template in source.rglob("*-tpl"):
            target = folder / str(template.relative_to(source)).removesuffix("-tpl")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(template.read_text("utf-8"), "utf-8")


def _shown(command: Sequence[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:3]])
