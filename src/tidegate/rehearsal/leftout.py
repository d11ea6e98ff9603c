"""What an earlier run has done of a step that is not one transaction: left out, as `apply` does.

The marks are those of its journal (`tidegate_part`): a statement's text, and how often it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tidegate.databases import pgclasses, pgindexes
from tidegate.model.plan import digest
from tidegate.model.sessions import AppSession

Journal = Mapping[str, Mapping[str, str]]  # by step: each mark with its state


class LeftOut:
    """The journal of the target, for one rehearsal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._marks: Mapping[str, str] = {}
        self._sent: Counter[str] = Counter()

    def begin(self, step: str) -> None:
        """A step begins."""
        self._marks, self._sent = self._journal.get(step, {}), Counter()

    def is_done(self, session: AppSession, sql: str) -> bool:
        """Whether the next run leaves this statement out."""
        if not self._marks or not pgclasses.changes_schema(sql):
            return False
        name = digest(sql)
        self._sent[name] += 1
        state = self._marks.get(f"{name}-{self._sent[name]}", "")
        if state != "begun":
            return state == "done"
        work = pgclasses.concurrent_index(sql)  # cut off: it may have come to its end all the same
        if work is None:
            return False
        return (pgindexes.look(session.run, work) is not None) == work.makes
