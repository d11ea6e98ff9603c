"""Which release a rollback goes to, and what that asks of each database; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.workflows.update import insiding, lowering, releases
from tidegate.workflows.update.releases import Entry
from tidegate.workflows.update.rolled import Rolling, Wish
from tidegate.workflows.update.updating import Update


def knowing(one: Update) -> tuple[str, dict[str, Any]]:
    """Return the configuration whose image knows all applied steps, and how it sees them.

    After an update that failed it is the failed image; else the one that runs, or a newer one.
    """
    reference = lowering.image_of(one.target)
    service = next((s.name for s in one.target.services if s.image == reference), "")
    kept = [name for name in reversed(one.target.kept()) if f":{service}-" in name]
    first: tuple[str, dict[str, Any]] | None = None
    for image in dict.fromkeys(["", one.target.keeping(service, "failed"), *kept]):
        if image and not one.target.image_id(image):
            continue
        configuration = lowering.with_image(one, image)
        argv = ("--format", "json", "status")
        found = insiding.status(one.target.inside(argv, configuration=configuration))
        first = first or (configuration, found)
        if not any(database["unknown"] for database in found["databases"]):
            return configuration, found
    assert first is not None
    unknown = [step for database in first[1]["databases"] for step in database["unknown"]]
    raise PolicyRefused(
        f"no image here knows {', '.join(unknown[:5])}, which the database has",
        "Only the code that has a step can undo it. Nothing was changed.",
        "check out the newer code, then: tidegate up --dry-run, docker compose build",
    )


def goal(
    one: Update,
    wish: Wish,
    known: Sequence[Entry],
    now: Entry,
    seen: tuple[str, Mapping[str, Any]],
) -> tuple[Entry | None, str]:
    """Return the release to run, and why this one."""
    configuration, standing = seen
    if wish.to:
        fits = [entry for entry in known if _is_named(entry, wish.to)]
        return (fits[-1], "as asked for") if fits else (None, f"{wish.to} is no release on record")
    if cut := one.state.wished().get("goal"):
        entry = next((entry for entry in known if entry.stamp == cut), None)
        if entry:
            return entry, "a rollback to it was cut off"
    current = releases.of_images(known, now.images)
    if current is None:
        if known:
            nothing = not now.images
            raise UsageProblem(
                "nothing of the app runs, so nothing says which release to go back from"
                if nothing
                else "what runs is no release on record",
                "On record are: " + ", ".join(entry.shown for entry in known) + ".",
                f"name the one to go back to: tidegate rollback --to {known[-1].stamp} --plan",
            )
        return None, "no release is on record: `tidegate up` writes them down"
    if _is_above(one, current, standing, configuration):
        return current, "it runs, and the schema stands higher than its own"
    before = next((entry for entry in known if entry.stamp == current.previous), None)
    if before is None or not before.images:
        raise UsageProblem(
            f"no release before {current.shown}, which runs, is on record",
            "`tidegate up` writes each release down.",
            "name a step that shall be the last: tidegate rollback --to STEP --plan",
        )
    return before, f"it ran before {current.shown}"


def _is_named(entry: Entry, text: str) -> bool:
    is_revision = len(text) > 6 and entry.revision and text.startswith(entry.revision)
    return bool(entry.stamp == text or entry.revision == text or is_revision)


def _is_above(one: Update, entry: Entry, standing: Mapping[str, Any], configuration: str) -> bool:
    """Whether a database has steps that were not there when the release came to run."""
    for database in standing["databases"]:
        level = entry.level.get(database["alias"], "")
        now = ",".join(database.get("level", ())) or "zero"
        words = ("--databases", database["alias"], "--level", level)
        if level and level != now and lowering.planned(one, words, configuration)["steps"]:
            return True
    return False


def words(rolling: Rolling, standing: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the inside's words for each database."""
    wish = rolling.wish
    way = "" if wish.way == "image" else wish.way
    more = [word for flag, value in (("--way", way), ("--from", wish.source)) if value
            for word in (flag, value)]  # fmt: skip
    wanted = [name for name in wish.databases.split(",") if name]
    aliases = wanted or [database["alias"] for database in standing["databases"]]
    if rolling.goal is not None:
        levels = rolling.goal.level
        if not levels:
            raise UsageProblem(
                f"the level of release {rolling.goal.shown} is not on record", "",
                "name the step that shall be the last: tidegate rollback --to STEP --plan",
            )  # fmt: skip
        return [("--databases", alias, "--level", levels[alias], *more)
                for alias in aliases if alias in levels]  # fmt: skip
    if len(aliases) > 1:
        raise UsageProblem(
            f"the project has {len(aliases)} databases", "One goes back at a time.",
            f"name it: --databases {aliases[0]}",
        )  # fmt: skip
    to = ("--to", wish.to) if wish.to else ()
    return [("--databases", aliases[0], *to, *more)]


def standing_at(known: Sequence[Entry], plans: Sequence[Mapping[str, Any]]) -> Entry | None:
    """Return the newest release whose level is what remains."""
    wanted = {plan["database"]: ",".join(plan["level"]) or "zero" for plan in plans}
    fits = [one for one in known if all(one.level.get(a) == level for a, level in wanted.items())]
    return fits[-1] if fits else None


def refuse_lost_images(one: Update, goal: Entry) -> None:
    """Raise PolicyRefused where an image of the release is gone."""
    lost = [name for name, image in goal.images.items() if not one.target.image_id(image)]
    if lost:
        raise PolicyRefused(
            f"the image of {lost[0]} in release {goal.shown} is no longer here",
            "Images of the last releases are kept; the setting `keep` says of how many.",
            "build it from its revision: git checkout, then tidegate up",
        )
