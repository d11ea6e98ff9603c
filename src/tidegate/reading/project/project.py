"""Everything that the checks read of a project, each file read once and when it is asked for."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.reading.project import (
    composefiles,
    dockerfile,
    graph,
    kubernetes,
    startup,
)  # fmt: skip
from tidegate.reading.project.acts import Start
from tidegate.reading.project.composefiles import Stack
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.image import Image
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.projectcode import CodeOfProject
from tidegate.reading.project.projectimages import ImagesOfProject
from tidegate.reading.project.projectsettings import SettingsOfProject
from tidegate.reading.project.service import Health, Service

if TYPE_CHECKING:
    from tidegate.reading.project import celeryfiles

SKIPPED = {
    ".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", "site-packages", "dist", "build", ".eggs", "bower_components",
    "staticfiles", ".idea", ".vscode", "htmlcov", ".terraform",
}  # fmt: skip
LARGEST = 512 * 1024
_DEPTH = 8


class ProjectFiles(CodeOfProject, ImagesOfProject, SettingsOfProject):
    """A project's files as values. Paths are relative to `root`, with `/`.

    `instead` are texts that stand for those on disk: a mend is looked at before it is written.
    `loaded` is what configurations said when they were loaded, by service; "" is this machine's.
    `chosen` are Django's settings, where they are not those of manage.py.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        instead: Mapping[str, str] | None = None,
        loaded: Mapping[str, Loaded] | None = None,
        chosen: str = "",
    ) -> None:
        self.root = root
        self.chosen = chosen
        self.asked = tuple(files)  # Compose files that the user named
        self.environ = dict(environ or {})
        self.loaded = dict(loaded or {})
        self._texts: dict[str, str | None] = dict(instead or {})
        self.unread: dict[str, str] = {}  # files and folders (with `/`) that are there, and why not
        self._instead = frozenset(instead or ())
        self._images: dict[tuple[str, ...], Image | None] = {}
        self._of_services: dict[int, Image | None] = {}
        self._names: dict[str, dict[str, list[str]]] = {}
        self._starts: dict[int, Start] = {}
        self._revisions: dict[str, list[graph.Migration]] = {}
        self._settings: dict[tuple[str, str], Settings | None] = {}

    def edited(self, texts: Mapping[str, str]) -> ProjectFiles:
        """Return the project with other texts; what they do not touch is not read again."""
        out = ProjectFiles(self.root, self.asked, self.environ, texts)
        kept = {name: text for name, text in self._texts.items() if name not in texts}
        out._texts = {**kept, **texts}
        out.unread = dict(self.unread)
        same: list[str] = ["paths", "path_set", "folders"] if self.path_set >= {*texts} else []
        if not self.loaded and same and not any(one.endswith(".py") for one in texts):
            same += ["python", "app_migrations", "alembics", "manage", "settings"]
            out._settings, out._revisions = self._settings, self._revisions
        for name in same:
            if name in self.__dict__:
                out.__dict__[name] = self.__dict__[name]
        return out

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every file of the project, without what tools made."""
        out: list[str] = []
        for folder, folders, names in os.walk(self.root, onerror=self._not_listed):
            below = os.path.relpath(folder, self.root).replace(os.sep, "/")
            prefix = "" if below == "." else below + "/"
            deep = prefix.count("/") >= _DEPTH
            folders[:] = [] if deep else sorted(set(folders) - SKIPPED)
            if "env" in folders and os.path.exists(os.path.join(folder, "env", "pyvenv.cfg")):
                folders.remove("env")  # a virtual environment, and no folder of .env files
            out += [prefix + name for name in sorted(names)]
        return tuple(sorted({*out, *self._instead}))

    def _not_listed(self, error: OSError) -> None:
        folder = os.path.relpath(str(error.filename), self.root).replace(os.sep, "/")
        self.unread[folder + "/"] = error.strerror or str(error)

    @cached_property
    def path_set(self) -> frozenset[str]:
        """The files, for quick questions."""
        return frozenset(self.paths)

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that hold files."""
        out: set[str] = set()
        for path in self.paths:
            parts = path.split("/")
            out.update("/".join(parts[:index]) for index in range(1, len(parts)))
        return frozenset(out)

    def read(self, path: str) -> str | None:
        """Return a file's text; None where it is absent, outside the project, or no text."""
        path = posixpath.normpath(path)
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str | None:
        if path.startswith(("/", "../")):
            return None
        full = self.root / path
        try:
            if full.stat().st_size > LARGEST or not full.is_file():
                return None
            with full.open(encoding="utf-8", newline="") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError:
            self.unread[path] = "it is not UTF-8 text"
        except OSError as error:
            self.unread[path] = error.strerror or str(error)
        except ValueError:  # a name with a null byte
            return None
        return None

    @property
    def checked(self) -> list[str]:
        """The files that were read."""
        return sorted(path for path, text in self._texts.items() if text is not None)

    def named(self, *names: str) -> list[str]:
        """Return the files with one of these names, the shallowest first."""
        found = [path for name in dict.fromkeys(names) for path in self._by_name.get(name, ())]
        return sorted(found, key=lambda path: (path.count("/"), path))

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """The files by their last part."""
        out: dict[str, list[str]] = {}
        for path in self.paths:
            out.setdefault(path.rpartition("/")[2], []).append(path)
        return out

    # Compose

    @cached_property
    def compose_paths(self) -> tuple[str, ...]:
        """The Compose files: those at the root, and in folders such as `docker/`."""
        found = [
            path for path in self.paths
            if path.count("/") <= 2 and composefiles.NAME.match(posixpath.basename(path))
            and self._of_compose(path)
        ]  # fmt: skip
        at_root = [path for path in found if "/" not in path]
        at_root += [name for name in composefiles.DEFAULT_NAMES if (self.root / name).is_dir()]
        return tuple(at_root or found)

    def _of_compose(self, path: str) -> bool:
        """Whether a file of that name is one for Compose: `ci.yml` and `dev.yml` may be others."""
        named = "compose" in posixpath.basename(path)
        return named or bool(re.search(r"^services\s*:", self.read(path) or "", re.M))

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """The stacks that the Compose files make, the default one first."""
        sets = (
            [self.asked] if self.asked else composefiles.find_stacks(self.compose_paths, self.read)
        )
        return tuple(composefiles.load(files, self.read, self.environ) for files in sets)

    def declared_beside(self, stack: Stack) -> dict[str, frozenset[str]]:
        """Return the names that Compose files outside of a stack declare, by section."""
        out: dict[str, set[str]] = {}
        for path in self.compose_paths:
            if path not in self._names:
                self._names[path] = composefiles.names(path, self.read)
            for section, names in self._names[path].items() if path not in stack.files else ():
                out.setdefault(section, set()).update(names)
        return {section: frozenset(names) for section, names in out.items()}

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Every service of every stack."""
        return tuple(
            Service(name, item, stack, self.read)
            for stack in self.stacks
            for name, item in stack.section("services").items()
        )

    def siblings(self, service: Service) -> list[Service]:
        """Return the services of the same stack, itself included."""
        return [one for one in self.services if one.stack is service.stack]

    @cached_property
    def workloads(self) -> tuple[kubernetes.Workload, ...]:
        """The workloads of Kubernetes manifests."""
        found = [
            path
            for path in self.paths
            if path.endswith((".yaml", ".yml"))
            and path not in self.compose_paths
            and path.count("/") <= 4
            and not path.startswith(".github/")
        ]
        return tuple(kubernetes.load(found, self.read))

    # Starts

    def start(self, service: Service) -> Start:
        """Return what a service's container does when it starts."""
        if id(service) not in self._starts:
            image = self.image(service)
            self._starts[id(service)] = startup.of(
                service, image, lambda path: self.in_container(service, image, path)
            )
        return self._starts[id(service)]

    def image_start(self, image: Image) -> Start:
        """Return what an image does when it is started without Compose."""
        return startup.of(None, image, lambda path: self.in_container(None, image, path))

    def in_container(
        self, service: Service | None, image: Image | None, path: str
    ) -> tuple[str, str] | None:
        """Return the project's file at a path of the container, and its text."""
        source = self.source_of(service, image, path)
        text = self.read(source) if source else None
        return (source, text) if source and text is not None else None

    def source_of(self, service: Service | None, image: Image | None, path: str) -> str:
        """Return the project's file at a path of the container; empty where there is none."""
        for mount in sorted(service.mounts if service else (), key=lambda one: -len(one.target)):
            if path != mount.target and not path.startswith(mount.target.rstrip("/") + "/"):
                continue
            if mount.kind == "bind" and not mount.source.startswith(("/", "~")):
                below = path[len(mount.target) :].lstrip("/")
                found = (
                    posixpath.normpath(posixpath.join(mount.source, below))
                    if below
                    else mount.source
                )
                return found if found in self.path_set else ""
            if mount.kind == "bind":
                return ""
        copy = image.origin(path) if image is not None else None
        return copy.source if copy is not None and copy.source in self.path_set else ""

    def health(self, service: Service) -> Health | None:
        """Return a service's health check, its image's where it has none of its own."""
        if service.own_health is not None or service.health_disabled:
            return service.own_health
        image = self.image(service)
        one = image.healthcheck if image else None
        if image is None or one is None:
            return None
        text = one.text.strip()
        if text.upper() == "NONE":
            return None
        body = text[3:].strip() if text.upper().startswith("CMD") else text
        parsed = dockerfile.parse(f"CMD {body}", one.path).instructions
        exec_form = parsed[0].words if parsed else None
        words = ("CMD", *exec_form) if exec_form else ("CMD-SHELL", " ".join(body.split()))
        timings = {name.replace("-", "_"): value for name, value in one.flags}
        from tidegate.reading.project.tree import Item

        item = Item(
            {name: Item(value, one.path, one.line) for name, value in timings.items()},
            one.path,
            one.line,
        )
        own = service.get("healthcheck")
        return service.timed(words, one.place, own or item)

    @cached_property
    def celery(self) -> tuple[celeryfiles.CeleryApp, ...]:
        """The project's Celery apps."""
        from tidegate.reading.project import celeryfiles

        return celeryfiles.apps(self)
