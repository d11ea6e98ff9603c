"""What runs a project's services: its services as values, what is seen of them, what changes them.

What only looks runs at once. What changes something is a `Command`: the workflow prints it in a dry
run, and runs the very same value otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tidegate.contracts.shared import Shared
from tidegate.errors import UsageProblem
from tidegate.model.command import Command


@dataclass(frozen=True, slots=True)
class Service:
    """One service as the project declares it.

    `image` is the reference that its containers are made from. `active` says whether a plain start
    includes it, `once` that another service waits for its good end. `replicas_said` tells that the
    files themselves fix the number.
    """

    name: str
    image: str
    built: bool = False
    needs: tuple[str, ...] = ()
    active: bool = True
    replicas: int = 1
    replicas_said: bool = False
    restart: str = "no"
    once: bool = False
    code: str = ""  # the host's folder with manage.py or alembic.ini, when its image holds it
    app: bool = False  # whether its image is the app's, and no server that the app needs
    mounted: tuple[str, ...] = ()  # the host's folders that its containers see


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine sees it now. `config` is the digest of what it was made from."""

    id: str
    name: str
    service: str
    image: str
    state: str
    health: str = ""
    restarts: int = 0
    exit_code: int = 0
    started: str = ""
    config: str = ""
    reference: str = ""  # what its image was called when it was made
    oom: bool = False
    error: str = ""

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Told:
    """One setting as it is in force, and where it came from."""

    name: str
    value: str
    source: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about the target."""

    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    environment: str = ""
    service: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


class Ambiguous(UsageProblem):
    """Several answers are possible, and nothing says which; `choices` are (what, Asked)."""

    def __init__(
        self, what: str, meaning: str, next: str, choices: Sequence[tuple[str, Asked]]
    ) -> None:
        super().__init__(what, meaning, next)
        self.choices = tuple(choices)


def find_service(services: Sequence[Service], name: str, meaning: str = "", next: str = "") -> None:
    """Raise UsageProblem unless a service has that name. `meaning` says where the name is from."""
    names = [one.name for one in services]
    if name not in names:
        raise UsageProblem(
            f"there is no service {name}",
            f"{meaning} The services are: {', '.join(names)}.".strip(),
            next or "correct the name",
        )


class Target(Protocol):
    """A project's services in one environment."""

    name: str
    root: Path
    services: tuple[Service, ...]  # each after what it needs
    backend: str
    migrator: str  # the service whose container migrates: the backend, or one made for it
    database: str
    source: str  # the host's folder with manage.py or alembic.ini
    told: tuple[Told, ...]
    secrets: tuple[str, ...]

    @property
    def removes_first(self) -> bool:
        """Whether a container has to be removed before its service gets another one."""

    @property
    def shared(self) -> Shared:
        """What the engine keeps for everybody who uses it."""

    def may_remove(self, service: str) -> None:
        """Raise PolicyRefused where a removed container's next one would not have its data."""

    def number(self, key: str) -> float:
        """Return a setting that is a number."""

    def reach(self) -> None:
        """Raise NotReady unless what runs the services answers."""

    def check(self) -> list[str]:
        """Look whether an update can begin; return what to warn of. Raises what forbids it."""

    def containers(self) -> list[Container]:
        """Return the containers of the services, running or not; no one-off ones."""

    def stranger(self) -> tuple[str, bool]:
        """Return another project's folder whose containers bear this one's name; empty if none.

        And whether somebody gave this one that name, so that it may be meant.
        """

    def address(self, service: str, port: int) -> tuple[str, str]:
        """Return (host, port) where a port of the service's running container is reached from here.

        Raises NotReady where none runs, or none can be reached.
        """

    def image_id(self, reference: str) -> str:
        """Return the id of an image, or an empty string."""

    def image_age(self, reference: str) -> str:
        """Return when an image was made, or an empty string."""

    def workdir(self) -> str:
        """Return the folder in the image where the backend's code lies."""

    def mounted(self) -> Sequence[str]:
        """Return where the backend's own mounts lie in its containers."""

    def hidden(self) -> str:
        """Return which mount lies over the code of the image and holds none; empty where none."""

    def code_here(self) -> str:
        """Return the host's folder whose code the backend runs; empty where it is its image's."""

    def python(self, service: str = "") -> str:
        """Return the Python that has the app's packages, of a service's image or the backend's."""

    def image_path(self) -> str:
        """Return PATH as the backend's image sets it."""

    def digests(self) -> Mapping[str, str]:
        """Return what `Container.config` would be for each service if it were made now."""

    def configuration(self) -> str:
        """Return the whole configuration as it is now, for `replacing` to be given later."""

    def leftovers(self) -> list[str]:
        """Return the ids of one-off containers that this process has started and that still run."""

    def building(self, services: Sequence[str], pull: bool = False) -> Command:
        """Return the command that builds the images of `services`, on the newest bases or not."""

    def pulling(self, services: Sequence[str]) -> Command:
        """Return the command that fetches the newest images under the names of `services`."""

    def tagging(self, image: str, reference: str) -> Command:
        """Return the command that gives an image a name."""

    def untagging(self, references: Sequence[str]) -> Command:
        """Return the command that takes names from images."""

    def kept(self) -> list[str]:
        """Return the names that `tagging` gave to images of former releases, oldest first."""

    def keeping(self, service: str, stamp: str) -> str:
        """Return the name under which a release's image is kept."""

    def starting(self, services: Sequence[str]) -> list[Command]:
        """Return the commands that start what does not run, and replace nothing that does."""

    def replacing(
        self, service: str, replicas: int, configuration: str = "", recreate: bool = True,
        anew: bool = False,
    ) -> Command:  # fmt: skip
        """Return the command that brings one service to the present image and configuration.

        With `anew` its containers are made once more although they are as they would be.
        """

    def stopping(self, containers: Sequence[str]) -> list[Command]:
        """Return the commands that end and remove containers."""

    def removing(self, service: str) -> Command:
        """Return the command that ends and removes all containers of a service."""

    def inside(
        self, words: Sequence[str], service: str = "", mounts: Mapping[str, str] | None = None,
        user: str = "", configuration: str = "", environ: Sequence[str] = (),
    ) -> Command:  # fmt: skip
        """Return the command that runs tidegate's inside in a one-off container of a service.

        `configuration` is a file that stands for the project's own, as for `replacing`.
        `environ` holds NAME=VALUE words.
        """

    def once(
        self, service: str, words: Sequence[str], *, tty: bool = False, user: str = "",
        mounts: Mapping[str, str] | None = None, environ: Sequence[str] = (),
        configuration: str = "",
    ) -> Command:  # fmt: skip
        """Return the command that runs `words` in a one-off container of a service.

        `configuration` is a file that stands for the project's own, as for `replacing`.
        """

    def within(self, service: str, words: Sequence[str], *, tty: bool = False,
               environ: Sequence[str] = ()) -> Command:  # fmt: skip
        """Return the command that runs `words` in the running container of a service."""

    def beside(
        self, image: str, words: Sequence[str], *, name: str, label: str,
        environ: Mapping[str, str],
    ) -> Command:  # fmt: skip
        """Return the command for a throw-away container of any image in the backend's network.

        It is removed when it ends, and should end when its input does.
        """

    def entering(self, container: str, words: Sequence[str], environ: Mapping[str, str]) -> Command:
        """Return the command that runs `words` in such a container."""

    def besides(self) -> Mapping[str, str]:
        """Return the ids of such containers of this project, with their labels."""

    def following(self, services: Sequence[str], lines: str, follow: bool) -> Command:
        """Return the command that shows the services' logs."""

    def last_words(self, container: str, lines: int) -> str:
        """Return the end of a container's log."""


class Teller(Protocol):
    """Whoever is told how a workflow goes on."""

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        """Take one line."""

    def warn(self, text: str) -> None:
        """Take what is not as it should be, and doesn't stop us."""


Line = Callable[[str], None]
Document = Mapping[str, Any]
