"""One Compose project: what is seen of it (`composelook`), and the commands that change it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.model.command import Command
from tidegate.targets import archive, composebeside, signing
from tidegate.targets.composeargs import ARCHIVE
from tidegate.targets.composelook import ComposeLook
from tidegate.targets.composeshared import KEPT


@dataclass(frozen=True, slots=True)
class ComposeProject(ComposeLook):
    """A project's services under Compose. See `contracts.target.Target`."""

    def building(self, services: Sequence[str], pull: bool = False) -> Command:
        """Return the command that builds."""
        return self.words.build(services, self._profiles_of(services), pull)

    def pulling(self, services: Sequence[str]) -> Command:
        """Return the command that fetches images."""
        return self.words.pull(services, self._profiles_of(services))

    def _profiles_of(self, services: Sequence[str]) -> tuple[str, ...]:
        """Return a profile that each service needs to be seen by `build`.

        What is named here takes the place of COMPOSE_PROFILES, so that has to be named as well.
        """
        raw = self.config["services"]
        active = {one.name for one in self.services if one.active}
        found = [raw[name]["profiles"][0] for name in services if name not in active]
        if found and not self.words.profiles:
            found += [one for name in active for one in raw[name].get("profiles") or []]
        return tuple(dict.fromkeys(one for one in found if one not in self.words.profiles))

    def tagging(self, image: str, reference: str) -> Command:
        """Return the command that gives an image a name."""
        return self.words.docker("tag", image, reference)

    def untagging(self, references: Sequence[str]) -> Command:
        """Return the command that takes names from images."""
        return self.words.docker("rmi", "--no-prune", *references)

    def keeping(self, service: str, stamp: str) -> str:
        """Return the name under which a release's image is kept."""
        return f"{KEPT}{self.name.strip('-_')}:{service}-{stamp}"

    def starting(self, services: Sequence[str]) -> list[Command]:
        """Return the commands that start what does not run, as the files say it now.

        A container that ended because a variable was missing must not come back as it was.
        """
        lost = self.detached(services)
        if self.removes_first:
            stale = list(dict.fromkeys([*self._stale(services), *lost]))
            for name in stale:
                self.may_remove(name)
            return [*map(self.words.remove, stale), self.words.up(services)]
        others = [name for name in services if name not in lost]
        anew = [self.words.up(lost, anew=True)] if lost else []
        return [*anew, *([self.words.up(others)] if others else [])]

    def _stale(self, services: Sequence[str]) -> list[str]:
        """Return the services with a container of another configuration than the present one."""
        now = self.digests()
        old = {one.service for one in self.containers() if one.config != now.get(one.service)}
        return [name for name in services if name in old]

    def replacing(
        self, service: str, replicas: int, configuration: str = "", recreate: bool = True,
        anew: bool = False,
    ) -> Command:  # fmt: skip
        """Return the command that brings a service up to date."""
        declared = next((one.replicas for one in self.services if one.name == service), 1)
        scale = {service: replicas} if replicas != declared else {}
        anew = anew or bool(self.detached((service,)))
        anew = anew and recreate and not self.removes_first
        return self.words.up(
            (service,), recreate=recreate, scale=scale, configuration=configuration, anew=anew
        )

    def stopping(self, containers: Sequence[str]) -> list[Command]:
        """Return the commands that end and remove containers."""
        docker = self.words.docker
        return [docker("stop", *containers), docker("rm", "--force", *containers)]

    def removing(self, service: str) -> Command:
        """Return the command that removes a service's containers."""
        return self.words.remove(service)

    def inside(
        self,
        words: Sequence[str],
        service: str = "",
        mounts: Mapping[str, str] | None = None,
        user: str = "",
        configuration: str = "",
        environ: Sequence[str] = (),
    ) -> Command:
        """Return the command that runs the inside, from the one file mounted into the image."""
        pyz = f"{archive.cached(self.environ)}:ro"
        service = service or self.migrator
        writes = signing.writes(words)
        command = self.words.run(
            service,
            (ARCHIVE, *words),
            entrypoint=self._starter(service),
            user=user,
            mounts={**(mounts or {}), ARCHIVE: pyz},
            environ=(
                "PYTHONDONTWRITEBYTECODE=1",
                "TIDEGATE_ONE_OFF=1",
                *([signing.ORIGIN] if writes else []),
                *environ,
            ),
            label=str(os.getpid()),
            configuration=configuration,
            workdir=self._other_folder(service),
        )
        if not writes:
            return command
        own = next((one.image for one in self.services if one.name == service), "")
        image = signing.image_in(configuration, service) if configuration else own
        return signing.signed(command, self.environ, self.root, self.image_id, image or own)

    def once(
        self,
        service: str,
        words: Sequence[str],
        *,
        tty: bool = False,
        user: str = "",
        mounts: Mapping[str, str] | None = None,
        environ: Sequence[str] = (),
        configuration: str = "",
    ) -> Command:
        """Return the command for a one-off container; the image's entrypoint stays out of it."""
        return self.words.run(
            service, words[1:], entrypoint=words[0], tty=tty, user=user, mounts=mounts,
            environ=environ, workdir=self._other_folder(service), configuration=configuration,
        )  # fmt: skip

    def within(
        self, service: str, words: Sequence[str], *, tty: bool = False, environ: Sequence[str] = ()
    ) -> Command:
        """Return the command for the running container."""
        workdir = self._other_folder(service)
        return self.words.exec(service, words, tty=tty, environ=environ, workdir=workdir)

    def beside(
        self, image: str, words: Sequence[str], *, name: str, label: str,
        environ: Mapping[str, str],
    ) -> Command:  # fmt: skip
        """Return the command for a throw-away container in the backend's network."""
        among = composebeside.network(self.config, self.name, self.backend)
        return composebeside.starting(
            self.words, image, words, name=name, among=among, label=f"{self.name}/{label}",
            environ=environ,
        )  # fmt: skip

    def entering(self, container: str, words: Sequence[str], environ: Mapping[str, str]) -> Command:
        """Return the command that runs `words` in such a container."""
        return composebeside.entering(self.words, container, words, environ)

    def following(self, services: Sequence[str], lines: str, follow: bool) -> Command:
        """Return the command that shows logs."""
        return self.words.logs(services, lines, follow)
