"""Which settings a project and each of its services load."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tidegate.reading.project import djangosettings
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.image import Image
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.service import Service

if TYPE_CHECKING:
    from tidegate.reading.project.composefiles import Stack


class SettingsOfProject:
    """The part of a project's files that has to do with Django's settings."""

    if TYPE_CHECKING:
        chosen: str
        loaded: dict[str, Loaded]
        _settings: dict[tuple[str, str], Settings | None]

        @cached_property
        def stacks(self) -> tuple[Stack, ...]:
            """The stacks, the default one first."""

        def read(self, path: str) -> str | None:
            """Return a file's text."""

        def named(self, *names: str) -> list[str]:
            """Return the files with one of these names."""

        def image(self, service: Service) -> Image | None:
            """Return the image that a service builds."""

    @cached_property
    def manage(self) -> str:
        """The path of manage.py; empty without Django."""
        found = [
            path
            for path in self.named("manage.py")
            if "DJANGO_SETTINGS_MODULE" in (self.read(path) or "")
            or "django" in (self.read(path) or "")
        ]
        return found[0] if found else ""

    @cached_property
    def settings(self) -> Settings | None:
        """The settings that manage.py names."""
        if not self.manage:
            return None
        found = re.findall(
            r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""", self.read(self.manage) or ""
        )
        name = self.chosen or (found[0] if found else "")
        named = self.settings_named(name) if name else None
        knowing = next((one for one in self.loaded.values() if one.decides), None)
        if knowing is None:
            return named
        named = self.settings_named(knowing.settings) or named
        return replace(named, loaded=knowing) if named is not None else None

    def settings_named(self, module: str) -> Settings | None:
        """Return a settings module by its dotted name."""
        folder = posixpath.dirname(self.manage)
        key = (module, folder)
        if key not in self._settings:
            folders = [folder, posixpath.join(folder, "src"), ""]
            found = next(
                (s for one in folders if (s := djangosettings.load(module, one, self.read))), None
            )
            self._settings[key] = found
        return self._settings[key]

    def settings_for(self, service: Service | None) -> Settings | None:
        """Return the settings that a service's variables and image choose, if it has some."""
        loaded = self.loaded_of(service) if service is not None else None
        if loaded is not None and loaded.decides:
            named = self.settings_named(loaded.settings) or self.settings
            return replace(named, loaded=loaded) if named is not None else None
        found = self._settings_for(service)
        if service is None or found is None:
            return found
        image = self.image(service)
        here = image is not None and image.copied_to(found.path)
        folder = found.path.rpartition("/")[0]
        mounted = any(
            one.kind == "bind"
            and (found.path.startswith(one.source + "/") or one.source in ("", folder))
            for one in service.mounts
        )
        return found if here or mounted else None

    def loaded_of(self, service: Service) -> Loaded | None:
        """Return what a service's configuration said when it was loaded."""
        return self.loaded.get(service.name) if self.stacks[0] is service.stack else None

    def _settings_for(self, service: Service | None) -> Settings | None:
        name = ""
        if service is not None:
            given = service.environment.get("DJANGO_SETTINGS_MODULE")
            image = self.image(service)
            if given is not None and given.unknown:
                return None
            name = (given.value or "") if given else ""
            name = name or (image.environ.get("DJANGO_SETTINGS_MODULE", "") if image else "")
        return (self.settings_named(name) if name else None) or self.settings
