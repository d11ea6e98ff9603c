"""The releases that ran well here, on record: what it takes to run one of them again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Container, Target
from tidegate.process import revision
from tidegate.workflows.update.state import Release, State
from tidegate.workflows.update.updating import Update

MOST = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One release: images, configurations and numbers of its own services, and its level.

    `references` are the names under which Compose looks for its images; `level` is the last steps
    of each database, with commas; `previous` the release that ran before it.
    """

    stamp: str
    images: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    level: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    previous: str = ""

    @property
    def shown(self) -> str:
        """Its name for people."""
        return f"{self.stamp} ({self.revision})" if self.revision else self.stamp


def emptied(known: Sequence[Entry], databases: Sequence[Mapping[str, Any]]) -> str:
    """Say which database has nothing in it, and had; empty where none is known to.

    A volume may be lost, or the settings name another server: beginning anew looks like success.
    """
    for one in databases:
        last = next((entry for entry in reversed(known) if one["alias"] in entry.level), None)
        if one["state"] == "empty" and last and last.level[one["alias"]] not in ("", "zero"):
            return f"{one['alias']} is empty, and was not when release {last.shown} ran"
    return ""


def load(state: State) -> list[Entry]:
    """Return the releases on record, oldest first."""
    return [Entry(**raw) for raw in state.releases()]


def running(target: Target, seen: Sequence[Container], stamp: str = "") -> Entry:
    """Return what runs of the app's own services, as an entry without a level."""
    own = {one.name: one for one in target.services if one.built or one.app}
    up = [one for one in seen if one.service in own and one.state in ("running", "restarting")]
    first: dict[str, Container] = {}
    for one in up:
        first.setdefault(one.service, one)
    # What migrates may have an image of its own, and no container that runs.
    migrator = next((one.image for one in target.services if one.name == target.migrator), "")
    raised = {migrator: found} if (found := target.image_id(migrator)) else {}
    return Entry(
        stamp,
        {name: one.image for name, one in first.items()},
        {**raised, **{own[name].image: one.image for name, one in first.items()}},
        {name: one.config for name, one in first.items()},
        {name: sum(one.service == name for one in up) for name in first},
    )


def of_the_app(target: Target, seen: Sequence[Container]) -> list[Container]:
    """Return the containers that are no server's."""
    names = {one.name for one in target.services if one.app}
    return [one for one in seen if one.service in names]


def remembered(target: Target, seen: Sequence[Container], servers: bool = False) -> Release:
    """Return what runs, to go back to; `servers` keeps the images of the app's servers, too."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    running = [each for each in seen if each.state in ("running", "restarting", "paused")]
    first: dict[str, Container] = {}
    for each in running:
        first.setdefault(each.service, each)
    by_name = {service.name: service for service in target.services}
    kept: dict[str, str] = {}
    moved: dict[str, str] = {}
    images: dict[str, str] = {}
    for name, each in first.items():
        service = by_name.get(name)
        if service is None:
            continue
        images[name] = each.image
        if service.built or service.app or servers:
            kept[name] = target.keeping(name, stamp)
            if each.reference == service.image:
                moved[service.image] = kept[name]
    return Release(
        stamp,
        images,
        {name: each.config for name, each in first.items()},
        {name: sum(each.service == name for each in running) for name in first},
        moved,
        kept,
    )


def same(one: Entry, other: Entry) -> bool:
    """Whether both are the same images in the same configuration."""
    return (one.images, one.configs) == (other.images, other.configs)


def note(one: Update) -> None:
    """Write down the release that runs well now, and the one before it where it is not known."""
    one.state.wish(None)  # of a rollback that was cut off: this is another way
    known = load(one.state)
    now = running(one.target, one.seen(), time.strftime("%Y%m%d%H%M%S", time.gmtime()))
    if known and same(known[-1], now) and not one.migrated:
        return
    before = known[-1] if known else None
    ran = _own(one, one.before.images)  # the servers alone are no release
    if ran and not (before and ran.items() <= before.images.items()):  # one may have crashed
        before = _as_before(one)
        known.append(before)
        path, digests = one.state.kept()
        fits = path and all(digests.get(k) == v for k, v in before.configs.items())
        one.state.keep_of(before.stamp, Path(path).read_text("utf-8") if fits else "")
    level = {alias: after for alias, (_, after) in one.levels.items() if after}
    entry = Entry(now.stamp, now.images, now.references, now.configs, now.replicas, level,
                  revision(one.target.root), before.stamp if before else "")  # fmt: skip
    record(one.state, [*known, entry])
    one.state.keep_of(entry.stamp, one.target.configuration())


def of_run(
    known: Sequence[Entry], run: Mapping[str, Any], seen: Sequence[Container]
) -> Entry | None:
    """Return the release that a run of the ledger belongs to: by its image, or its container's.

    A release is written down once it is well, so after its runs: of several with the same image it
    is the first that is not older than the run.
    """
    image = run["image"] or next(
        (one.image for one in seen if run["container"] and one.id.startswith(run["container"])), ""
    )
    fits = [
        one
        for one in known
        if image in {*one.images.values(), *one.references, *one.references.values()}
    ]
    if not image or not fits:
        return None
    started = "".join(sign for sign in str(run["started"])[:19] if sign.isdigit())
    return next((one for one in fits if one.stamp >= started), fits[-1])


def current(known: Sequence[Entry], target: Target, seen: Sequence[Container]) -> Entry | None:
    """Return the release that runs; None when what runs is none on record."""
    return of_images(known, running(target, seen).images)


def of_images(known: Sequence[Entry], images: Mapping[str, str]) -> Entry | None:
    """Return the newest release with these images; of one that crashed, some may be missing."""
    same = [one for one in known if images and one.images == images]
    part = [one for one in known if images and images.items() <= one.images.items()]
    fit = same or part
    return fit[-1] if fit else None


def _as_before(one: Update) -> Entry:
    """Return what ran before the update: what `remember` saw, and the level that `ask` found."""
    was = one.before
    images = _own(one, was.images)
    names = {each.name: each.image for each in one.target.services}
    level = {alias: before for alias, (before, _) in one.levels.items() if before}
    return Entry(
        was.stamp, images, {names[name]: image for name, image in images.items()},
        {name: was.configs[name] for name in images},
        {name: was.replicas[name] for name in images}, level,
    )  # fmt: skip


def _own(one: Update, images: Mapping[str, str]) -> dict[str, str]:
    own = {each.name for each in one.target.services if each.built or each.app}
    return {name: image for name, image in images.items() if name in own}


def record(state: State, entries: Sequence[Entry]) -> None:
    """Write the list; what is too old is forgotten with its configuration."""
    state.record([asdict(one) for one in entries[-MOST:]])
    for one in entries[:-MOST]:
        state.keep_of(one.stamp, "")
