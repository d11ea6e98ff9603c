"""How Compose lays one service, network or volume over another."""

from __future__ import annotations

from dataclasses import replace

from tidegate.reading.project.tree import Item

REPLACED = ("command", "entrypoint", "test")
KEYED = (
    "environment",
    "labels",
    "extra_hosts",
    "depends_on",
    "networks",
    "args",
    "additional_contexts",
    "sysctls",
    "annotations",
)
BY_TARGET = ("volumes", "devices", "secrets", "configs")


def merge(base: Item, over: Item, key: str = "") -> Item:
    """Return `over` laid over `base`, as Compose merges files and `extends`."""
    if over.tag == "!override" or over.value is None:
        return over if over.tag else base
    if key in KEYED:
        base, over = keyed(base), keyed(over)
    if key == "build":
        base, over = _build(base), _build(over)
    drivers = [one.get("driver") for one in (base, over)] if key == "logging" else []
    if len({one.text for one in drivers if one is not None}) > 1:
        return over  # the options of one driver mean nothing to another
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return replace(over, value=_mappings(base.value, over.value))
    if isinstance(base.value, tuple) or isinstance(over.value, tuple):
        return over if key in REPLACED else replace(over, value=_lists(base, over, key))
    return over


def _mappings(base: dict[str, Item], over: dict[str, Item]) -> dict[str, Item]:
    out = dict(base)
    for key, value in over.items():
        if value.tag == "!reset":
            out.pop(key, None)
        elif key in out:
            out[key] = merge(out[key], value, key)
        else:
            out[key] = value
    return out


def _lists(base: Item, over: Item, key: str) -> tuple[Item, ...]:
    if key not in BY_TARGET:
        seen = [one.plain() for one in base.items]
        return (*base.items, *(one for one in over.items if one.plain() not in seen))
    out = {target(one): one for one in base.items}
    for one in over.items:
        where = target(one)
        both = where in out and isinstance(out[where].value, dict) and isinstance(one.value, dict)
        out[where] = merge(out[where], one) if both else one
    return tuple(out.values())


def target(one: Item) -> str:
    """Return the path in the container at which a mount, device or secret appears."""
    found = one.get("target") or one.get("source")
    if found is not None:
        return found.text
    parts = split_mount(one.text)
    return parts[1] if len(parts) > 1 else parts[0]


def split_mount(text: str) -> list[str]:
    """Split `source:target:mode`; a drive letter stays with its path, `${A:-b}` is one piece."""
    parts: list[str] = []
    depth, piece = 0, ""
    for index, char in enumerate(text):
        depth += (char == "{") - (char == "}" and depth > 0)
        drive = len(piece) == 1 and piece.isalpha() and text[index + 1 : index + 2] in ("\\", "/")
        if char == ":" and not depth and not drive:
            parts.append(piece)
            piece = ""
        else:
            piece += char
    return [*parts, piece]


def keyed(item: Item) -> Item:
    """Return a list such as `- NAME=value` as the mapping that it means."""
    if not isinstance(item.value, tuple):
        return item
    out: dict[str, Item] = {}
    for one in item.value:
        name, equals, value = one.text.partition("=")
        if not equals and ":" in name:
            name, equals, value = name.partition(":")
        out[name] = replace(one, value=value if equals else None, key_line=one.line)
    return replace(item, value=out, style="")


def _build(item: Item) -> Item:
    return item if isinstance(item.value, dict) else replace(item, value={"context": item})
