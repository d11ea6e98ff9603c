"""The command lines of Compose and of the engine, as values. Nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.model.command import Command

ONE_OFF = "tidegate.oneoff"
ARCHIVE = "/tidegate-boot.pyz"


@dataclass(frozen=True, slots=True)
class Words:
    """How every command of a project begins. `compose` is `docker compose` or `docker-compose`."""

    compose: tuple[str, ...]
    root: Path
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    project: str = ""
    secrets: tuple[str, ...] = ()
    first: bool = False  # whether it is version 1 of docker-compose

    def begin(self, profiles: Sequence[str] = (), configuration: str = "") -> tuple[str, ...]:
        """Return the program and what comes before Compose's own verb."""
        out = list(self.compose)
        for name in self.env_files:
            out += ["--env-file", name]
        for name in (configuration,) if configuration else self.files:
            out += ["-f", name]
        if self.project:
            out += ["-p", self.project]
        for name in (*self.profiles, *profiles):
            out += ["--profile", name]
        return tuple(out)

    def command(self, *argv: str) -> Command:
        """Return a command that runs in the project's folder."""
        return Command(argv, cwd=str(self.root), secrets=self.secrets)

    def docker(self, *argv: str) -> Command:
        """Return a command of the engine."""
        return self.command("docker", *argv)

    def config(self, *more: str) -> Command:
        """Return the command that reads the merged configuration of every profile."""
        return self.command(*self.begin(("*",)), "config", *more)

    def build(
        self, services: Sequence[str], profiles: Sequence[str] = (), pull: bool = False
    ) -> Command:
        """Return the command that builds."""
        more = ("--pull",) if pull else ()
        return self.command(*self.begin(profiles), "build", *more, *services)

    def pull(self, services: Sequence[str], profiles: Sequence[str] = ()) -> Command:
        """Return the command that fetches images."""
        return self.command(*self.begin(profiles), "pull", *services)

    def up(
        self,
        services: Sequence[str],
        *,
        recreate: bool = True,
        scale: Mapping[str, int] | None = None,
        configuration: str = "",
        anew: bool = False,
    ) -> Command:
        """Return the command that brings services to their present image and configuration.

        `anew` makes containers that are as they should be once more, with the volumes they have.
        """
        argv = [*self.begin(configuration=configuration), "up", "-d", "--no-deps", "--no-build"]
        if not recreate:
            argv.append("--no-recreate")
        if anew:
            argv.append("--force-recreate")
        for name, count in (scale or {}).items():
            argv += ["--scale", f"{name}={count}"]
        return self.command(*argv, *services)

    def run(
        self,
        service: str,
        words: Sequence[str],
        *,
        entrypoint: str = "",
        tty: bool = False,
        user: str = "",
        mounts: Mapping[str, str] | None = None,
        environ: Sequence[str] = (),
        label: str = "",
        configuration: str = "",
        workdir: str = "",
    ) -> Command:
        """Return the command for a one-off container, removed when it has ended."""
        argv = [*self.begin(configuration=configuration), "run", "--rm", "--no-deps"]
        if not tty:
            argv.append("-T")
        if label:
            argv += ["--label", f"{ONE_OFF}={label}"]
        if user:
            argv += ["--user", user]
        if workdir:
            argv += ["-w", workdir]
        for inner, outer in (mounts or {}).items():
            argv += ["-v", mount(outer, inner)]
        for name in environ:
            argv += ["-e", name]
        if entrypoint:
            argv += ["--entrypoint", entrypoint]
        return self.command(*argv, service, *words)

    def exec(
        self, service: str, words: Sequence[str], *, tty: bool = False,
        environ: Sequence[str] = (), workdir: str = "",
    ) -> Command:  # fmt: skip
        """Return the command for the running container."""
        argv = [*self.begin(), "exec"]
        if not tty:
            argv.append("-T")
        if workdir:
            argv += ["-w", workdir]
        for name in environ:
            argv += ["-e", name]
        return self.command(*argv, service, *words)

    def logs(self, services: Sequence[str], lines: str, follow: bool) -> Command:
        """Return the command that shows logs."""
        argv = [*self.begin(), "logs", "--tail", lines]
        if follow:
            argv.append("--follow")
        return self.command(*argv, *services)

    def remove(self, service: str) -> Command:
        """Return the command that ends and removes a service's containers."""
        return self.command(*self.begin(), "rm", "--force", "--stop", service)


def mount(outer: str, inner: str) -> str:
    """Return one `-v` word; without a host path it is a volume filled from the image.

    `outer` may end with `:ro`. Compose takes a Windows path with slashes, drive and all.
    """
    if not outer:
        return inner
    path, colon, mode = outer.rpartition(":")
    if not colon or mode not in ("ro", "rw"):
        path, mode = outer, ""
    path = path.replace("\\", "/") if re.match(r"[A-Za-z]:[\\/]", path) else path
    return f"{path}:{inner}" + (f":{mode}" if mode else "")
