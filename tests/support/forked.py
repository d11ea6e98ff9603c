"""The command line in a child of this process, which has read tidegate's modules already.

A new interpreter reads them anew for each command: half a second of processor time in which
nothing is tested. The child has streams, variables and an exit code of its own, as any program
has. Tests about the program's start, signals and terminals start a real one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import tidegate.frontends.cli.commands.doctor
import tidegate.frontends.cli.commands.init  # noqa: F401
from tidegate.__main__ import main
from tidegate.workflows.doctor import story


def tidegate_in(
    root: Path, *argv: str, stdin: str = "", timeout: int = 120, as_anybody: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `tidegate --project ROOT ARGV…` to its end.

    `as_anybody` takes from root what no other user has: to read what is closed.
    """
    command = ["--project", str(root), *argv]
    if not hasattr(os, "fork"):
        return subprocess.run(
            [sys.executable, "-m", "tidegate", *command],
            input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    story.checks()  # read once, in the parent
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin.encode())
        given.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # threads of the test runner: the child has none
            child = os.fork()
        if not child:
            _become(command, (given.fileno(), out.fileno(), err.fileno()), timeout, as_anybody)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(command, code, said[0], said[1])


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def _read_as_anybody() -> None:
    """Let the modes of files hold for root too, in this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(0x20080522, 0), (_Data * 2)()
    if libc.capget(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capget")
    data[0].effective &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    data[0].permitted &= ~0b110  # which access(2) looks at
    if libc.capset(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capset")


def _become(
    command: list[str], streams: tuple[int, int, int], timeout: int, as_anybody: bool
) -> None:
    """Run in the child, and never come back."""
    code = 70
    try:
        signal.alarm(timeout)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if as_anybody and os.geteuid() == 0:
            _read_as_anybody()
        code = main(command)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
