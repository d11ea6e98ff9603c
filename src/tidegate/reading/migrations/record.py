"""What one migration file says, before the chain gives it a meaning. Kept in the cache."""

from __future__ import annotations

import pickle
import re
from typing import Any, NamedTuple

from tidegate.model.operation import Span, Trait

TEMPORARY = "# Temporary: `tidegate make --squash`"  # how the file of a temporary step begins
ALLOW = re.compile(r"#\s*tidegate:\s*allow\s+([^:#]*?)\s*(?::\s*(.*?))?\s*$")

MEANT = re.compile(r"#\s*(tidegate\s*[:-]?\s*(?:allow|ignore|disable|noqa|skip)\b.*?)\s*$")


class Said(NamedTuple):
    """One operation as the file writes it: `add_column` with its arguments, and what is around."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    span: Span
    transaction: int = 1
    vendors: tuple[str, ...] = ()
    maybe: bool = False
    batch: Any = None  # the arguments of Alembic's batch_alter_table: (table, kwargs)


class Allowed(NamedTuple):
    """A suppression comment: `# tidegate: allow RULE, RULE: the reason`.

    `line` is where it stands; `about` the line of code that it is about: its own, or the next
    one where it stands alone.
    """

    line: int
    rules: tuple[str, ...]
    reason: str
    about: int


class Record(NamedTuple):
    """One file. `needs` are ids as written; Django's may be `app.__first__`."""

    framework: str
    id: str
    path: str
    needs: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    run_before: tuple[str, ...] = ()
    atomic: bool = True
    initial: bool = False
    forward: tuple[Any, ...] = ()  # Django: Calls; Alembic: Saids
    backward: tuple[Any, ...] = ()
    backward_state: str = "done"  # done, missing, empty, raises
    traits: dict[str, tuple[Trait, ...]] = {}
    allowed: tuple[Allowed, ...] = ()
    title: Span = Span(1, 1, 1, 1)
    branch_labels: tuple[str, ...] = ()
    problem: str = ""
    settings: dict[str, Any] = {}
    temporary: bool = False
    read_with: tuple[Any, ...] = ()  # modules of the project, as they were
    body: bytes = b""  # what the file does, where it has not been looked at

    def folded(self) -> Record:
        """Return it with its operations as bytes: most files of a history are never asked."""
        if self.body:
            return self
        body = pickle.dumps((self.forward, self.backward, self.traits), pickle.HIGHEST_PROTOCOL)
        return self._replace(forward=(), backward=(), traits={}, body=body)

    def whole(self) -> Record:
        """Return it with its operations."""
        if not self.body:
            return self
        forward, backward, traits = pickle.loads(self.body)
        return self._replace(forward=forward, backward=backward, traits=traits, body=b"")


def suppressions(source: str) -> tuple[Allowed, ...]:
    """Return the suppression comments of a file."""
    if "tidegate" not in source:
        return ()
    found = []
    lines = source.splitlines()
    for number, line in enumerate(lines, 1):
        match = ALLOW.search(line)
        other = MEANT.search(line) if match is None else None
        if other:  # a spelling of another tool's: said to be none of ours, with ours
            match = re.fullmatch(r"(.*)()", other.group(1))
        if match:
            rules = tuple(word.strip() for word in match.group(1).split(",") if word.strip())
            about = number
            while about <= len(lines) and lines[about - 1].strip()[:1] in ("#", ""):
                about += 1
            found.append(Allowed(number, rules, (match.group(2) or "").strip(), about))
    return tuple(found)
