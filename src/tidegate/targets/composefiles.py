"""Which Compose files a project has: by Compose's own names, by an environment's, in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.contracts.target import Ambiguous, Asked
from tidegate.errors import UsageProblem
from tidegate.targets.composesettings import Values

# https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file
OWN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
NAMED = re.compile(r"(?:docker-)?compose[.-](?P<name>[\w-]+(?:\.[\w-]+)*)\.ya?ml")
SHORT = re.compile(r"(?P<name>local|dev|development|staging|prod|production)\.ya?ml")
FOLDERS = ("docker", "deploy", "deployment", "compose", "infra", "ops", "containers", ".docker")
NOT_ALONE = ("override",)
MEANT = {"dev": ("development", "local"), "prod": ("production",), "test": ("testing", "ci")}


@dataclass(frozen=True, slots=True)
class Files:
    """The files to name to Compose, and those it finds by itself; why these; `base` for overlays.

    `base` are files under which an environment's file has to lie when it can't stand alone.
    """

    named: tuple[str, ...]
    own: tuple[str, ...]
    why: str
    guessed: bool = True
    base: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every file, relative to the project's folder."""
        return self.named or self.own


def signs(root: Path) -> bool:
    """Return whether there is any Compose file about; costs a look at a few folders."""
    return bool(
        standard(root) or _named(root) or any(_in_folders(root).values()) or _elsewhere(root)
    )


def find(root: Path, asked: Asked, values: Values, environ: Mapping[str, str]) -> Files | None:
    """Return the files of the project at `root`, or None when there are none.

    Raises Ambiguous when there are several and none has Compose's own name.
    """
    said = values.words("files")
    if said:
        missing = [name for name in said if not os.path.isfile(root / name)]
        if missing:
            raise UsageProblem(
                f"there is no {missing[0]} in {root}",
                f"It comes from {values.source('files')}.",
                "correct the name",
            )
        return Files(said, (), values.source("files"), guessed=False)
    if asked.environment and values.source("files") == "default":
        return _environment(root, asked.environment, values)
    if environ.get("COMPOSE_FILE"):
        return Files((), (environ["COMPOSE_FILE"],), "COMPOSE_FILE", guessed=False)
    own = standard(root)
    if own:
        return Files((), own, "Compose's own names")
    return _one_of(root)


def _environment(root: Path, name: str, values: Values) -> Files:
    """The files of an environment that has no table: the file that bears its name."""
    found = {**_elsewhere(root), **_named(root)}
    names = (name, *MEANT.get(name, ()))
    for wanted in names:
        for path, label in found.items():
            if label == wanted:
                folder = Path(path).parent
                base = tuple(str((folder / one).as_posix()) for one in standard(root / folder)[:1])
                return Files((path,), (), f"named for {wanted}", base=base)
    if len(values.told) > (1 if "service" in values.told else 0):  # a table without files
        own = standard(root)
        if own:
            return Files((), own, "Compose's own names")
    known = ", ".join(sorted(set(found.values()))) or "none"
    raise UsageProblem(
        f"there is no environment {name}",
        f"tidegate looked for [tool.tidegate.environments.{name}] in pyproject.toml and for a "
        f"Compose file of that name. Environments with a file: {known}.",
        f"name one of them, or write the table with files = [...] for {name}",
    )


def _one_of(root: Path) -> Files | None:
    named = _named(root)
    if len(named) == 1:
        return Files(tuple(named), (), "the only Compose file")
    if named:
        raise _several(named)
    folders = {folder: own for folder, own in _in_folders(root).items() if own}
    if len(folders) == 1:
        ((folder, own),) = folders.items()
        return Files((f"{folder}/{own[0]}",), (), f"the only folder with one: {folder}")
    if folders:
        raise _several({f"{folder}/{own[0]}": folder for folder, own in folders.items()})
    elsewhere = _elsewhere(root)
    if len(elsewhere) == 1:
        return Files(tuple(elsewhere), (), "the only Compose file")
    if elsewhere:
        raise _several(elsewhere)
    return None


def _several(found: Mapping[str, str]) -> Ambiguous:
    listed = sorted(found)
    return Ambiguous(
        f"there are {len(listed)} Compose files, and nothing says which",
        "\n".join(f"-f {path}" for path in listed),
        f"name one, as in: tidegate -f {listed[0]} ...\n"
        "or write files = [...] under [tool.tidegate.compose] in pyproject.toml",
        [(path, Asked(files=(path,))) for path in listed],
    )


def standard(folder: Path) -> tuple[str, ...]:
    """Return the file that Compose finds by itself, and the override that it lays over it."""
    for name in OWN:
        if os.path.isfile(folder / name):  # a folder that we may not enter has none
            stem = name.rpartition(".")[0]
            over = [f"{stem}.override.{end}" for end in ("yaml", "yml")]
            return (name, *[one for one in over if os.path.isfile(folder / one)][:1])
    return ()


def _named(folder: Path) -> dict[str, str]:
    """Return the files that bear an environment's name, by path: the name."""
    out = {}
    for path in sorted(folder.glob("*.y*ml")):
        match = NAMED.fullmatch(path.name) or SHORT.fullmatch(path.name)
        if match is None or not os.path.isfile(path) or match["name"] in NOT_ALONE:
            continue
        if match.re is SHORT and not _declares_services(path):
            continue
        out[path.name] = match["name"]
    return out


def _elsewhere(root: Path) -> dict[str, str]:
    return {
        f"{folder}/{path}": name
        for folder in FOLDERS
        if os.path.isdir(root / folder)
        for path, name in _named(root / folder).items()
    }


def _in_folders(root: Path) -> dict[str, tuple[str, ...]]:
    return {folder: standard(root / folder) for folder in FOLDERS if os.path.isdir(root / folder)}


def _declares_services(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^services:\s*$", text, re.MULTILINE) is not None
