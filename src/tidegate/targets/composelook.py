"""What is seen of one Compose project.

State is asked of the engine (labels, inspect), never read out of text meant for people.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Container, Service, Told
from tidegate.errors import NotReady, UsageProblem
from tidegate.model.command import Command, line
from tidegate.process import Result, run
from tidegate.targets import (
    composebeside,
    composedigests,
    composeengine,
    composefolder,
    composepython,
    composeseen,
    composeservices,
)
from tidegate.targets.composeargs import ONE_OFF, Words
from tidegate.targets.composeengine import last_line
from tidegate.targets.composesettings import Values
from tidegate.targets.composeshared import KEPT, RECORDS, EngineShared


@dataclass(frozen=True, slots=True)
class ComposeLook:
    """A project's services under Compose, looked at. See `contracts.target.Target`."""

    name: str
    root: Path
    services: tuple[Service, ...]
    backend: str
    migrator: str
    database: str
    told: tuple[Told, ...]
    secrets: tuple[str, ...]
    words: Words
    values: Values
    config: Mapping[str, Any]
    unset: tuple[str, ...]
    source: str
    environ: Mapping[str, str]

    def number(self, key: str) -> float:
        """Return a setting that is a number."""
        return float(self.values.text(key))

    def check(self) -> list[str]:
        """Look whether an update can begin."""
        if self.unset:
            names = ", ".join(self.unset)
            raise UsageProblem(
                f"variables without a value: {names}",
                "Compose would put nothing in their place. A password with a $ in it is read as "
                "a variable, too.",
                f"give them in {self._env_file()} (NAME=value; NAME= where nothing is meant; "
                "single quotes keep a $)",
            )
        self.reach()
        return self._refuse_full_disk()

    def reach(self) -> None:
        """Raise NotReady unless the engine answers."""
        if composeengine.answers(self.environ):
            return
        done = self._ask(self.words.docker("version", "--format", "{{json .Server}}"), 20)
        if not done.ok:
            where = self.environ.get("DOCKER_HOST") or "its usual socket"
            raise NotReady(
                f"the container engine does not answer at {where}",
                last_line(done.err) or done.why,
                "start it (Docker Desktop, or: sudo systemctl start docker), then run this again",
            )

    def _refuse_full_disk(self) -> list[str]:
        done = self._ask(self.words.docker("info", "--format", "{{.DockerRootDir}}"), 20)
        try:
            free = shutil.disk_usage(done.out.strip()).free / 1e9
        except OSError:
            return []  # the engine is on another machine, or its folder is not ours to see
        wanted = self.number("disk")
        if free < wanted:
            raise NotReady(
                f"only {free:.1f} GB are free at {done.out.strip()}",
                "A build could fill the disk, and the database beside it would stop.",
                "docker builder prune, docker image prune; or lower the setting disk",
            )
        return []

    def containers(self) -> list[Container]:
        """Return the containers of the services."""
        return [
            composeseen.container_of(raw)
            for raw in self._inspected(f"{composeseen.LABEL}project={self.name}")
            if composeseen.labels_of(raw).get(composeseen.LABEL + "oneoff", "False") == "False"
        ]

    def stranger(self) -> tuple[str, bool]:
        """Return another folder that has started containers of this name; was it named so?"""
        key, own = composeseen.LABEL + "service", {one.name for one in self.services}
        raws = self._inspected(f"{composeseen.LABEL}project={self.name}")
        mine = [raw for raw in raws if composeseen.labels_of(raw).get(key) in own]
        found = composefolder.stranger(self.words, mine)
        return found, bool(found) and composefolder.is_named(self.words, self.environ)

    def detached(self, services: Sequence[str]) -> list[str]:
        """Return services of which a container can't start again: its network was removed."""
        lost = []
        for name in services:
            own = (f"{composeseen.LABEL}project={self.name}", f"{composeseen.LABEL}service={name}")
            wanted = {id for raw in self._inspected(*own) for id in composeseen.waits_for(raw)}
            there = (
                self._ask(self.words.docker("network", "ls", "-q", "--no-trunc"), 30)
                if wanted
                else None
            )
            if there and there.ok and wanted - set(there.out.split()):
                lost.append(name)
        return lost

    def leftovers(self) -> list[str]:
        """Return the ids of one-off containers that this process has started and that still run."""
        mine = f"{ONE_OFF}={os.getpid()}"
        raws = self._inspected(f"{composeseen.LABEL}project={self.name}", mine)
        return [str(raw["Id"]) for raw in raws if raw["State"].get("Running")]

    def _inspected(self, *labels: str) -> list[dict[str, Any]]:
        return composeengine.containers(self.words, self.environ, labels, self.reach)

    def address(self, service: str, port: int) -> tuple[str, str]:
        """Return the published port on this machine, else the container's own address."""
        own = (
            f"{composeseen.LABEL}project={self.name}",
            f"{composeseen.LABEL}service={service}",
        )
        for raw in self._inspected(*own):
            if raw["State"].get("Running"):
                found = composeseen.published(raw, port) or composeseen.own_address(raw, port)
                if found is not None:
                    return found
        start = f"start it: {line([*self.words.begin(), 'up', '-d', service])}"
        raise NotReady(
            f"service {service} has no running container whose port {port} can be reached", "",
            f"{start}; or publish the port",
        )  # fmt: skip

    def image_id(self, reference: str) -> str:
        """Return the id of an image, or an empty string."""
        return composeengine.image(self.words, self.environ, reference).id

    def image_age(self, reference: str) -> str:
        """Return when an image was made, or an empty string."""
        return composeengine.image(self.words, self.environ, reference).created

    def workdir(self) -> str:
        """Return the folder in the image where the backend's code lies."""
        return self._folder(self.backend, self._image(self.backend))

    def _image(self, service: str) -> composeengine.Image:
        reference = next((one.image for one in self.services if one.name == service), "")
        return composeengine.image(self.words, self.environ, reference)

    def _folder(self, service: str, image: composeengine.Image) -> str:
        raw = self.config["services"][service]
        own = str(raw.get("working_dir") or image.workdir or "/")
        if service in (self.backend, self.migrator):
            said = self.values.text("workdir")
            return said or composeservices.elsewhere(raw, self.root / self.source) or own
        return own

    def _other_folder(self, service: str) -> str:
        """Return the folder to run in, where it is not the container's own; else nothing."""
        if service not in (self.backend, self.migrator):
            return ""
        found = self._folder(service, composeengine.Image(""))
        raw = self.config["services"][service]
        return found if found not in ("/", str(raw.get("working_dir") or "")) else ""

    def mounted(self) -> Sequence[str]:
        """Return the targets of the backend's volumes and binds."""
        raw = self.config["services"][self.backend].get("volumes") or []
        return [str(one["target"]) for one in raw if isinstance(one, dict) and one.get("target")]

    def hidden(self) -> str:
        """Return the bind mount of the backend that hides the image's code."""
        raw = self.config["services"][self.backend]
        return composeservices.hiding(raw, self.workdir())

    def code_here(self) -> str:
        """Return the host's folder whose code the backend runs, in place of its image's."""
        return composeservices.lying_over(self.config["services"][self.backend], self.workdir())

    def python(self, service: str = "") -> str:
        """Return the setting, or what has the packages in the image."""
        said = self.values.text("python")
        if said:
            return said
        image = self._image(service or self.backend)
        folder = self._folder(service or self.backend, image)
        return composepython.find(self.words, image, folder, self.environ)

    def _starter(self, service: str) -> str:
        """Return what starts the inside in a service's container."""
        said = self.values.text("python")
        if said:
            return said
        image = self._image(service)
        return composepython.first(self.words, image, self._folder(service, image), self.environ)

    def image_path(self) -> str:
        """Return PATH as the backend's image sets it."""
        return self._image(self.backend).path

    def digests(self) -> Mapping[str, str]:
        """Return the digest of each service's configuration."""
        marked = {(one.service, one.config) for one in self.containers()}
        return composedigests.digests(self.words, self.config, self.configuration(), marked)

    def configuration(self) -> str:
        """Return the merged configuration as JSON, which Compose reads back as a file."""
        unknown = {"name"} if self.words.first else set()
        return json.dumps({key: value for key, value in self.config.items() if key not in unknown})

    @property
    def removes_first(self) -> bool:
        """Version 1 can't read the images of today's engines when it recreates a container."""
        return self.words.first

    def may_remove(self, service: str) -> None:
        """Compose v2 gives the volumes without a name to the next container; a removal does not."""
        own = f"{composeseen.LABEL}service={service}"
        for raw in self._inspected(f"{composeseen.LABEL}project={self.name}", own):
            composeseen.refuse_nameless(service, raw)

    def besides(self) -> Mapping[str, str]:
        """Return such containers of this project with their labels."""
        raws = self._inspected(composebeside.BESIDE)
        labels = {str(raw["Id"]): composeseen.labels_of(raw)[composebeside.BESIDE] for raw in raws}
        return {
            id: label.partition("/")[2]
            for id, label in labels.items()
            if label.partition("/")[0] == self.name
        }

    def kept(self) -> list[str]:
        """Return the references of kept images, oldest first."""
        argv = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter",
                f"reference={KEPT}{self.name.strip('-_')}")  # fmt: skip
        done = self._ask(self.words.docker(*argv), 30)
        found = [one for one in done.out.split() if not one.endswith(f":{RECORDS}")]
        return sorted(found, key=lambda one: one.rpartition("-")[2])

    def last_words(self, container: str, lines: int) -> str:
        """Return the end of a container's log."""
        done = self._ask(self.words.docker("logs", "--tail", str(lines), container), 30)
        return (done.out + done.err).strip()

    def _ask(self, command: Command, timeout: float) -> Result:
        return run(command, timeout)

    def _env_file(self) -> str:
        named = self.words.env_files
        return named[0] if named else ".env"

    @property
    def shared(self) -> EngineShared:
        """What the engine keeps for everybody who uses it."""
        return EngineShared(self.words, self.environ, self.name)
