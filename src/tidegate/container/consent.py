"""What `migrate` reads off the pending steps before it applies them, and whose word it asks for.

It goes by the steps' files, in the time that loading them takes, and asks the database nothing. A
rehearsal sees more; where that runs (`--look rehearse`), its plan is what a person says yes to.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from tidegate.container import approval, approving
from tidegate.container.backup.policy import policy
from tidegate.container.boot import Boot
from tidegate.container.gate import Gate
from tidegate.container.migrating import reached
from tidegate.container.origin import agent
from tidegate.container.raising import Check
from tidegate.container.running import settings_for
from tidegate.contracts.database import Session
from tidegate.errors import PolicyRefused
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict, in_order
from tidegate.model.step import Step


def look(root: str, said: str, environ: Mapping[str, str]) -> str:
    """Return how the pending steps are looked at: by the flag, else by the settings."""
    return settings_for(root, environ, ["--look", said] if said else [], ("look",))[0]["look"]


def is_asked(wanted: str, environ: Mapping[str, str]) -> bool:
    """Whether the steps are read: said so, or somebody is there who can give a word.

    A start, a job and a one-off service have nobody: shipping their image was the word.
    """
    if wanted != "auto":
        return wanted == "read"
    return bool(agent(environ)) or (sys.stdin.isatty() and sys.stderr.isatty())


def check_of(
    one: Boot, gate: Gate, connection: Connection, given: str, target: str = ""
) -> Check | None:
    """Return what the winner of the election asks before it applies; None where nobody is asked.

    It raises PolicyRefused for steps that take data away, or that nothing leads back from, unless
    `given` is the word for exactly these steps of exactly this level.
    """
    if not is_asked(one.settings["look"], one.environ):
        return None

    def check(verdict: Verdict, session: Session) -> None:
        if not verdict.applied:
            return  # there is nothing in it that could be lost
        wanted = set(verdict.pending) & reached(gate, connection, target)
        steps = [step for step in in_order(gate.steps(connection.alias)) if step.id in wanted]
        loses, unseen = losses(gate, connection, steps, _is_backed_up(one, gate))
        if unseen:
            text = f"not to be told from its file whether it loses data: {', '.join(unseen[:3])}"
            one.report.stage("look", connection.alias, f"{text}; `tidegate plan` runs it on a copy")
        if loses:
            _need_word(given, word_of(connection, steps, verdict), loses, one.environ)

    return check


def losses(
    gate: Gate, connection: Connection, steps: Sequence[Step], with_backup: bool
) -> tuple[list[str], list[str]]:
    """Return a line for each thing that is lost, and the steps of which that can't be told.

    Lost is what a step takes away, and the way back of one that can't be undone and has no backup
    before it.
    """
    lines, unseen = [], []
    for one in gate.project.undoing(connection.alias, steps):
        seen = one.gone
        lines += [f"{one.step}: {taken}" for taken in seen]
        if one.refused and not seen and not with_backup:
            lines.append(f"{one.step} can't be taken back: {one.refused}")
        if len(seen) < len(one.takes):
            unseen.append(one.step)
    return lines, unseen


def _is_backed_up(one: Boot, gate: Gate) -> bool:
    """Whether `applying` makes a backup before steps like these."""
    wanted = one.settings["backup"]
    return wanted == "always" or (wanted == "auto" and policy(gate.root, gate.environ, {}).named)


def word_of(connection: Connection, steps: Sequence[Step], verdict: Verdict) -> str:
    """Return the name of exactly this: these steps' code, on this level of this database."""
    files = sorted(f"{one.id} {one.digest}" for one in steps)
    where = (connection.alias, connection.host, connection.port, connection.name)
    return approving.fingerprint(*where, *sorted(verdict.applied), "steps", *files)


def _need_word(given: str, word: str, loses: list[str], environ: Mapping[str, str]) -> None:
    if given == word and not (mark := agent(environ)):
        return
    lines = "\n".join([*loses, "Nothing was applied."])
    command = f"tidegate migrate --approve {word}"
    if given != word:
        wrong = f"{given} is the word for other steps. " if given else ""
        raise PolicyRefused(
            f"{wrong}what these steps lose can't be brought back", lines,
            f"see it run on a copy first: tidegate plan\nif it is meant: {command}",
        )  # fmt: skip
    if not approval.spend(word, environ):
        raise PolicyRefused(
            f"this needs a person's word, and a coding agent ({mark}) runs it", lines,
            f"a person types, on a terminal of their own: tidegate approve {word}",
        )  # fmt: skip
