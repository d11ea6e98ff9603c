"""YAML as a tree in which every value keeps its file, line and the characters that it covers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tidegate.model.finding import Place

_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)$")
_OCTAL = re.compile(r"0o?([0-7]+)$")
_FLOAT = re.compile(r"[-+]?(\d[\d_]*)?\.\d+([eE][-+]?\d+)?$|[-+]?\d+[eE][-+]?\d+$")
_TRUE, _FALSE, _NULL = (
    ("true", "True", "TRUE"),
    ("false", "False", "FALSE"),
    ("null", "Null", "~", ""),
)


class NotYaml(Exception):
    """The text can't be parsed; `line` is where."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


@dataclass(frozen=True)
class Item:
    """One value: a scalar, a tuple of items, or a dictionary of items.

    `base` is the folder that relative paths in it start from, relative to the project. `start`
    and `end` are character offsets of the value in its file; `key_line` is its key's line.
    """

    value: Any
    path: str
    line: int
    end_line: int = 0
    key_line: int = 0
    column: int = 0
    start: int = 0
    end: int = 0
    style: str = ""
    tag: str = ""
    base: str = ""
    raw: str = ""
    holes: tuple[str, ...] = ()  # variables in it that nothing sets
    flaws: tuple[tuple[int, str], ...] = ()  # lines of a mapping that YAML 1.2 does not allow

    def get(self, *keys: str) -> Item | None:
        """Return the value below `keys`, or None."""
        found: Item | None = self
        for key in keys:
            if found is None or not isinstance(found.value, dict):
                return None
            found = found.value.get(key)
        return found

    @property
    def entries(self) -> dict[str, Item]:
        """The entries of a mapping; {} of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Item, ...]:
        """The items of a list; a lone scalar counts as a list of one."""
        if isinstance(self.value, tuple):
            return self.value
        return () if self.value is None or isinstance(self.value, dict) else (self,)

    @property
    def text(self) -> str:
        """The scalar as text; empty for none, lists and mappings."""
        if self.value is None or isinstance(self.value, (dict, tuple)):
            return ""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return str(self.value)

    @property
    def place(self) -> Place:
        """Where it stands: its key's line where it has one."""
        return Place(self.path, self.key_line or self.line)

    def plain(self) -> Any:
        """Return it as plain Python values."""
        if isinstance(self.value, dict):
            return {key: one.plain() for key, one in self.value.items()}
        if isinstance(self.value, tuple):
            return [one.plain() for one in self.value]
        return self.value

    def scalars(self) -> Iterator[Item]:
        """Yield every scalar below."""
        if isinstance(self.value, dict):
            for one in self.value.values():
                yield from one.scalars()
        elif isinstance(self.value, tuple):
            for one in self.value:
                yield from one.scalars()
        else:
            yield self

    def mapped(self, change: Callable[[Item], Item]) -> Item:
        """Return the tree with each scalar changed."""
        if isinstance(self.value, dict):
            return replace(self, value={k: one.mapped(change) for k, one in self.value.items()})
        if isinstance(self.value, tuple):
            return replace(self, value=tuple(one.mapped(change) for one in self.value))
        return change(self)


def parse(text: str, path: str, base: str = "") -> list[Item]:
    """Return the documents of a YAML text. Raises NotYaml."""
    return list(_documents(text, path, base))


@lru_cache(maxsize=64)
def _documents(text: str, path: str, base: str) -> tuple[Item, ...]:
    """Parse once: a file is asked what it is, what it declares, and what it says."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=loader) if node is not None]
        return tuple(_Builder(path, base).item(node, 0) for node in nodes)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or str(error)
        raise NotYaml(why, mark.line + 1 if mark else 1) from None
    except RecursionError:
        raise NotYaml("it is nested too deeply", 1) from None


# A file of any honest size repeats far less; a handful of lines can ask for billions.
MOST_REPEATED = 100_000


class _Builder:
    """Makes items of a syntax tree; an alias is its anchor's value once more."""

    def __init__(self, path: str, base: str) -> None:
        self.path, self.base = path, base
        self.open: set[int] = set()
        self.done: set[int] = set()
        self.repeated = 0
        self.top = 1  # the line of the file's own key that is being read

    def item(self, node: Any, key_line: int) -> Item:
        here, line = id(node), node.start_mark.line + 1
        if here in self.open:
            raise NotYaml("an anchor's value contains the anchor itself", line)
        self.repeated += here in self.done
        if self.repeated > MOST_REPEATED:
            raise NotYaml("its anchors repeat each other too often (excessive aliasing)", self.top)
        self.open.add(here)
        found = self.built(node, key_line)
        self.open.discard(here)
        self.done.add(here)
        return found

    def built(self, node: Any, key_line: int) -> Item:
        start, end = node.start_mark, node.end_mark
        style, raw = "", ""
        value: Any
        flaws: list[tuple[int, str]] = []
        if node.id == "mapping":
            value = self.mapping(node, flaws)
        elif node.id == "sequence":
            value = tuple(self.item(one, 0) for one in node.value)
        else:
            style = node.style or ""
            raw = node.value
            value = scalar(node.value, style)
        if node.id != "scalar":
            style = "flow" if node.flow_style else ""
        tag = node.tag if node.tag in ("!reset", "!override") else ""
        end_line, end_index = end.line + (1 if end.column else 0), end.index
        if node.id != "scalar" and style != "flow" and node.value:
            # A block ends where the parser sees the next token: take its last value's end.
            end_line, end_index = value_end(node)
        return Item(
            value, self.path, start.line + 1, max(end_line, start.line + 1), key_line,
            start.column + 1, start.index, end_index, style, tag, self.base, raw,
            flaws=tuple(flaws),
        )  # fmt: skip

    def mapping(self, node: Any, flaws: list[tuple[int, str]]) -> dict[str, Item]:
        """Entries in order; `<<` gives what the mapping itself does not say."""
        own: dict[str, Item] = {}
        merged: dict[str, Item] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if len(self.open) == 1:
                self.top = line
            if key.id != "scalar":
                continue
            if key.value in lines:
                first = lines[key.value]
                flaws.append((line, f'mapping key "{key.value}" already defined at line {first}'))
            lines.setdefault(key.value, line)
            if key.value == "<<" and not key.style:
                for source in value.value if value.id == "sequence" else [value]:
                    found = self.item(source, 0)
                    if not isinstance(found.value, dict):
                        flaws.append(
                            (line, "map merge requires map or sequence of maps as the value")
                        )
                    for name, one in found.entries.items():
                        merged.setdefault(name, one)
            else:
                own[key.value] = self.item(value, line)
        return {**merged, **own}


def value_end(node: Any) -> tuple[int, int]:
    """Return the last line of a node, and the offset behind its last character."""
    if node.id != "scalar" and not node.flow_style and node.value:
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (node, last)
        if value.start_mark.index >= key.start_mark.index:
            return value_end(value)
        # An alias: its value stands at the anchor, and only the key is here.
        return key.end_mark.line + 1, key.end_mark.index
    mark = node.end_mark
    return mark.line + (1 if mark.column else 0), mark.index


def scalar(text: str, style: str = "") -> Any:
    """Return what a plain scalar means in YAML 1.2, as Compose reads it; quoted ones are text."""
    if style:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.match(text):
        return int(text.replace("_", ""))
    if _OCTAL.match(text):
        return int(_OCTAL.match(text)[1], 8)  # type: ignore[index]
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    return text
