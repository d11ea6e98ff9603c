"""A text that a child process works out while this one goes on: two processors for one start."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Aside:
    """Begins at once; `text` waits for the end, and `end` leaves no child behind.

    No thread: Python runs one of them at a time.
    """

    def __init__(self, work: Callable[[], str]) -> None:
        self._work = work
        self._pid, self._read = 0, -1
        if hasattr(os, "fork"):
            self._begin()

    def _begin(self) -> None:
        self._read, write = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:  # no process to be had: it is done here, when it is asked for
            os.close(write)
            return
        if not self._pid:
            try:
                os.write(write, self._work().encode())
            finally:
                os._exit(0)
        os.close(write)

    def text(self) -> str:
        """Return it; where the child has come to nothing, it is worked out here."""
        said = b""
        while self._pid and (part := os.read(self._read, 1 << 16)):
            said += part
        self.end()
        return said.decode() or self._work()

    def end(self) -> None:
        """Take back what is left of the child."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1
        if self._pid:
            try:
                os.waitpid(self._pid, 0)
            except ChildProcessError:  # whoever started us has ignored SIGCHLD
                pass
            self._pid = 0
