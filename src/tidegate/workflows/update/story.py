"""The story of `tidegate up`: build, migrate from the new image while the old serves, replace,
verify, and keep the new release or go back to the old one.

`up` reads aloud. What a step changed is undone in `workflows.goback`, by what `remember` wrote down
before the first change; so a later run can undo what a killed one left.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from tidegate.contracts.target import Container, Service, find_service
from tidegate.errors import NotReady, UsageProblem
from tidegate.model.words import counted
from tidegate.workflows.update import documents, insiding, releases, statics, strangers
from tidegate.workflows.update.differing import changed_code, differs, replicas
from tidegate.workflows.update.goback import go_back
from tidegate.workflows.update.pending import ask, provide, without
from tidegate.workflows.update.state import CUT_OFF
from tidegate.workflows.update.updating import Update, settled, unwell
from tidegate.workflows.update.verify import Ill, answers, look


def up(one: Update) -> dict[str, Any]:
    """Update the project; return the result's document. Raises what the exit code says."""
    preflight(one)
    with nullcontext() if one.dry else one.state.held(one.target, one.tell):
        remember(one)
        try:
            fetch(one)
            build(one)
            refuse_to_lose(one)
            provide(one)
            pending = ask(one)
            migrate(one, pending)
            statics.collect(one)
            replace(one)
            verify(one)
        except BaseException as error:
            go_back(one, error)
        return keep(one)


def preflight(one: Update) -> None:
    """Look at everything that can be known before the first change."""
    with one.stage("check"):
        for warning in one.target.check():
            one.tell.warn(warning)
        strangers.refuse(one.target, one.tell)
        for name in one.only:
            find_service(one.target.services, name, next="correct --only")
        if not one.only:
            refuse_nothing(one)


def refuse_nothing(one: Update) -> None:
    """Refuse an update that would start nothing of the app, and call that a release."""
    backend = one.target.backend
    up_now = {each.service for each in one.seen() if each.up}
    if not any(each.app and (each.active or each.name in up_now) for each in one.target.services):
        raise UsageProblem(
            f"{backend} is under a profile that is not in force, and does not run",
            "A plain start leaves it out, so nothing of the app would be started.",
            "name the profile: COMPOSE_PROFILES=... in the env file, or profiles = [...] under "
            "[tool.tidegate.compose] in pyproject.toml\n"
            f"or start it by its name alone: tidegate up --only {backend}",
        )


def remember(one: Update) -> None:
    """Write down what runs now, and keep its images under names that a build won't take away."""
    seen = one.seen()
    one.restarts = {each.id: each.restarts for each in seen}
    cut = None if one.dry else one.state.unfinished()
    if cut and cut[0] in CUT_OFF and all(map(one.target.image_id, cut[1].images.values())):
        one.before = cut[1]
        one.replaced = []
        one.collected = True
        one.tell.stage(
            "found", "", f"an update was cut off in its stage {cut[0]}; the release that ran "
            f"before it ({cut[1].stamp}) is the one to go back to",
        )  # fmt: skip
        return
    one.before = releases.remembered(one.target, seen, one.pull)
    own = releases.of_the_app(one.target, seen)
    _warn_of_ill(one, own)
    for service, image in one.before.images.items():
        if service in one.before.kept:
            one.must(one.target.tagging(image, one.before.kept[service]), "an image got no name")
    if not one.dry:
        one.state.begin(one.before)
    text = ", ".join(f"{name} {image[7:19]}" for name, image in one.before.images.items())
    nothing = "nothing runs" if own else "nothing runs: a first start"
    one.tell.stage("found", "", f"running: {text}" if text else nothing)


def _warn_of_ill(one: Update, own: Sequence[Container]) -> None:
    """Say what of a running app was not well before: going back brings it no further."""
    there = {each.service for each in own}
    if any(each.up for each in own):
        for ill in look([s for s in one.services if s.name in there], own, one.restarts).ill:
            one.tell.warn(f"before this update {ill.service} {ill.what}")


def fetch(one: Update) -> None:
    """Fetch the newest images of what is not built here. Undone as a build is."""
    names = [each.name for each in one.services if not each.built]
    if not one.pull or not names:
        return
    with one.stage("pull"):
        if not one.dry:
            one.tell.stage("pull", "", ", ".join(names))
        what = "the images can't be fetched"
        one.must(one.target.pulling(names), what, 3600, aloud=True)
    if not one.dry:
        one.tell.stage("pull", "", "done", one.seconds["pull"])


def build(one: Update) -> None:
    """Build each image once. Undone by giving the previous images their names back."""
    wanted = {*[each.name for each in one.services], one.target.migrator, one.target.backend}
    by_image: dict[str, str] = {}
    for service in one.target.services:
        if service.built and service.name in wanted:
            by_image.setdefault(service.image, service.name)
    if not one.build:
        refuse_missing(one, by_image)
        return
    if not by_image:
        return
    with one.stage("build"):
        names = list(by_image.values())
        if not one.dry:
            one.tell.stage("build", "", ", ".join(names))
        one.must(one.target.building(names, one.pull), "the build failed", 3600, aloud=True)
    if not one.dry:
        one.tell.stage("build", "", "done", one.seconds["build"])


def refuse_missing(one: Update, by_image: Mapping[str, str]) -> None:
    """Refuse an image that is to be taken as it is, and is not here: Compose would build it."""
    missing = [name for name in by_image if not one.target.image_id(name)]
    if missing:
        name = by_image[missing[0]]
        raise UsageProblem(
            f"there is no image {missing[0]} on this engine, and {name} is to run it",
            "--no-build takes images as they are. Nothing was changed.",
            f"see what is here: docker images {missing[0].rpartition(':')[0] or missing[0]}\n"
            "correct the tag, or build it: tidegate up",
        )


def refuse_to_lose(one: Update) -> None:
    """Refuse, before anything else, what would take a container away with its only data."""
    if not one.target.removes_first or one.dry:
        return
    digests = one.target.digests()
    for service in one.services:
        old = [each for each in one.seen() if each.service == service.name]
        if old and differs(one, service, old, digests.get(service.name, "")):
            one.target.may_remove(service.name)


def migrate(one: Update, pending: Sequence[str]) -> None:
    """Apply the steps from the new image, in a container of its own, while the old one serves."""
    if not pending:
        one.tell.stage("migrate", "", "nothing to apply")
        return
    command = one.target.inside(("--format", "jsonl", "migrate"))
    if one.dry:
        one.show(command.shown())
        return
    with one.stage("migrate"):
        try:
            insiding.work(
                command,
                one.target.number("migrate_timeout"),
                one.tell,
                lambda: insiding.end_leftovers(one.target, one.tell),
            )
        except NotReady as error:
            raise without(one, error) from None
    one.migrated = list(pending)


def replace(one: Update) -> None:
    """Bring each service to its new image and configuration, after what it needs is well."""
    digests = one.target.digests()
    with one.stage("replace"):
        for service in one.services:
            old = [each for each in one.seen() if each.service == service.name]
            if not differs(one, service, old, digests.get(service.name, "")):
                continue
            if not one.dry:
                _wait_for_needs(one, service)
            one.replaced.append(service.name)
            count = replicas(one, service)
            if len([each for each in old if each.up]) > 1:
                _one_after_the_other(one, service, old, count)
            else:
                code = "" if one.dry else changed_code(service, old)
                one.tell.stage("replace", service.name, _why(one, code, old))
                one.room(service.name)
                command = one.target.replacing(service.name, count, anew=bool(code))
                one.must(command, f"{service.name} can't be replaced")


def _why(one: Update, code: str, old: Sequence[Container]) -> str:
    if not code:
        return "new container" if old else "started"
    return f"new container: {code.removeprefix(f'{one.target.root}{os.sep}')} has changed"


def _one_after_the_other(
    one: Update, service: Service, old: Sequence[Container], count: int
) -> None:
    """Replace several containers of one service so that all but one serve at any moment."""
    one.tell.stage("replace", service.name, f"{len(old)} containers, one after the other")
    for each in old:
        for command in one.target.stopping([each.id]):
            one.must(command, f"{each.name} can't be stopped")
        command = one.target.replacing(service.name, count, recreate=False)
        one.must(command, f"{service.name} can't be started")
        ill = () if one.dry else settled(one, [service], 0)
        if ill:
            raise unwell(one, ill, "the new release is not well")


def _wait_for_needs(one: Update, service: Service) -> None:
    """What a service needs, and was replaced by us, has to be well before it."""
    needed = [each for each in one.target.services
              if each.name in service.needs and each.name in one.replaced]  # fmt: skip
    ill = settled(one, needed, 0) if needed else ()
    if ill:
        raise unwell(one, ill, "the new release is not well")


def verify(one: Update) -> None:
    """Watch everything for the settle time, then ask the URL."""
    if one.dry:
        return
    with one.stage("verify"):
        ill = settled(one, one.services, one.target.number("settle"))
        if ill:
            raise unwell(one, ill, "the new release is not well")
        patience = min(30.0, one.target.number("timeout"))
        why = answers(one.verify_url, patience) if one.verify_url else ""
        if why:
            raise unwell(
                one, _unseen(one, f"{one.verify_url} {why}"), "the new release is not well"
            )
    one.tell.stage("verify", "", _well(one), one.seconds["verify"])


def _well(one: Update) -> str:
    """Say what is well, and of which services nothing but their running says so."""
    number, settle = len(one.services), one.target.number("settle")
    asked = {each.service for each in one.seen() if each.health}
    mute = [each.name for each in one.services
            if each.app and not each.once and each.name not in asked]  # fmt: skip
    text = f"{counted(number, 'service')} {'is' if number == 1 else 'are'} well"
    if not mute:
        return text
    has = "has" if len(mute) == 1 else "have"
    more = "" if one.verify_url else " (--verify URL asks more)"
    return f"{text}; {', '.join(mute)} {has} no health check, and ran for {settle:g} s{more}"


def _unseen(one: Update, why: str) -> tuple[Ill, ...]:
    """What the backend says now is gone once the previous release runs again."""
    own = [each.id for each in one.seen() if each.service == one.target.backend]
    return (Ill(one.target.backend, f"runs, but {why}", own[0] if own else ""),)


def keep(one: Update) -> dict[str, Any]:
    """The new release stays: keep its configuration for the next update, forget old images."""
    if not one.dry:
        releases.note(one)
        one.state.keep(one.target.configuration(), one.target.digests())
        one.state.end()
        old = _superseded(one.target.kept(), int(one.target.number("keep")))
        if old:
            one.do(one.target.untagging(old))
    return documents.done(one, "dry-run" if one.dry else "done")


def _superseded(kept: Sequence[str], most: int) -> list[str]:
    """Return the names of kept images of all but the last releases."""
    stamps = sorted({stamp for name in kept if (stamp := name.rpartition("-")[2]).isdigit()})
    gone = set(stamps[: max(0, len(stamps) - most)])
    return [name for name in kept if name.rpartition("-")[2] in gone]
