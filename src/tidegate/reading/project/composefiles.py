"""Compose files as the engine merges them, every value with the place it came from."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.reading.project import composeshape, composewhole, dotenv, tree
from tidegate.reading.project.composemerge import merge
from tidegate.reading.project.composeshape import Refusal
from tidegate.reading.project.interpolation import Seen, interpolate
from tidegate.reading.project.tree import Item, NotYaml

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
NAME = re.compile(
    r"^((docker-)?compose([.-][\w.-]+)?|[\w.-]+[.-](docker-)?compose|local|production|prod|staging|dev|development|test|ci)"
    r"\.ya?ml$"
)

Read = Callable[[str], str | None]


@dataclass
class Unset:
    """A variable that a Compose file uses and that has no value."""

    name: str
    item: Item
    required: bool = False
    message: str = ""


@dataclass
class Stack:
    """What `docker compose` with these files would run."""

    files: tuple[str, ...]
    tree: Item
    variables: dict[str, dotenv.Variable]
    env_file: str = ""
    unset: list[Unset] = field(default_factory=list)
    problems: list[Refusal] = field(default_factory=list)
    partial: bool = False

    def refused(self, elsewhere: Mapping[str, frozenset[str]], whole: bool) -> Iterator[Refusal]:
        """Yield everything for which Compose refuses these files.

        `whole` says that they are given alone, so that what they name has to be in them.
        """
        yield from self.problems
        if whole and not self.partial and not any(one.sure for one in self.problems):
            yield from composewhole.refusals(self.tree, elsewhere)

    def section(self, name: str) -> dict[str, Item]:
        """Return the entries of `services`, `volumes`, ..."""
        found = self.tree.get(name)
        return found.entries if found is not None else {}


def find_stacks(paths: Sequence[str], read: Read) -> list[tuple[str, ...]]:
    """Return the sets of files that are run together, the one Compose takes by itself first.

    A file whose services all say what they run stands alone; one that has services without image
    or build is meant to lie over the default file.
    """
    default: tuple[str, ...] = ()
    for name in DEFAULT_NAMES:
        if name in paths:
            stem = name.rpartition(".")[0]
            overs = [f"{stem}.override.{end}" for end in ("yml", "yaml")]
            default = (name, *(one for one in overs if one in paths))
            break
    stacks = [default] if default else []
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if path in default or ".override." in name:
            continue
        alone = _stands_alone(read(path) or "", path)
        if alone:
            stacks.append((path,))
        elif alone is False and default and not folder:
            stacks.append((default[0], path))
    return stacks


def _stands_alone(text: str, path: str) -> bool | None:
    """Whether each service has an image, a build or an extends; None without any."""
    try:
        documents = tree.parse(text, path)
    except NotYaml:
        template = "{{" in text or "{%" in text
        named = "compose" in posixpath.basename(path)
        return True if named and not template and "services:" in text else None
    services = documents[0].get("services") if documents else None
    if services is None or not services.entries:
        return None
    return all(
        one.get("image") or one.get("build") or one.get("extends")
        for one in services.entries.values()
    )


def names(path: str, read: Read) -> dict[str, list[str]]:
    """Return what a file declares, by section; nothing of a file that is no YAML."""
    try:
        documents = tree.parse(read(path) or "", path)
    except NotYaml:
        return {}
    return {
        section: [
            name for name, one in found.entries.items() if section != "services" or one.entries
        ]
        for document in documents[:1]
        for section, found in document.entries.items()
    }


def load(files: Sequence[str], read: Read, environ: Mapping[str, str] | None = None) -> Stack:
    """Return the merged stack; what can't be read is listed in `problems`."""
    return _Loader(files, read, environ or {}).load()


class _Loader:
    def __init__(self, files: Sequence[str], read: Read, environ: Mapping[str, str]) -> None:
        self.files, self.read, self.environ = tuple(files), read, dict(environ)
        self.base = posixpath.dirname(files[0])
        env_path = posixpath.join(self.base, ".env")
        text = read(env_path)
        self.variables = dotenv.read(text, environ=self.environ) if text is not None else {}
        self.env_file = env_path if text is not None else ""
        self.values = {**{n: v.value for n, v in self.variables.items()}, **self.environ}
        self.unset: list[Unset] = []
        self.problems: list[Refusal] = []
        self.partial = False  # a part lies where we don't look
        self.opened: list[str] = []  # the file that is read, and those that include it

    def load(self) -> Stack:
        merged = Item({}, self.files[0], 1, base=self.base)
        for path in self.files:
            merged = merge(merged, self.document(path, self.base))
        return Stack(
            self.files, merged, self.variables, self.env_file, self.unset, self.problems,
            self.partial,
        )  # fmt: skip

    def document(self, path: str, base: str) -> Item:
        """One file: parsed, interpolated, its `include` and `extends` followed."""
        found = self.parsed(path, base)
        self.opened.append(path)
        for one in (found.get("include") or Item((), path, 1)).items:
            found = self.included(one, found)
        self.opened.pop()
        services = found.get("services")
        if services is None:
            return found
        done = {
            name: self.extended(one, services.entries, path, ())
            for name, one in services.entries.items()
        }
        return replace(found, value={**found.entries, "services": replace(services, value=done)})

    def included(self, one: Item, found: Item) -> Item:
        given = one.get("path") or one
        for each in given.items:
            path = posixpath.normpath(posixpath.join(one.base, each.text))
            if _elsewhere(path, each):
                self.partial = True
                continue
            if path in self.opened or len(self.opened) > 50:
                said = f"include cycle detected: {self.opened[-1]} includes {path}"
                self.refuse(one, said, "take this include away")
                continue
            if self.read(path) is None:
                self.refuse(each, f"open {path}: no such file or directory", "correct the path")
                continue
            found = merge(self.document(path, posixpath.dirname(path)), found)
        return found

    def parsed(self, path: str, base: str) -> Item:
        empty = Item({}, path, 1, base=base)
        text = self.read(path)
        if text is None:
            self.problems.append(Refusal(path, 0, "the file can't be read", unread=True))
            return empty
        try:
            documents = tree.parse(text, path, base)
        except NotYaml as error:
            said = f"yaml: line {error.line}: {error.why}"
            self.problems.append(Refusal(path, error.line, said, unread=True))
            return empty
        if not documents:
            remedy = "write services: and a service below it, or delete the file"
            self.problems.append(Refusal(path, 1, "empty compose file", remedy))
            return empty
        self.problems += composeshape.refusals(documents[0])
        if not isinstance(documents[0].value, dict):
            return empty
        return documents[0].mapped(self.interpolated)

    def refuse(self, one: Item, said: str, remedy: str = "") -> None:
        """Note that Compose refuses a place."""
        self.problems.append(Refusal(one.path, one.key_line or one.line, said, remedy))

    def interpolated(self, item: Item) -> Item:
        if not isinstance(item.value, str) or "$" not in item.value:
            return item
        seen = Seen()
        value = interpolate(item.value, self.values, seen)
        self.unset += [Unset(name, item) for name in seen.unset]
        self.unset += [Unset(name, item, True, why) for name, why in seen.required]
        for bad in seen.bad:
            said = (
                f"invalid interpolation format: {bad}; you may need to escape any $ with another $"
            )
            self.refuse(item, said, "close the brace, or write $$ for a dollar")
        holes = (*seen.unset, *(name for name, _ in seen.required))
        return replace(item, value=value, holes=holes)

    def extended(
        self, service: Item, siblings: dict[str, Item], path: str, seen: tuple[tuple[str, str], ...]
    ) -> Item:
        """Follow `extends` to its end and lay the service over what it extends."""
        extends = service.get("extends")
        if extends is None:
            return service
        own = replace(service, value={k: v for k, v in service.entries.items() if k != "extends"})
        file = extends.get("file")
        name = (extends.get("service") or extends).text
        where = posixpath.normpath(posixpath.join(extends.base, file.text)) if file else path
        if (where, name) in seen:
            self.refuse(extends, f"circular reference: {name} extends itself")
            return own
        if file is not None and _elsewhere(where, file):
            self.partial = True
            return own
        if where != path and self.read(where) is None:
            self.refuse(extends, f"open {where}: no such file or directory", "correct the path")
            return own
        if where != path:
            found = self.parsed(where, posixpath.dirname(where)).get("services")
            siblings = found.entries if found is not None else {}
        if name not in siblings:
            self.refuse(extends, f'cannot extend service: service "{name}" not found in {where}')
            return own
        return merge(self.extended(siblings[name], siblings, where, (*seen, (where, name))), own)


def _elsewhere(path: str, given: Item) -> bool:
    """Whether a file lies outside of the project, behind a URL, or where a variable says."""
    return (
        path.startswith(("../", "/"))
        or "://" in given.text
        or "@" in given.text
        or bool(given.holes)
    )
