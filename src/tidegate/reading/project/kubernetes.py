"""Kubernetes manifests, plain or rendered: workloads with their containers and probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

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
    scaled: tuple[int, Item] | None = None  # by an autoscaler or an overlay

    @property
    def replicas(self) -> tuple[int, Item | None]:
        """How many pods it asks for, and where."""
        if self.scaled is not None:
            return self.scaled
        found = self.item.get("spec", "replicas")
        return (int(found.text), found) if found is not None and found.text.isdigit() else (1, None)

    def annotation(self, name: str) -> str:
        """Return an annotation of the workload itself."""
        found = self.item.get("metadata", "annotations", name)
        return found.text if found is not None else ""


def load(paths: Iterable[str], read: Callable[[str], str | None]) -> list[Workload]:
    """Return the workloads among YAML files; templates that are not rendered are passed over."""
    out: list[Workload] = []
    scales: list[tuple[str, str, int, Item]] = []
    for path in paths:
        text = read(path) or ""
        overlay = path.rpartition("/")[2].startswith("kustomization.")
        about = overlay or ("kind:" in text and any(kind in text for kind in KINDS))
        if not about or "{{" in text:
            continue
        try:
            documents = tree.parse(text, path)
        except NotYaml:
            continue
        for one in _flat(documents):
            kind = one.get("kind")
            if overlay or (kind is not None and kind.text == "HorizontalPodAutoscaler"):
                scales += _scales(one)
            elif kind is not None and kind.text in KINDS:
                found = _workload(kind.text, one)
                out += [found] if found.pods else []
                scales += [] if found.pods else _patch(found)
    return [_scaled(one, scales, out) for one in out]


def _flat(documents: Iterable[Item]) -> Iterator[Item]:
    """Yield the documents, those in a List too."""
    for one in documents:
        kind, inner = one.get("kind"), one.get("items")
        if kind is not None and kind.text == "List" and inner is not None:
            yield from inner.items
        else:
            yield one


def _scales(one: Item) -> Iterator[tuple[str, str, int, Item]]:
    """Yield how many pods an autoscaler or a kustomization wants of a workload: kind and name."""
    target, least = one.get("spec", "scaleTargetRef"), one.get("spec", "minReplicas")
    if target is not None and least is not None and least.text.isdigit():
        kind, name = target.get("kind"), target.get("name")
        if kind is not None and name is not None:
            yield kind.text, name.text, int(least.text), least
    wanted = one.get("replicas")
    for each in wanted.items if wanted is not None else ():
        name, count = each.get("name"), each.get("count")
        if name is not None and count is not None and count.text.isdigit():
            yield "", name.text, int(count.text), count


def _patch(one: Workload) -> list[tuple[str, str, int, Item]]:
    """Return what a manifest without containers changes: it lies over another one."""
    count, item = one.replicas
    return [(one.kind, one.name, count, item)] if item is not None else []


def _scaled(
    one: Workload, scales: Sequence[tuple[str, str, int, Item]], all_of_them: Sequence[Workload]
) -> Workload:
    """Return a workload with the most pods that anything wants of it, if its name is its alone."""
    same = [each for each in all_of_them if (each.kind, each.name) == (one.kind, one.name)]
    wanted = [
        (count, item) for kind, name, count, item in scales
        if name == one.name and kind in ("", one.kind)
    ]  # fmt: skip
    if len(same) != 1 or not wanted:
        return one
    most = max(wanted, key=lambda each: each[0])
    return replace(one, scaled=most) if most[0] > one.replicas[0] else one


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
