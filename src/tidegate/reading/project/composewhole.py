"""What Compose refuses once the files are merged: names that nothing declares, circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.reading.project.composemerge import split_mount
from tidegate.reading.project.composeshape import Refusal, at
from tidegate.reading.project.tree import Item

Sections = Mapping[str, Mapping[str, Item]]


def refusals(tree: Item, elsewhere: Mapping[str, frozenset[str]]) -> Iterator[Refusal]:
    """Yield what is wrong with the whole. `elsewhere` are names that further files declare.

    Such files may be meant to be given together with these; what they declare is not missing.
    """
    sections = {
        key: one.entries for key in ("services", "volumes", "networks", "secrets", "configs")
        if (one := tree.get(key)) is not None
    }  # fmt: skip
    services = sections.get("services", {})
    for name, one in services.items():
        if not one.entries:
            continue
        yield from _runs(name, one, elsewhere)
        yield from _dependencies(name, one, services, elsewhere)
        for section, used in _used(one):
            item, wanted = used
            known = wanted in sections.get(section, {}) or wanted in elsewhere.get(section, ())
            if not known and wanted and not item.holes:
                said = f'service "{name}" refers to undefined {section[:-1]} {wanted}'
                remedy = f"add to the file: {section}: with {wanted}: below it"
                yield at(item, said, remedy)
        yield from _exclusive(name, one)
    yield from _circles(services)


def _runs(name: str, one: Item, elsewhere: Mapping[str, frozenset[str]]) -> Iterator[Refusal]:
    has = any(one.get(key) is not None for key in ("image", "build", "provider", "extends"))
    if not has and name not in elsewhere.get("services", ()):
        said = f'service "{name}" has neither an image nor a build context specified'
        yield at(one, said, "give it image: or build:")


def _dependencies(
    name: str, one: Item, services: Mapping[str, Item], elsewhere: Mapping[str, frozenset[str]]
) -> Iterator[Refusal]:
    found = one.get("depends_on")
    if found is None:
        return
    wanted = dict(found.entries) or {each.text: each for each in found.items}
    for other, place in wanted.items():
        if other and other not in services and other not in elsewhere.get("services", ()):
            if place.holes:
                continue
            said = f'service "{name}" depends on undefined service "{other}"'
            others = ", ".join(sorted({*services} - {name}))
            yield at(place, said, f"write one of: {others}" if others else "take it away")


def _used(one: Item) -> Iterator[tuple[str, tuple[Item, str]]]:
    """Yield each volume, network, secret and config that a service names, with its section."""
    for mount in _list(one.get("volumes")):
        if mount.entries:
            kind, source = mount.get("type"), mount.get("source")
            if kind is not None and kind.text == "volume" and source is not None:
                yield "volumes", (source, source.text)
            continue
        parts = split_mount(mount.text)
        plain = parts[0][:1] not in (".", "/", "~", "\\", "$", "") and parts[0][1:2] != ":"
        if len(parts) > 1 and plain and not mount.holes:
            yield "volumes", (mount, parts[0])
    networks = one.get("networks")
    for name, each in networks.entries.items() if networks is not None else ():
        yield from [("networks", (each, name))] if name != "default" else []
    for each in _list(networks):
        yield from [("networks", (each, each.text))] if each.text != "default" else []
    for section in ("secrets", "configs"):
        for each in _list(one.get(section)):
            source = each.get("source") or each
            yield section, (source, source.text)


def _list(one: Item | None) -> tuple[Item, ...]:
    return one.value if one is not None and isinstance(one.value, tuple) else ()


def _exclusive(name: str, one: Item) -> Iterator[Refusal]:
    mode, networks = one.get("network_mode"), one.get("networks")
    if mode is not None and networks is not None and mode.text:
        said = f"service {name} declares mutually exclusive `network_mode` and `networks`"
        yield at(mode, said, "keep one of the two")
    own = one.get("container_name")
    for keys in (("deploy", "replicas"), ("scale",)):
        count = one.get(*keys)
        if (
            own is not None
            and own.text
            and count is not None
            and isinstance(count.value, int)
            and count.value > 1
        ):
            said = f"can't set container_name and {name} as container name must be unique"
            yield at(own, said, f"take container_name away: {name} has {count.value} replicas")
            return


def _circles(services: Mapping[str, Item]) -> Iterator[Refusal]:
    done: set[str] = set()
    for name in services:
        path: list[str] = []
        found = _circle(name, services, path, done)
        if found:
            place = services[found[0]].get("depends_on") or services[found[0]]
            said = "dependency cycle detected: " + " -> ".join(found)
            yield at(place, said, "take one of these dependencies away")
            return


def _circle(name: str, services: Mapping[str, Item], path: list[str], done: set[str]) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done or name not in services or len(path) > 200:
        return []
    path.append(name)
    found = services[name].get("depends_on")
    names = [*found.entries, *(one.text for one in found.items)] if found is not None else []
    for other in names:
        circle = _circle(other, services, path, done)
        if circle:
            return circle
    path.pop()
    done.add(name)
    return []
