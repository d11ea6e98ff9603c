"""`migrate` through the target: what it is told of the look at the steps, and of a person's word.

The marks of a coding agent and the record of an approval are on this side.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.container import approval
from tidegate.container.consent import look
from tidegate.container.origin import agent
from tidegate.errors import PolicyRefused


def words(root: str, found: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Return the inside's words: somebody has typed this here, so it may ask."""
    chosen = "never" if look(root, found.get("--look", ""), environ) == "never" else "read"
    given = approval.said(found.get("--approve", ""))
    mark = agent(environ)
    if given and mark and not approval.spend(given, environ):
        raise PolicyRefused(
            f"this needs a person's word, and a coding agent ({mark}) runs it",
            "Nothing was applied.",
            f"a person types, on a terminal of their own: tidegate approve {given}",
        )
    return ["--look", chosen, *(("--approve", given) if given else ())]
