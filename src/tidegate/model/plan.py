"""What a plan stands on, each part as a digest, and the fingerprint that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from tidegate.model.step import Step

PARTS = ("steps", "level", "schema", "target", "online", "approval")


def basis(
    steps: Sequence[Step], applied: Iterable[str], schema: Sequence[str], target: str
) -> dict[str, str]:
    """Return what a plan stands on, each part as a digest. A plan is stale when one has moved.

    `steps` are the planned ones in their order, `applied` the ids of the level below them,
    `schema` the database's objects as lines, `target` what the server says it is.
    """
    return {
        "steps": digest("\n".join(f"{one.id} {one.digest}" for one in steps)),
        "level": digest("\n".join(sorted(applied))),
        "schema": digest("\n".join(schema)),
        "target": digest(target) if target else "",
    }


def fingerprint(parts: Mapping[str, str]) -> str:
    """Return the name of the plan that stands on `parts`."""
    return digest(json.dumps({name: parts.get(name, "") for name in PARTS}, sort_keys=True))[:12]


def of_forms(forms: Mapping[str, object]) -> str:
    """Return the digest of the forms in which statements are run, by step; "" where none is."""
    return digest(json.dumps(forms, sort_keys=True)) if forms else ""


def of_approval(asked: Sequence[str], unproved: Sequence[str]) -> str:
    """Return the digest of the steps that need a word, and of those that no rehearsal has run."""
    return digest(json.dumps([list(asked), list(unproved)])) if asked or unproved else ""


def digest(text: str) -> str:
    """Return a short digest."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
