"""Is the release well? Judged from what the engine says of the containers, again and again.

Compose's own `--wait` calls a container healthy that has no health check and crashes in a loop: a
loop is seen here by its restarts, and by whatever does not stay well for the settle time.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tidegate.contracts.target import Container, Service

PAUSE = 0.4
UNHEALTHY = "is unhealthy"
SLOW_START = 60.0  # seconds in which a server that calls itself unhealthy may still come


@dataclass(frozen=True, slots=True)
class Ill:
    """Why a release is not well: which service, what happened, whose log says more."""

    service: str
    what: str
    container: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw: what is wrong for good, and what is not ready yet."""

    ill: tuple[Ill, ...]
    waiting: tuple[Ill, ...]


def look(
    services: Sequence[Service],
    containers: Sequence[Container],
    restarts: Mapping[str, int],
    patient: bool = False,
) -> Look:
    """Judge one moment. `restarts` are the counts by container from before the settle time.

    With `patient`, being unhealthy is not for good: the health check of a server may give up while
    a new volume is still filled, and be glad a moment later.
    """
    ill: list[Ill] = []
    waiting: list[Ill] = []
    for service in services:
        own = [one for one in containers if one.service == service.name]
        if not own:
            ill.append(Ill(service.name, "has no container"))
        for one in own:
            wrong, wait = _judge(service, one, restarts.get(one.id, 0))
            if wrong and patient and one.up and one.health == "unhealthy":
                waiting.append(Ill(service.name, wrong, one.id))
            elif wrong:
                ill.append(Ill(service.name, wrong, one.id))
            elif wait:
                waiting.append(Ill(service.name, wait, one.id))
    return Look(tuple(ill), tuple(waiting))


def _judge(service: Service, one: Container, restarts: int) -> tuple[str, str]:
    """Return (what is wrong for good, what is not ready yet)."""
    if one.oom:
        return "was killed: it used more memory than it may", ""
    if one.restarts > restarts:
        code = "" if one.up else f" (exit code {one.exit_code})"  # of one that runs it is 0
        return f"crashes and is restarted again and again{code}", ""
    if one.state == "restarting":
        return f"crashes and is restarted (exit code {one.exit_code})", ""
    if one.state in ("exited", "dead"):
        if one.exit_code == 0 and (service.once or service.restart == "no"):
            return "", ""
        return f"ended with exit code {one.exit_code}", ""
    if one.state == "paused":
        return "is paused", ""
    if one.state != "running":
        return "", f"is {one.state}{': ' + one.error if one.error else ''}"
    if one.health == "unhealthy":
        return f"{UNHEALTHY}{': ' + _short(one.error) if one.error else ''}", ""
    if service.once:
        return "", "has not ended yet"
    return "", "is not healthy yet" if one.health == "starting" else ""


def _short(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def settle(
    seen: Callable[[], Sequence[Container]],
    services: Sequence[Service],
    restarts: Mapping[str, int],
    seconds: float,
    timeout: float,
    changed: Callable[[Ill], None],
    patient: bool = False,
) -> tuple[Ill, ...]:
    """Watch until everything was well for `seconds`, or return what is not.

    `restarts` are the counts by container when the update began; a new container counts from 0.
    `patient` gives servers that the app needs a minute to become healthy after all.
    """
    began = well_since = time.monotonic()
    told: set[Ill] = set()
    while True:
        now = time.monotonic()
        found = look(services, seen(), restarts, patient and now - began < SLOW_START)
        if found.ill:
            return found.ill
        if found.waiting:
            well_since = now
            for one in found.waiting:
                if one not in told:
                    told.add(one)
                    changed(one)
            if now - began > timeout:
                return tuple(
                    Ill(one.service, f"{one.what} after {timeout:g} s", one.container)
                    for one in found.waiting
                )
        elif now - well_since >= seconds:
            return ()
        time.sleep(PAUSE)


def answers(url: str, timeout: float) -> str:
    """Return why `url` doesn't answer with success before the deadline, or an empty string."""
    began = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # follows redirects
                response.read(1)
                return ""
        except urllib.error.HTTPError as error:
            why = f"answered {error.code}"
        except (OSError, ValueError) as error:
            why = f"did not answer: {getattr(error, 'reason', error)}"
        if time.monotonic() - began > timeout:
            return why
        time.sleep(PAUSE)
