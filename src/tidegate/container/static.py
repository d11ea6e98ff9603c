"""Static files: collected when their inputs have changed, by one process at a time.

A fingerprint of the inputs is kept beside what was collected, in STATIC_ROOT itself: it travels
with the volume, so a second replica, or a restart, sees that nothing is to be done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from tidegate.container.report import Report
from tidegate.container.signals import Signals
from tidegate.contracts.framework import Project, StaticFiles
from tidegate.errors import ElectionNotWon, StepFailed

MARK = ".tidegate-static"
LOCK = ".tidegate-static-lock"


class Unwritable(StepFailed):
    """STATIC_ROOT can't be written by this user."""


def root_of(project: Project, sealed: tuple[str, str] | None) -> str:
    """Return STATIC_ROOT; an empty string where the project collects nothing."""
    if sealed:
        return "" if sealed[0] == "-" else sealed[0]
    found = project.static_files()
    return found.root if found else ""


def fingerprint(static: StaticFiles) -> str:
    """Return a digest over the inputs' names and bytes, and the storage that writes them."""
    from hashlib import sha256

    whole = sha256(f"{static.storage}\n".encode())
    for path in static.sources:
        whole.update(path.encode() + b"\0")
        with open(path, "rb") as file:
            whole.update(sha256(file.read()).digest())
    return whole.hexdigest()


def kept(root: str) -> str:
    """Return the fingerprint beside the collected files, or an empty string."""
    try:
        with open(os.path.join(root, MARK), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def collect(
    project: Project,
    settings: Mapping[str, str],
    report: Report,
    deadline: float,
    signals: Signals,
    sealed: tuple[str, str] | None,
) -> None:
    """Collect if the policy and the fingerprint ask for it.

    `sealed` is (STATIC_ROOT, fingerprint) of a valid seal: then nothing has to be imported to see
    that nothing has changed.
    """
    policy = settings["collectstatic"]
    if policy == "never":
        return
    began = time.monotonic()
    if sealed and policy == "auto" and (sealed[0] == "-" or kept(sealed[0]) == sealed[1]):
        if sealed[0] != "-":
            report.stage("static", "", "unchanged", time.monotonic() - began)
        return
    static = project.static_files()
    if static is None:
        return
    print_now = fingerprint(static)
    if policy == "auto" and kept(static.root) == print_now:
        report.stage("static", "", "unchanged", time.monotonic() - began)
        return
    lock = _locked(static.root, deadline, signals)
    try:
        if policy == "auto" and kept(static.root) == print_now:
            report.stage("static", "", "collected by another process", time.monotonic() - began)
            return
        text = project.collect_static()
        _mark(static.root, print_now)
        report.stage("static", "", text, time.monotonic() - began)
    except OSError as error:
        raise _unwritable(static.root, error) from error
    finally:
        os.close(lock)


def _locked(root: str, deadline: float, signals: Signals) -> int:
    from tidegate.databases.sqlite import lock_file

    try:
        os.makedirs(root, exist_ok=True)
        fd = os.open(os.path.join(root, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(root, error) from error
    while not lock_file(fd):
        if time.monotonic() > deadline:
            os.close(fd)
            raise ElectionNotWon(
                f"another process still collects static files into {root}",
                "",
                "look at that process, or give more time with --timeout",
            )
        signals.event.wait(0.1)
    return fd


def _mark(root: str, text: str) -> None:
    part = os.path.join(root, f"{MARK}.{os.getpid()}")
    with open(part, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(part, os.path.join(root, MARK))


def _unwritable(root: str, error: OSError) -> Unwritable:
    who = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
    owner = _owner(root)
    return Unwritable(
        f"static files can't be written to {root}: {error.strerror or error}",
        f"The process runs as {who}{owner}. A named volume is created owned by root where the "
        "image has no such folder.",
        f"in the Dockerfile, before USER: RUN mkdir -p {root} && chown <user> {root}\n"
        "or, where the files come with the image: COLLECTSTATIC_ON_START=false",
    )


def _owner(root: str) -> str:
    try:
        return f", the folder belongs to user {os.stat(root).st_uid}"
    except OSError:
        return ""
