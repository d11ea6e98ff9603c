"""The only door to other programs: argv values, streams, a deadline, redaction.

A command is a list that can be printed, compared, and only then run. No shell is involved.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.model.command import Command, redacted

__all__ = [
    "FOR_READING",
    "Command",
    "Result",
    "Talk",
    "attached",
    "present",
    "redacted",
    "revision",
    "run",
]


FOR_READING = 2 * 2**30  # bytes: what another program may take to read a project's files


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended. `code` is None when it could not be started or ran out of time."""

    command: Command
    code: int | None
    out: str
    err: str
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0


def run(
    command: Command,
    timeout: float = 60.0,
    stdin: str | None = None,
    line: Callable[[str], None] | None = None,
    apart: bool = False,
    keep: bool = True,
    exact: bool = False,
    memory: int = 0,
) -> Result:
    """Run `command` to its end and return how it ended; never raises for what the command did.

    `timeout` in seconds. `line` gets every line of its stderr and stdout as it comes (both are
    drained side by side, so neither can block the other); what it raises ends the command, and is
    raised here. A command that runs out of time is terminated, then killed. `apart` keeps a Ctrl-C
    at the terminal from the command: it reaches us alone, and we decide how the command ends.
    Without `keep` the output goes to `line` alone.
    `exact` leaves stdout as it is: what is read by a program would break where a password is a
    word of it.
    With `memory` (bytes) the system ends the command, and what it starts, at that much memory or
    at work for a third of `timeout`: hostile files can make others take all there is (Linux alone).
    """
    try:
        child = subprocess.Popen(
            command.argv,
            cwd=command.cwd or None,
            env={**os.environ, **command.environ},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            **(_apart() if apart else {}),
        )
    except OSError as error:
        return Result(command, None, "", "", error.strerror or str(error))
    if memory:
        _bounded(child.pid, memory, timeout)
    kept: dict[str, list[str]] = {"out": [], "err": []}
    refused: list[BaseException] = []

    def drain(name: str) -> None:
        stream = child.stdout if name == "out" else child.stderr
        assert stream is not None
        for text in stream:  # to its end, whatever happens: a full pipe would stop the child
            if keep:
                kept[name].append(text)
            if line is None or refused:
                continue
            try:
                line(redacted(text.rstrip("\r\n"), command.secrets))
            except BaseException as error:
                refused.append(error)
                child.terminate()

    readers = [threading.Thread(target=drain, args=(name,), daemon=True) for name in kept]
    for reader in readers:
        reader.start()
    why = ""
    try:
        if stdin is not None and child.stdin is not None:
            try:
                child.stdin.write(stdin)
                child.stdin.close()
            except OSError:
                pass  # it ended without reading: its exit code says why
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        why = f"it took longer than {timeout:g} s"
        _end(child)
    except BaseException:
        _end(child)
        raise
    for reader in readers:
        reader.join(5)
    if refused:
        raise refused[0]
    out, err = ("".join(kept[name]) for name in ("out", "err"))
    code = None if why else child.returncode
    out = out if exact else redacted(out, command.secrets)
    return Result(command, code, out, redacted(err, command.secrets), why)


def _bounded(pid: int, memory: int, seconds: float) -> None:
    """Bound a child that has just begun; those that it starts inherit it."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, int(seconds / 3) + 1)):
        try:
            resource.prlimit(pid, what, (most, most))
        except (OSError, ValueError):  # it has ended, or a lower bound holds already
            pass


def attached(command: Command) -> Result:
    """Run `command` on our own terminal, streams and all; return how it ended."""
    try:
        child = subprocess.Popen(
            command.argv, cwd=command.cwd or None, env={**os.environ, **command.environ}
        )
    except OSError as error:
        return Result(command, None, "", "", error.strerror or str(error))
    try:
        return Result(command, child.wait(), "", "")
    except BaseException:
        _end(child)  # a Ctrl-C has reached it as well; it had its own chance to end
        raise


def revision(root: os.PathLike[str]) -> str:
    """Return the revision that a tree is at; nothing where that can't be told."""
    done = run(Command(("git", "rev-parse", "--short", "HEAD"), cwd=os.fspath(root)), 10)
    return done.out.strip() if done.ok else ""


def present(program: str) -> bool:
    """Return whether `program` is on the PATH."""
    import shutil

    return shutil.which(program) is not None


def _apart() -> dict[str, Any]:
    """Return what makes a child the leader of a process group of its own."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def _end(child: subprocess.Popen[Any]) -> None:
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Talk:
    """A command that is spoken with, line by line; its stderr goes to `heard`.

    Use it as a context manager: at the end the command is asked to stop, then made to. `apart` as
    for `run`.
    """

    def __init__(
        self, command: Command, heard: Callable[[str], None] | None = None, apart: bool = False
    ) -> None:
        self.command = command
        self.why = ""
        self.errors: list[str] = []
        self._heard = heard
        try:
            self._child: subprocess.Popen[str] | None = subprocess.Popen(
                command.argv,
                cwd=command.cwd or None,
                env={**os.environ, **command.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                **(_apart() if apart else {}),
            )
        except OSError as error:
            self._child, self.why = None, error.strerror or str(error)
            return
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *about: object) -> None:
        self.end()

    def _drain(self) -> None:
        assert self._child is not None and self._child.stderr is not None
        for text in self._child.stderr:
            line = redacted(text.rstrip("\r\n"), self.command.secrets)
            self.errors = [*self.errors[-200:], line]
            if self._heard is not None:
                self._heard(line)

    def say(self, line: str) -> None:
        """Write one line to it; that it has gone shows when it is listened to."""
        if self._child is None or self._child.stdin is None:
            return
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except OSError:
            pass

    def lines(self) -> Iterator[str]:
        """Yield what it prints, up to its end."""
        if self._child is not None and self._child.stdout is not None:
            for text in self._child.stdout:
                yield text.rstrip("\r\n")

    def runs(self) -> bool:
        """Return whether it has not ended yet."""
        return self._child is not None and self._child.poll() is None

    def end(self) -> int | None:
        """Close its input, wait a moment, then end it; return its exit code."""
        child = self._child
        if child is None:
            return None
        try:
            if child.stdin is not None:
                child.stdin.close()
        except OSError:
            pass
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            _end(child)
        self._reader.join(2)
        return child.returncode
