"""A program between what is written and where it goes: it packs, encrypts or decrypts."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO

from tidegate.container.backup.archive import CHUNK, Sink
from tidegate.errors import StepFailed


class Broken(StepFailed):
    """The program between failed; `said` is the first useful line of what it said."""

    def __init__(self, program: str, said: str) -> None:
        super().__init__(
            f"{program} failed: {said}", "Nothing was kept of this backup, and nothing was "
            "changed.", "see what it says",
        )  # fmt: skip
        self.program, self.said = program, said


@contextmanager
def filtered(argv: list[str], out: Sink, environ: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """Give the door of a program; what comes out of it is written to `out`.

    Raises what `out` raised, before what the program says, before what the writer met.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, env=dict(environ), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=said)  # fmt: skip
        assert process.stdin and process.stdout
        failed: list[BaseException] = []
        pumping = threading.Thread(target=_pump, args=(process, out, failed), daemon=True)
        pumping.start()
        broken = False
        try:
            try:
                yield process.stdin
                process.stdin.close()
            except BrokenPipeError:
                broken = True  # it ended early: why is told below
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            pumping.join()
            process.stdout.close()
            with suppress(OSError):
                process.stdin.close()
        if failed:
            raise failed[0]
        if code or broken:
            said.seek(0)
            raise Broken(os.path.basename(argv[0]), last(said.read()))


def _pump(process: subprocess.Popen[bytes], out: Sink, failed: list[BaseException]) -> None:
    assert process.stdout
    try:
        while chunk := process.stdout.read(CHUNK):
            out.write(chunk)
    except BaseException as error:  # raised by the one who writes
        failed.append(error)
        process.kill()


def last(said: bytes) -> str:
    """Return the line of a program's errors that says what is wrong."""
    lines = [one.strip() for one in said.decode("utf-8", "replace").splitlines() if one.strip()]
    useful = [one for one in lines if "report unexpected" not in one]
    return (useful or ["it said nothing"])[0]
