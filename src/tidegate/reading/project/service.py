"""A Compose service as values: what runs, with which variables, mounts, dependencies and probes."""

from __future__ import annotations

import math
import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from tidegate.model.finding import Place
from tidegate.reading.project import dotenv
from tidegate.reading.project.composefiles import Read, Stack
from tidegate.reading.project.composemerge import keyed
from tidegate.reading.project.serviceparts import (
    Given,
    Health,
    Mount,
    masked,
    mount,
    normal,
    seconds,
)
from tidegate.reading.project.tree import Item

__all__ = ["Given", "Health", "Mount", "Service", "masked", "place_in"]


@dataclass
class Service:
    """One service of a stack."""

    name: str
    item: Item
    stack: Stack
    read: Read

    def get(self, *keys: str) -> Item | None:
        """Return a value of the service."""
        return self.item.get(*keys)

    def text(self, *keys: str) -> str:
        """Return a scalar of the service as text."""
        found = self.item.get(*keys)
        return found.text if found is not None else ""

    @property
    def place(self) -> Place:
        """Where the service begins."""
        return self.item.place

    def place_of(self, *keys: str) -> Place:
        """Return where a key stands, else where the service begins."""
        found = self.item.get(*keys)
        return found.place if found is not None else self.place

    @cached_property
    def image(self) -> str:
        """The image's name."""
        return self.text("image")

    @property
    def place_image_raw(self) -> str:
        """The image's name as it is written, variables and all."""
        found = self.get("image")
        return found.raw if found is not None else ""

    @cached_property
    def repository(self) -> str:
        """The image's name without registry and tag: `postgres`, `postgis`."""
        name = self.image.partition("@")[0]
        last = name.rpartition("/")[2]
        return last.partition(":")[0]

    @cached_property
    def tag(self) -> str:
        """The image's tag; empty where there is none."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[2]

    @cached_property
    def build(self) -> tuple[str, str, str] | None:
        """Context, Dockerfile and target, relative to the project; None without a build.

        None too where the Dockerfile is written into the Compose file: it has no lines of its own.
        """
        found = self.get("build")
        if found is None or found.value is None or found.get("dockerfile_inline") is not None:
            return None
        context_item = found.get("context") if found.entries else found
        context = context_item.text if context_item is not None else "."
        if "://" in context or context.startswith("git@"):
            return None
        base = context_item.base if context_item is not None else found.base
        folder = normal(posixpath.join(base, context))
        name = found.get("dockerfile")
        file = posixpath.join(folder, name.text if name is not None and name.text else "Dockerfile")
        target = found.get("target")
        return folder, normal(file), target.text if target is not None else ""

    @cached_property
    def build_args(self) -> dict[str, str]:
        """The build arguments."""
        found = self.get("build", "args")
        return {name: one.text for name, one in keyed(found).entries.items()} if found else {}

    def words(self, key: str) -> tuple[str, ...] | None:
        """Return `command` or `entrypoint` as words; None where it is not set."""
        found = self.get(key)
        if found is None or (found.value is None and not isinstance(found.value, tuple)):
            return None
        if isinstance(found.value, tuple):
            return tuple(one.text for one in found.value)
        try:
            return tuple(shlex.split(found.text))
        except ValueError:
            return tuple(found.text.split())

    @cached_property
    def environment(self) -> dict[str, Given]:
        """The variables that the container gets, those of `environment` over those of files."""
        out: dict[str, Given] = {}
        for path, text in self.env_files:
            for variable in dotenv.read(text).values():
                place = Place(path, variable.line)
                out[variable.name] = Given(variable.name, variable.value, place, True)
        found = self.get("environment")
        for name, one in keyed(found).entries.items() if found else ():
            value: str | None = one.text
            if one.value is None:
                variable_ = self.stack.variables.get(name)
                value = variable_.value if variable_ else None
                if variable_ is None and name not in self.stack.variables:
                    one = replace(one, holes=(name,))
            out[name] = Given(name, value, one.place, item=one)
        return out

    @cached_property
    def env_file_paths(self) -> list[tuple[str, Item, bool]]:
        """Each `env_file`: its path, where it stands, whether it has to exist."""
        found = self.get("env_file")
        out = []
        for one in found.items if found is not None else ():
            path = one.get("path") or one
            needed = one.get("required")
            required = needed is None or needed.value is not False
            out.append((normal(posixpath.join(one.base, path.text)), one, required))
        return out

    @cached_property
    def env_files(self) -> list[tuple[str, str]]:
        """The `env_file`s that are there, as path and text."""
        found = [(path, self.read(path)) for path, _, _ in self.env_file_paths]
        return [(path, text) for path, text in found if text is not None]

    @property
    def all_env_files_there(self) -> bool:
        """Whether we have read every file that gives this service its variables."""
        return len(self.env_files) == len(self.env_file_paths)

    @cached_property
    def mounts(self) -> list[Mount]:
        """What lies over paths of the container."""
        out = [mount(one) for one in (self.get("volumes") or _NONE).items]
        for one in (self.get("tmpfs") or _NONE).items:
            out.append(Mount("tmpfs", "", one.text.partition(":")[0], False, one))
        return out

    @cached_property
    def depends_on(self) -> dict[str, tuple[str, Item]]:
        """The services it waits for: name → condition and place."""
        # A link orders the starts too.
        links = {
            one.text.partition(":")[0]: ("service_started", one)
            for one in (self.get("links") or _NONE).items
        }
        found = self.get("depends_on")
        if found is None:
            return links
        if isinstance(found.value, tuple):
            return {**links, **{one.text: ("service_started", one) for one in found.value}}
        own = {
            name: ((one.get("condition") or _NONE).text or "service_started", one)
            for name, one in found.entries.items()
        }
        return {**links, **own}

    @cached_property
    def own_health(self) -> Health | None:
        """The health check of the Compose file; None where there is none, or it is switched off."""
        found = self.get("healthcheck")
        test = self.get("healthcheck", "test")
        if found is None or test is None:
            return None
        words = tuple(one.text for one in test.items)
        if not isinstance(test.value, tuple):
            words = ("CMD-SHELL", test.text)
        if words[:1] == ("NONE",) or self.health_disabled:
            return None
        return self.timed(words, test.place, found)

    def timed(self, words: tuple[str, ...], place: Place, found: Item | None) -> Health:
        """Return a health check with the timings of `found`, or the engine's defaults."""
        value = {k: v.text for k, v in found.entries.items()} if found is not None else {}
        retries = value.get("retries", "")
        holes = found is not None and any(one.holes for one in found.entries.values())
        start = math.inf if holes else seconds(value.get("start_period", ""), 0)
        interval, timeout = (seconds(value.get(key, ""), 30) for key in ("interval", "timeout"))
        tries = int(retries) if retries.isdigit() else 3
        return Health(words, place, interval, timeout, tries, start, found)

    @property
    def health_disabled(self) -> bool:
        """Whether the file switches the image's health check off."""
        off = self.get("healthcheck", "disable")
        test = self.get("healthcheck", "test")
        none = test is not None and [one.text for one in test.items][:1] == ["NONE"]
        return none or (off is not None and off.value is True)

    @cached_property
    def replicas(self) -> tuple[int, Item | None]:
        """How many containers it says it runs, and where."""
        for keys in (("deploy", "replicas"), ("scale",)):
            found = self.get(*keys)
            if found is not None and found.text.isdigit():
                return int(found.text), found
        return 1, None

    @property
    def names(self) -> set[str]:
        """The names under which other services reach it."""
        out = {self.name, self.text("container_name"), self.text("hostname")}
        for network in (self.get("networks") or _NONE).entries.values():
            out.update(one.text for one in (network.get("aliases") or _NONE).items)
        return out - {""}

    @property
    def hosts_own_network(self) -> bool:
        """Whether it shares the network of the machine or of another container."""
        return bool(self.text("network_mode"))

    @property
    def extra_hosts(self) -> set[str]:
        """Further names that it can resolve: `extra_hosts`, `links`, the engine's own."""
        out = {"host.docker.internal"}
        found, links = self.get("extra_hosts") or _NONE, self.get("links") or _NONE
        out.update(one.text.split(":")[0].split("=")[0] for one in found.items)
        out.update(found.entries)
        out.update(one.text.rpartition(":")[2] for one in links.items)
        return out

    @property
    def reaches_outside(self) -> bool:
        """Whether the stack has a network of elsewhere, whose names we can't know."""
        return any(one.get("external") for one in self.stack.section("networks").values())

    @property
    def restart(self) -> str:
        """The restart policy."""
        return self.text("restart") or self.text("deploy", "restart_policy", "condition")


_NONE = Item(None, "", 0)


def place_in(services: Iterable[Service], name: str, *keys: str) -> Place:
    """Return where a service of that name, or a key of it, stands."""
    for one in services:
        if one.name == name:
            return one.place_of(*keys) if keys else one.place
    return Place("compose.yaml")
