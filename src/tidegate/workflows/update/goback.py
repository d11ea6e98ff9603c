"""The undo of an update: the previous images with the previous configuration, watched again."""

from __future__ import annotations

import json
import re
import time
from typing import NoReturn

from tidegate.errors import NotReady, Stopped, TidegateError, UpdateNotUndone, UpdateUndone
from tidegate.workflows.update import insiding, lowering, releases, statics
from tidegate.workflows.update.updating import Update
from tidegate.workflows.update.verify import Ill, settle

CATCHES_UP = 20.0  # seconds in which the engine ends what an interrupted command began
UNDER_WAY = re.compile(
    r"already in use by container|removal of container \S+ is already in progress|"
    r"marked for removal|[Nn]o such container"
)


def go_back(one: Update, error: BaseException) -> NoReturn:
    """Undo what the update changed, then raise what says how it ended and why."""
    if one.dry:
        raise error
    one.state.refuse_lost()
    try:
        one.seen()  # an engine that is just restarting is waited for
        ended = _undone(one, error)
    except NotReady as away:
        ended = _left(one, error, away)
    if ended is error:
        raise error
    raise ended from error


def _undone(one: Update, error: BaseException) -> BaseException:
    """Undo it; return what says how that ended, which may be the error itself."""
    if not one.replaced and not _was_cut_off(one):
        _names_back(one)
        if statics.changed(one) and one.before.images:
            statics.back(one, _previous_configuration(one))
        one.state.end()
        return _untouched(one, error)
    if not _served(one):
        one.state.end()
        return _nothing_before(one, error)
    gone = _gone(one)
    one.tell.stage("undo", "", "going back to the release that ran before")
    with one.stage("undo"):
        _names_back(one)
        failures = _previous_again(one)
        ill = () if failures else _well_again(one)
    if failures or ill:
        words = [f"{each.service} {each.what}" for each in ill] + failures
        return UpdateNotUndone(
            "the update failed, and the previous release could not be restored",
            "\n".join([*_told(error), "going back failed too:", *words, *_code(one)]),
            _further(one) + "see tidegate status and tidegate logs; the previous images are kept "
            "as\n" + "\n".join(one.before.kept.values()),
        )
    one.state.end()
    one.tell.stage("undo", "", "the previous release runs again", one.seconds["undo"])
    schema = lowering.safely(one) if one.migrated else "The schema is as it was."
    one.tell.stage("undo", "", schema.splitlines()[0])
    if isinstance(error, TidegateError):
        return UpdateUndone(
            "the update failed; the previous release is running again",
            "\n".join([*_told(error), *gone, schema, *_code(one)]),
            "run tidegate up again" if gone else error.next,
        )
    return error


def _gone(one: Update) -> list[str]:
    """Say what has ended without this update's doing: it is why the rest has failed."""
    if one.replaced or one.collected:  # by this one, or by one that was cut off
        return []
    up_now = {each.service for each in one.seen() if each.up}
    names = [name for name in one.before.images if name not in up_now]
    said = f"Meanwhile somebody stopped {', '.join(names)}, or it ended by itself."
    return [said] if names else []


def _code(one: Update) -> list[str]:
    """Say that code which lies on this machine has not gone back."""
    folder = one.target.code_here()
    return [f"{one.target.backend} runs the code in {folder}, which is as it is: only images and "
            "configuration went back."] if folder else []  # fmt: skip


def _further(one: Update) -> str:
    """Name what to go back to where the release that ran before is not well, either."""
    if one.target.code_here():
        return "put the code back (git stash, git checkout), then run tidegate up again\n"
    known = releases.load(one.state)
    own = {name for name in one.before.images if name in one.before.kept}
    images = {name: image for name, image in one.before.images.items() if name in own}
    last = releases.of_images(known, images)
    earlier = next((each for each in known if last and each.stamp == last.previous), None)
    if earlier is None:
        return ""
    name = f"release {earlier.shown} ran before it"
    return f"tidegate rollback --to {earlier.stamp} --plan    ({name})\n"


def _left(one: Update, error: BaseException, away: NotReady) -> BaseException:
    """The engine is away, so nothing can be undone now; what is written down stays for later."""
    first = [] if isinstance(error, NotReady) else _told(error)
    if one.replaced or one.collected:
        return UpdateNotUndone(
            "the update was cut off, and the engine does not answer: what runs is not known",
            "\n".join([*first, away.what, *away.meaning.splitlines(),
                       "What ran before is written down."]),
            "start the engine, then run tidegate up again: it knows what to go back to",
        )  # fmt: skip
    lines = [*first, *away.meaning.splitlines(), "No container was replaced."]
    return NotReady(away.what, "\n".join(lines), away.next)


def _was_cut_off(one: Update) -> bool:
    """Whether an earlier, killed update had replaced something that still runs."""
    now = {each.service: each.image for each in one.seen() if each.up}
    return any(now.get(name) != image for name, image in one.before.images.items())


def _served(one: Update) -> bool:
    """Whether a release of the app ran before: the servers alone are none."""
    return any(each.app and each.name in one.before.images for each in one.target.services)


def _untouched(one: Update, error: BaseException) -> BaseException:
    """Nothing was replaced: the error stays what it was, and says that the old one serves."""
    served = _served(one)
    if served:
        serves = "The release that ran before still serves; no container was replaced."
    else:
        serves = "No service of the app was started."
    if not isinstance(error, TidegateError):
        one.tell.stage("undo", "", serves)
        return error
    kind = type(error)
    if isinstance(error, UpdateUndone) and not served:
        kind = UpdateNotUndone
    return kind(error.what, "\n".join([*error.meaning.splitlines(), serves]), error.next)


def _nothing_before(one: Update, error: BaseException) -> BaseException:
    if not isinstance(error, TidegateError):
        one.tell.stage("undo", "", "there was no release before this one; its containers stay")
        return error
    known = releases.load(one.state)
    what, advice = "the first start failed, and there is no previous release to go back to", ""
    if known:
        what = "the start failed, and no release ran before it to go back to"
        advice = f"\nor start the last one that ran well: tidegate rollback --to {known[-1].stamp}"
    return UpdateNotUndone(
        what,
        "\n".join([*_told(error), "The containers stay as they are, to be looked at."]),
        f"correct it, then run tidegate up again{advice}",
    )


def _names_back(one: Update) -> None:
    """Give the previous images the names that the build took from them."""
    insiding.end_leftovers(one.target, one.tell)
    for reference, kept in one.before.moved.items():
        image = one.target.image_id(kept)
        new = one.target.image_id(reference)
        if image and new != image:
            if new:
                service = kept.rpartition(":")[2].rpartition("-")[0]
                one.do(one.target.tagging(new, one.target.keeping(service, "failed")))
            one.do(one.target.tagging(kept, reference))


def _previous_again(one: Update) -> list[str]:
    """Start the previous containers anew; return what did not work."""
    configuration = _previous_configuration(one)
    if statics.changed(one):
        statics.back(one, configuration)
    failures = []
    now = {each.service: each for each in one.seen() if each.up}
    for service in one.target.services:
        name = service.name
        before = one.before.images.get(name)
        if before is None:
            if name in one.replaced:
                one.do(one.target.removing(name))
            continue
        if name not in one.replaced and name in now and now[name].image == before:
            continue
        one.tell.stage("undo", name, f"image {before[7:19]} again")
        one.room(name)
        command = one.target.replacing(name, one.before.replicas[name], configuration)
        until = time.monotonic() + CATCHES_UP
        while not (done := one.do(command)).ok and time.monotonic() < until:
            if not UNDER_WAY.search(done.err):
                break
            time.sleep(1)
        if not done.ok:
            failures.append(f"{name}: {(done.err.strip().splitlines() or [done.why])[-1]}")
    return failures


def _previous_configuration(one: Update) -> str:
    """Return the file with the previous configuration; empty where the project's own are it."""
    before = one.before
    now = one.target.digests()
    # A digest covers the image's name: where all are equal, the names that we put back are enough.
    if all(now.get(name) == digest for name, digest in before.configs.items()):
        return ""
    path, digests = one.state.kept()
    if path and all(digests.get(name) == digest for name, digest in before.configs.items()):
        return path
    one.tell.warn(
        "the previous configuration is in no file and was not kept by an earlier `tidegate up`: "
        "the previous images start with the new configuration"
    )
    config = json.loads(one.target.configuration())
    for name, kept in before.kept.items():
        if name in config["services"]:
            config["services"][name]["image"] = kept
    return one.state.other("going-back", json.dumps(config))


def _well_again(one: Update) -> tuple[Ill, ...]:
    services = [each for each in one.target.services if each.name in one.before.images]
    restarts = {each.id: each.restarts for each in one.seen()}
    return settle(
        one.seen, services, {**one.restarts, **restarts},
        one.target.number("settle"), one.target.number("timeout"), lambda ill: None,
    )  # fmt: skip


def _told(error: BaseException) -> list[str]:
    if isinstance(error, Stopped):
        return [f"stopped by signal {error.signum}"]
    if isinstance(error, TidegateError):
        return [error.what, *error.meaning.splitlines()]
    return [f"{type(error).__name__}: {error}"]
