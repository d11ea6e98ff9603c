"""SIGTERM and SIGINT while we work: stop the statement that runs, then unwind.

Python runs a handler only between two bytecodes of the main thread, and a driver waiting in C for
a long statement gives it none. So a thread reads the byte that the interpreter writes at the very
moment a signal comes (`signal.set_wakeup_fd`), and cancels the statement from there: at the server,
or inside this process for SQLite (https://sqlite.org/c3ref/interrupt.html).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from tidegate.errors import Stopped

WATCHED = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Installed for the time of a command; `on_stop` are called from another thread."""

    def __init__(self) -> None:
        self.stopped = 0
        self.on_stop: list[Callable[[], None]] = []
        self._taken: list[int] = []
        self._pipe: tuple[int, int] | None = None
        self.event = threading.Event()

    def install(self) -> Signals:
        """Begin to watch; what was ignored when we were started stays ignored."""
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        for number in WATCHED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._taken.append(number)
                signal.signal(number, self._raise)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(self._pipe[0],), daemon=True).start()
        return self

    def restore(self) -> None:
        """Put everything back as it was; SIGPIPE too, which Python ignores and exec would keep."""
        signal.set_wakeup_fd(-1)
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)
        for name in ("SIGPIPE", "SIGXFSZ"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            return  # already unwinding: a second signal must not break the clean-up
        self.stopped = number
        raise Stopped(number)

    def _watch(self, fd: int) -> None:
        while True:
            data = os.read(fd, 1)
            if not data:
                return
            if data[0] in WATCHED:
                self.event.set()
                for call in list(self.on_stop):
                    try:
                        call()
                    except Exception:
                        continue  # a session that is closed by now
