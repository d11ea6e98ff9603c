"""A rollback through a target as a value: what was asked for, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.errors import PolicyRefused
from tidegate.workflows.update.proofs import Proof
from tidegate.workflows.update.releases import Entry


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for: a release, a step or a run; the way; which databases."""

    to: str = ""
    way: str = ""
    source: str = ""
    databases: str = ""
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Rolling:
    """What is to be done: the release to run, if one is meant, and each database's plan."""

    wish: Wish
    goal: Entry | None
    now: Entry
    why: str
    plans: tuple[dict[str, Any], ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    configuration: str = ""
    proofs: tuple[Proof, ...] = ()
    """By these rehearsals the release runs on the schema as it is; without, `unproved` says why."""
    unproved: str = ""

    @property
    def losing(self) -> bool:
        """Return whether lowering the schema loses something, or can't be done."""
        return any(
            way["loses"]
            for plan in self.plans
            for way in plan["ways"]
            if plan["steps"] and way["way"] == plan["chosen"]
        ) or any(plan["steps"] and not plan["chosen"] for plan in self.plans)

    @property
    def by_image(self) -> bool:
        """Return whether the schema stays: it is asked for, or nothing else loses nothing."""
        if not self.proofs or not self.changes:  # an image that runs already is no way back
            return False
        return self.wish.way == "image" or (not self.wish.way and self.losing)

    @property
    def changes(self) -> list[str]:
        """Return the services that get another image or configuration."""
        goal = self.goal
        if goal is None:
            return []
        return sorted(
            name
            for name in {*goal.images, *self.now.images}
            if goal.images.get(name) != self.now.images.get(name)
            or goal.configs.get(name) != self.now.configs.get(name)
        )

    @property
    def steps(self) -> list[str]:
        """Return the steps that are undone."""
        return [step["id"] for plan in self.plans for step in plan["steps"]]

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "release": self.goal.stamp if self.goal else None,
            "revision": self.goal.revision if self.goal else None,
            "why": self.why,
            "services": self.changes,
            "databases": list(self.plans),
            "image": {
                "possible": bool(self.proofs),
                "why": self.unproved,
                "chosen": self.by_image,
                "plans": [one["plan"] for one in self.proofs],
            },
        }


def refuse_unproved(rolling: Rolling) -> None:
    """Raise PolicyRefused where the images alone are asked for, and nothing says that they run."""
    if rolling.wish.way == "image" and not rolling.by_image and (rolling.steps or not rolling.goal):
        why = rolling.unproved or "no other release is meant than the one that runs"
        raise PolicyRefused(
            "the images alone can't go back",
            f"{why[:1].upper()}{why[1:]}. Nothing was changed.",
            "see the other ways: tidegate rollback --plan",
        )
