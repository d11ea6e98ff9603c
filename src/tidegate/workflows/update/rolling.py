"""The story of `tidegate rollback` through a target: lower the schema, run the release before it.

`look` changes nothing. `go` can be cut off at any point: a later rollback goes on to the same goal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Service
from tidegate.errors import TidegateError, UpdateNotUndone
from tidegate.model.words import counted
from tidegate.workflows.update import (
    destination,
    keptinside,
    lowering,
    proofs,
    releases,
    rolled,
    statics,
    strangers,
)
from tidegate.workflows.update.releases import Entry
from tidegate.workflows.update.rolled import Rolling, Wish
from tidegate.workflows.update.standing import needs
from tidegate.workflows.update.updating import Update, settled, unwell


def look(one: Update, wish: Wish) -> Rolling:
    """Find the release and what its schema needs; nothing is changed."""
    one.target.reach()
    strangers.refuse(one.target, one.tell)
    one.state.look(one.target, one.tell)
    _provide(one)
    known = releases.load(one.state)
    now = releases.running(one.target, one.seen())
    configuration, standing = destination.knowing(one)
    one.static = str(standing.get("project", {}).get("static", ""))
    _warn_of_code(one)
    keptinside.refuse_rolling(one, standing)
    goal, why = destination.goal(one, wish, known, now, (configuration, standing))
    rolling = Rolling(wish, goal, now, why, configuration=configuration)
    words = destination.words(rolling, standing)
    plans = tuple(_rehearsed(one, lowering.planned(one, some, configuration)) for some in words)
    rolling = replace(rolling, plans=plans, words=tuple(words))
    if goal is None and wish.to:
        goal = destination.standing_at(known, plans)
        why = "its schema is the one asked for" if goal else why
        rolling = replace(rolling, goal=goal, why=why)
    if rolling.goal:
        destination.refuse_lost_images(one, rolling.goal)
        found, why = proofs.of(one.state, rolling.plans, rolling.goal.shown)
        rolling = replace(rolling, proofs=tuple(found), unproved=why)
    rolled.refuse_unproved(rolling)
    return rolling


def _rehearsed(one: Update, plan: dict[str, Any]) -> dict[str, Any]:
    """Add what rehearsals have seen of the way down."""
    ways = [
        {**way, "rehearsed": proofs.back(one.state, plan)}
        if way["way"] == "down" and way["possible"]
        else way
        for way in plan["ways"]
    ]
    return {**plan, "ways": ways}


def _warn_of_code(one: Update) -> None:
    folder = one.target.code_here()
    if folder:
        one.tell.warn(f"{one.target.backend} runs the code in {folder}: a rollback changes images, "
                      "configuration and schema, and leaves that to you")  # fmt: skip


def _provide(one: Update) -> None:
    """Start the database where it does not run; nothing of the app is."""
    running = {each.service for each in one.seen() if each.up}
    absent = [s.name for s in needs(one.target, one.target.migrator) if s.name not in running]
    if absent:
        one.tell.stage("start", "", f"{', '.join(absent)}: not running, and needed")
        for command in one.target.starting(absent):
            one.must(command, f"{absent[0]} can't be started")


def go(one: Update, rolling: Rolling, words: Mapping[str, str]) -> dict[str, Any]:
    """Lower the schema, then run the release; `words` are the approvals, by database."""
    with one.state.held(one.target, one.tell):
        if rolling.goal:
            one.state.wish({"goal": rolling.goal.stamp})
            _keep_images(one)
        try:
            if rolling.by_image:
                one.tell.stage("rollback", "", "the schema stays as it is")
            else:
                _lower(one, rolling, words)
            if rolling.goal:
                _run(one, rolling, rolling.goal)
                one.state.end()  # of an update that could not go back: this release runs now
        except TidegateError:
            raise
        except BaseException:
            one.tell.warn(
                "cut off: run tidegate rollback again, and it goes on to the same release"
            )
            raise
        one.state.wish(None)
    return {**rolling.as_dict(), "outcome": "done", "replaced": one.replaced,
            "seconds": {name: round(took, 2) for name, took in one.seconds.items()}}  # fmt: skip


def _keep_images(one: Update) -> None:
    """Give what runs now a name that no build takes away: to look at it, and for a way forward."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    for name, image in releases.running(one.target, one.seen()).images.items():
        one.must(one.target.tagging(image, one.target.keeping(name, stamp)), "an image got no name")


def _lower(one: Update, rolling: Rolling, words: Mapping[str, str]) -> None:
    with one.stage("schema"):
        for plan, some in zip(rolling.plans, rolling.words, strict=True):
            if not plan["steps"]:
                one.tell.stage("rollback", plan["database"], "its schema is at that level")
                continue
            word = words.get(plan["database"], "")
            more = ("--safe",) if rolling.wish.safe else (("--approve", word) if word else ())
            lowering.run(one, (*some, *more), rolling.configuration)
            one.lowered += [step["id"] for step in plan["steps"]]


def _run(one: Update, rolling: Rolling, goal: Entry) -> None:
    """Run the release's images in its configuration, and watch them."""
    path = _configuration(one, goal)
    try:
        with one.stage("replace"):
            for reference, image in goal.references.items():
                if one.target.image_id(reference) != image and one.target.image_id(image):
                    one.must(one.target.tagging(image, reference), f"{reference} can't be named")
            if one.static and one.target.backend in goal.images:
                statics.back(one, path)
            for service in one.target.services:
                _replace(one, rolling, goal, service, path)
        with one.stage("verify"):
            services = [each for each in one.target.services if each.name in goal.images]
            ill = settled(one, services, one.target.number("settle"))
            if ill:
                raise unwell(one, ill, f"release {goal.shown} is not well")
    except TidegateError as error:
        raise UpdateNotUndone(
            error.what,
            "\n".join([_schema(one, rolling), *error.meaning.splitlines()]),
            "see tidegate status; or go forward again: correct it, then tidegate up",
        ) from error
    _remember(one, goal, path)
    one.tell.stage("verify", "", f"release {goal.shown} runs", one.seconds["verify"])


def _schema(one: Update, rolling: Rolling) -> str:
    if rolling.by_image:
        return "The schema stays as it is. To lower it, too: tidegate rollback --way down --plan"
    if not one.lowered:
        return "The schema was at its level already."
    return f"The schema is at its level: {counted(len(one.lowered), 'step')} undone."


def _configuration(one: Update, goal: Entry) -> str:
    """Return the file with the release's configuration; empty where the project's own is it."""
    now = one.target.digests()
    if all(now.get(name) == digest for name, digest in goal.configs.items()):
        return ""
    path = one.state.kept_of(goal.stamp)
    if not path:
        one.tell.warn("the configuration of that release was not kept: its images start with "
                      "today's")  # fmt: skip
    return path


def _replace(
    one: Update, rolling: Rolling, goal: Entry, service: Service, configuration: str
) -> None:
    image = goal.images.get(service.name)
    own = [each for each in one.seen() if each.service == service.name]
    if image is None:
        if own and service.name in rolling.now.images:
            one.tell.stage("replace", service.name, "was not in that release: removed")
            one.must(one.target.removing(service.name), f"{service.name} can't be removed")
        return
    digest = goal.configs.get(service.name, "")
    replicas = goal.replicas.get(service.name, 1)
    fine = [each for each in own if each.up and each.image == image and each.config == digest]
    if len(fine) == replicas == len(own):
        return
    one.replaced.append(service.name)
    one.tell.stage("replace", service.name, f"image {image[7:19]} again")
    one.room(service.name)
    command = one.target.replacing(service.name, replicas, configuration)
    one.must(command, f"{service.name} can't be replaced")


def _remember(one: Update, goal: Entry, path: str) -> None:
    """From now on it is the release that runs: what came after it is no way to go back to."""
    known = releases.load(one.state)
    at = next(n for n, entry in enumerate(known) if entry.stamp == goal.stamp)
    for entry in known[at + 1 :]:
        one.state.keep_of(entry.stamp, "")
    releases.record(one.state, known[: at + 1])
    kept = one.state.kept_of(goal.stamp)
    if kept:
        text = Path(kept).read_text("utf-8")
        one.state.keep(text, {**_of_servers(one, text), **goal.configs})


def _of_servers(one: Update, configuration: str) -> dict[str, str]:
    """Return the digests of what a configuration says as today's files do: of servers, mostly.

    A release knows those of the app's own services alone, and an update goes back to a whole.
    """
    then, now = (json.loads(text).get("services", {})
                 for text in (configuration, one.target.configuration()))  # fmt: skip
    digests = one.target.digests()
    return {name: digests[name] for name, raw in then.items()
            if name in digests and raw == now.get(name)}  # fmt: skip
