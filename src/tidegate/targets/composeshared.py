"""What the engine keeps for everybody who uses it: marks are volumes, the records an image.

An empty volume needs no image, outlives a restart of the engine, and `docker system prune` leaves
it alone as it has a name. The records lie beside the images of former releases, which `rollback`
needs as well; they go through files, so no value stands in a list of processes.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.errors import NotReady
from tidegate.model.command import Command
from tidegate.process import run
from tidegate.targets import composeengine, enginesocket
from tidegate.targets.composeargs import Words

KEPT = "tidegate/"
RECORDS = "records"  # the tag of the image that holds those of updates
OF, SAYS = "tidegate.update", "tidegate.says"
LARGEST = 50_000_000  # bytes of records that are read


@dataclass(frozen=True, slots=True)
class EngineShared:
    """See `contracts.shared.Shared`."""

    words: Words
    environ: Mapping[str, str]
    project: str
    tag: str = RECORDS

    def of(self, tag: str) -> EngineShared:
        """Return the same with the records of this name."""
        return replace(self, tag=tag)

    def seen(self) -> dict[str, Mapping[str, str]]:
        """Return the marks by name."""
        label = f"{OF}={self.project}"
        place = enginesocket.place(self.environ)
        listed = enginesocket.volumes(place, label) if place else None
        found = self._inspected(label) if listed is None else listed
        return {str(one["Name"]): _says(one.get("Labels") or {}) for one in found}

    def _inspected(self, label: str) -> list[dict[str, Any]]:
        docker = self.words.docker
        listed = run(docker("volume", "ls", "-q", "--filter", f"label={label}"), 30)
        if not listed.ok:
            why = composeengine.last_line(listed.err) or listed.why
            raise NotReady("the engine did not list its volumes", why)
        names = listed.out.split()
        if not names:
            return []
        out = run(docker("volume", "inspect", *names), 30).out
        found: list[dict[str, Any]] = json.loads(out or "[]")  # what vanished is left out
        return found

    def making(self, name: str, says: Mapping[str, str]) -> Command:
        """Return the command that makes a volume."""
        labels = (f"{OF}={self.project}", f"{SAYS}={json.dumps(dict(says))}")
        words = [word for one in labels for word in ("--label", one)]
        return self.words.docker("volume", "create", *words, self._volume(name))

    def _volume(self, name: str) -> str:
        return name if name.startswith("tidegate-") else f"tidegate-{self.project}-{name}"

    def removing(self, names: Sequence[str]) -> Command:
        """Return the command that removes volumes."""
        return self.words.docker("volume", "rm", "--force", *map(self._volume, names))

    @property
    def _reference(self) -> str:
        return f"{KEPT}{self.project.strip('-_')}:{self.tag}"

    def kept(self) -> str:
        """Return the id of the image."""
        return composeengine.image(self.words, self.environ, self._reference).id

    def keeping(self, file: str) -> Command:
        """Return the command that makes an image of an archive."""
        return self.words.docker("import", file, self._reference)

    def fetching(self, file: str) -> Command:
        """Return the command that writes the image to a file."""
        return self.words.docker("save", "-o", file, self._reference)

    def dropping(self, former: str) -> Command:
        """Return the command that removes an image which has no name any more."""
        return self.words.docker("rmi", former)

    def unpacked(self, file: str) -> dict[str, bytes]:
        """Return the files in the image's only layer."""
        with tarfile.open(file) as image:
            manifest = json.loads(_read(image, "manifest.json"))
            with tarfile.open(fileobj=image.extractfile(manifest[0]["Layers"][0])) as layer:
                return {
                    one.name: _read(layer, one.name)
                    for one in layer
                    if one.isreg() and one.size < LARGEST
                }


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    return file.read(LARGEST) if file else b""


def _says(labels: Mapping[str, str]) -> dict[str, str]:
    try:
        raw = json.loads(labels.get(SAYS, ""))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, dict) else {}
