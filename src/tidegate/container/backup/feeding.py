"""What Python writes, given to programs as a pipe that they can read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from tidegate.container.backup.archive import Sink

Feed = Callable[[Sink], None]


class _Over(Exception):
    """Nobody reads any more, since something else failed."""


class Pipe:
    """The end that is written to. A reader that has had enough does not end the writing: what is
    written may be digested, too."""

    def __init__(self, end: int) -> None:
        self._end, self._reads = end, True
        self.over = threading.Event()

    def write(self, data: bytes) -> None:
        """Write all of it, as far as it is read."""
        if self.over.is_set():
            raise _Over
        rest = memoryview(data)
        try:
            while self._reads and rest:
                rest = rest[os.write(self._end, rest) :]
        except BrokenPipeError:
            self._reads = False

    def close(self) -> None:
        """Tell the reader that this was all."""
        end, self._end = self._end, -1
        if end >= 0:
            os.close(end)


@contextmanager
def fed(feed: Feed) -> Iterator[IO[bytes]]:
    """Give what `feed` writes, in a thread of its own; what it raises is raised at the end."""
    reader, writer = os.pipe()
    pipe = Pipe(writer)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            feed(pipe)
        except _Over:
            pass
        except BaseException as error:  # raised in the reader's thread below
            failed.append(error)
        finally:
            pipe.close()

    thread = threading.Thread(target=run, daemon=True)
    source = os.fdopen(reader, "rb")
    thread.start()
    try:
        yield source
    except BaseException:
        pipe.over.set()
        source.close()
        thread.join()
        if failed:  # the program only saw that it ended too early
            raise failed[0] from None
        raise
    source.close()
    thread.join()
    if failed:
        raise failed[0]
