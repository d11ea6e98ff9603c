"""An engine as one JSON file: the commands of `FakeTarget` are real processes that change it.

A release is a word; `images` says what a reference names, `sick` which releases don't stay up.
What the commands do is in `fake_engine_does`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Container, Service, Told
from tidegate.errors import NotReady
from tidegate.model.command import Command

DOES = str(Path(__file__).with_name("fake_engine_does.py"))
VERBS = ("status", "migrate", "rollback", "collectstatic", "wait")
START = {"images": {"shop": "one"}, "built": "two", "running": {"web": "one"}, "pending": ["a.2"],
         "sick": [], "fails": [], "made": 1, "log": []}  # fmt: skip


class FakeTarget:
    """A target with one or more services of one image. See `contracts.target.Target`."""

    name = "shop"
    backend = migrator = "web"
    database = source = ""
    told: tuple[Told, ...] = ()
    secrets: tuple[str, ...] = ()
    removes_first = False

    def __init__(self, folder: Path, names: Sequence[str] = ("web",), **state: Any) -> None:
        self.root = folder
        self.file = folder / "engine.json"
        self.services = tuple(
            Service(name, "shop", built=True, app=True, restart="always") for name in names
        )
        self.away = 0
        self.file.write_text(json.dumps({**START, "running": dict.fromkeys(names, "one"), **state}))

    @classmethod
    def again(cls, folder: Path) -> FakeTarget:
        """The target of a folder in which there is one: its engine as it stands."""
        text = (folder / "engine.json").read_text()
        one = cls(folder)
        one.file.write_text(text)
        return one

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def number(self, key: str) -> float:
        return {"settle": 0.0, "timeout": 5.0, "migrate_timeout": 30.0, "keep": 2.0}[key]

    def reach(self) -> None:
        return None

    def check(self) -> list[str]:
        return []

    def containers(self) -> list[Container]:
        if self.away:
            self.away -= 1
            raise NotReady("the engine is away")
        state = self.state()
        return [
            Container(f"{name}-{image}-{state['made']}", name, name, image,
                      "restarting" if image in state["sick"] else "running", config="c",
                      reference="shop")
            for name, image in state["running"].items()
        ]  # fmt: skip

    def image_id(self, reference: str) -> str:
        images = self.state()["images"]
        return str(images.get(reference, reference if reference in images.values() else ""))

    def image_age(self, reference: str) -> str:
        return ""

    def workdir(self) -> str:
        return "/app"

    def mounted(self) -> Sequence[str]:
        return []

    def python(self, service: str = "") -> str:
        return "python"

    def image_path(self) -> str:
        return ""

    def digests(self) -> Mapping[str, str]:
        return {one.name: "c" for one in self.services}

    def configuration(self) -> str:
        return "{}"

    def leftovers(self) -> list[str]:
        return []

    def kept(self) -> list[str]:
        return sorted(name for name in self.state()["images"] if name != "shop")

    def keeping(self, service: str, stamp: str) -> str:
        return f"kept:{service}-{stamp}"

    def last_words(self, container: str, lines: int) -> str:
        return f"last words of {container}"

    def _command(self, *words: str) -> Command:
        return Command((sys.executable, "-I", "-S", DOES, str(self.file), *words))

    def building(self, services: Sequence[str], pull: bool = False) -> Command:
        return self._command("build", *services)

    def pulling(self, services: Sequence[str]) -> Command:
        return self._command("pull", *services)

    def tagging(self, image: str, reference: str) -> Command:
        return self._command("tag", image, reference)

    def untagging(self, references: Sequence[str]) -> Command:
        return self._command("untag", *references)

    def may_remove(self, service: str) -> None:
        return None

    def starting(self, services: Sequence[str]) -> list[Command]:
        return [self._command("start", *services)]

    def replacing(
        self, service: str, replicas: int, configuration: str = "", recreate: bool = True
    ) -> Command:
        return self._command("replace", service)

    def stopping(self, containers: Sequence[str]) -> list[Command]:
        return [self._command("stop", *containers)]

    def removing(self, service: str) -> Command:
        return self._command("remove", service)

    def inside(
        self, words: Sequence[str], service: str = "", mounts: Mapping[str, str] | None = None,
        user: str = "", configuration: str = "", environ: Sequence[str] = (),
    ) -> Command:  # fmt: skip
        return self._command(next(word for word in words if word in VERBS))

    def once(self, service: str, words: Sequence[str], **more: Any) -> Command:
        return self._command("once", *words)

    def within(self, service: str, words: Sequence[str], **more: Any) -> Command:
        return self._command("within", *words)

    def following(self, services: Sequence[str], lines: str, follow: bool) -> Command:
        return self._command("logs", *services)
