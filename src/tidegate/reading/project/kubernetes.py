"""Kubernetes manifests, plain or rendered: workloads with their containers and probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tidegate.model.finding import Place
from tidegate.reading.project import shell, tree, words
from tidegate.reading.project.tree import Item, NotYaml

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Rollout")


@dataclass(frozen=True)
class Pod:
    """One container of a workload. `init` says that it runs to its end before the others."""

    name: str
    item: Item
    init: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """What it runs, as far as the manifest says."""
        parts = [self.item.get(key) for key in ("command", "args")]
        return tuple(one.text for part in parts if part is not None for one in part.items)

    @property
    def commands(self) -> list[tuple[tuple[str, ...], bool]]:
        """Each command with whether a lock or tidegate is around it."""
        rest = words.unwrapped(self.argv)
        if self.parsed:
            return [(one.bare.words, words.gated(one.words)) for one in self.parsed]
        return [(rest, words.gated(rest))] if rest else []

    @property
    def parsed(self) -> list[shell.Command]:
        """The commands of its `sh -c`, if it has one."""
        rest = words.unwrapped(self.argv)
        if len(rest) > 2 and words.name_of(rest[0]) in shell.SHELLS and "c" in rest[1]:
            return shell.parse(rest[2], errexit="e" in rest[1]).flat()
        return []

    def migrates(self) -> bool:
        """Whether it applies migrations with nothing around that lets one through at a time."""
        return any(words.migrates(one) and not locked for one, locked in self.commands)

    @property
    def place(self) -> Place:
        """Where its command stands."""
        found = self.item.get("command") or self.item.get("args") or self.item
        return found.place

    def number(self, probe: str, key: str, default: int) -> int:
        """Return a number of a probe."""
        found = self.item.get(probe, key)
        return int(found.text) if found is not None and found.text.isdigit() else default


@dataclass(frozen=True)
class Workload:
    """A Deployment, a Job, ..."""

    kind: str
    name: str
    item: Item
    pods: tuple[Pod, ...]

    @property
    def replicas(self) -> tuple[int, Item | None]:
        """How many pods it asks for, and where."""
        found = self.item.get("spec", "replicas")
        return (int(found.text), found) if found is not None and found.text.isdigit() else (1, None)

    def annotation(self, name: str) -> str:
        """Return an annotation of the workload itself."""
        found = self.item.get("metadata", "annotations", name)
        return found.text if found is not None else ""


def load(paths: Iterable[str], read: Callable[[str], str | None]) -> list[Workload]:
    """Return the workloads among YAML files; templates that are not rendered are passed over."""
    out = []
    for path in paths:
        text = read(path) or ""
        if "kind:" not in text or "{{" in text or not any(kind in text for kind in KINDS):
            continue
        try:
            documents = tree.parse(text, path)
        except NotYaml:
            continue
        for one in documents:
            kind = one.get("kind")
            if kind is not None and kind.text in KINDS:
                out.append(_workload(kind.text, one))
    return out


def _workload(kind: str, one: Item) -> Workload:
    name = one.get("metadata", "name")
    keys = (
        ("spec", "jobTemplate", "spec", "template", "spec")
        if kind == "CronJob"
        else ("spec", "template", "spec")
    )
    spec = one.get(*keys)
    pods: list[Pod] = []
    for key in ("initContainers", "containers"):
        found = spec.get(key) if spec is not None else None
        for item in found.items if found is not None else ():
            own = item.get("name")
            pods.append(Pod(own.text if own is not None else "", item, key == "initContainers"))
    return Workload(kind, name.text if name is not None else "", one, tuple(pods))
