"""An engine as one JSON file: the commands of `FakeTarget` are real processes that change it.

A release is a word; `images` says what a reference names, `sick` which releases don't stay up.
What the commands do is in `fake_engine_does`.
"""

from __future__ import annotations

import json
import sys
import tarfile
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


class FakeShared:
    """What everybody sees: marks are files in a folder, the records one more."""

    def __init__(self, folder: Path, tag: str = "records") -> None:
        self.folder, self.tag = folder, tag
        folder.mkdir(exist_ok=True)

    def of(self, tag: str) -> FakeShared:
        return FakeShared(self.folder, tag)

    def seen(self) -> dict[str, Mapping[str, str]]:
        found = {}
        for path in self.folder.glob("update-*"):
            try:
                found[path.name] = json.loads(path.read_text())
            except OSError:
                pass  # it was taken away since
        return found

    def _does(self, code: str, *words: str) -> Command:
        return Command((sys.executable, "-I", "-S", "-c", f"import os, sys; {code}",
                        str(self.folder), *words))  # fmt: skip

    def making(self, name: str, says: Mapping[str, str]) -> Command:
        code = ("p, fresh = sys.argv[1] + '/' + sys.argv[2], sys.argv[1] + '/new-' + sys.argv[2]; "
                "open(fresh, 'w').write(sys.argv[3]); os.replace(fresh, p)")  # fmt: skip
        return self._does(code, name, json.dumps(dict(says)))

    def removing(self, names: Sequence[str]) -> Command:
        code = "[os.path.exists(n) and os.unlink(n) for n in sys.argv[2:]]"
        return self._does(code, *[str(self.folder / name) for name in names])

    def kept(self) -> str:
        path = self.folder / self.tag
        return str(path.stat().st_mtime_ns) if path.exists() else ""

    def keeping(self, file: str) -> Command:
        code = "import shutil; p = sys.argv[1] + '/'; shutil.copy(sys.argv[2], p + 'fresh'); "
        return self._does(code + "os.replace(p + 'fresh', p + sys.argv[3])", file,
                          self.tag)  # fmt: skip

    def fetching(self, file: str) -> Command:
        code = "import shutil; shutil.copy(sys.argv[1] + '/' + sys.argv[3], sys.argv[2])"
        return self._does(code, file, self.tag)

    def dropping(self, former: str) -> Command:
        return self._does("pass")

    def unpacked(self, file: str) -> dict[str, bytes]:
        with tarfile.open(file) as archive:
            return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


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

    def hidden(self) -> str:
        return ""

    def code_here(self) -> str:
        return ""

    def python(self, service: str = "") -> str:
        return "python"

    def image_path(self) -> str:
        return ""

    def digests(self) -> Mapping[str, str]:
        return {one.name: "c" for one in self.services}

    def configuration(self) -> str:
        return "{}"

    def stranger(self) -> tuple[str, bool]:
        return "", False

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

    @property
    def shared(self) -> FakeShared:
        return FakeShared(self.root / "shared")

    def may_remove(self, service: str) -> None:
        return None

    def starting(self, services: Sequence[str]) -> list[Command]:
        return [self._command("start", *services)]

    def replacing(
        self, service: str, replicas: int, configuration: str = "", recreate: bool = True,
        anew: bool = False,
    ) -> Command:  # fmt: skip
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
