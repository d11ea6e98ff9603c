"""Docker Compose: finds the project, and what its files say.

Compose itself merges its files and hands them over as JSON, so nothing here reads YAML.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Asked, Told
from tidegate.errors import UsageProblem
from tidegate.model.command import Command
from tidegate.process import FOR_READING, Result, present, run
from tidegate.targets import composefiles, composefolder, composeservices, composewrong
from tidegate.targets.composeargs import Words
from tidegate.targets.composeproject import ComposeProject
from tidegate.targets.composesettings import KEYS, Values, gather

NAME = "compose"
NEW, OLD = ("docker", "compose"), ("docker-compose",)
UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')


def signs(root: Path) -> bool:
    """Return whether a project at `root` may be one of Compose's; a look at a few folders."""
    return composefiles.signs(root)


def find(
    root: Path,
    asked: Asked,
    common: Mapping[str, object],
    environments: Mapping[str, object],
    environ: Mapping[str, str],
) -> ComposeProject | None:
    """Return the Compose project at `root`, or None when there is none.

    Raises Ambiguous when it can't be said which, UsageProblem when the configuration is wrong.
    """
    values = gather(asked, common, environments, environ)
    files = composefiles.find(root, asked, values, environ)
    if files is None:
        return None
    words = Words(
        NEW if present("docker") else _program(),
        root,
        files.named,
        _env_files(root, asked, values, files),
        values.words("profiles"),
        values.text("project"),
    )
    config, unset, words, files = _configured(words, files, environ)
    words = replace(words, secrets=composeservices.secrets(config))
    return _project(root, asked, values, files, words, config, unset, environ)


def _project(
    root: Path,
    asked: Asked,
    values: Values,
    files: composefiles.Files,
    words: Words,
    config: Mapping[str, Any],
    unset: tuple[str, ...],
    environ: Mapping[str, str],
) -> ComposeProject:
    found = composeservices.services(config, words.profiles)
    found = composeservices.in_force(found, _in_force(words, config))
    backend = composeservices.backend(found, config, values) or Told(
        "service", "", "no service's image holds manage.py or alembic.ini", True
    )
    found = composeservices.of_the_app(found, backend.value)
    found = tuple(composeservices.in_order(found, first=backend.value))
    migrator = composeservices.migrator(found, values, backend.value)
    database = composeservices.database(found, values, backend.value)
    name = str(config.get("name") or words.project or root.name)
    source = values.text("source") or next((s.code for s in found if s.name == backend.value), "")
    told = (
        Told("environment", asked.environment, "--env" if asked.environment else "default"),
        Told("compose", " ".join(words.compose), "found on the PATH", True),
        Told("files", " ".join(words.files or files.own), files.why, files.guessed),
        Told("env_files", " ".join(words.env_files) or ".env, if there is one",
             _env_source(values, words), not values.words("env_files")),
        Told("project", name, values.source("project") if values.text("project") else "Compose"),
        backend, migrator, database,
        Told("source", source, values.source("source") if values.text("source")
             else "where manage.py or alembic.ini lies", not values.text("source")),
        _workdir(config, values, backend.value, root / source),
        *[values.told.get(key.name, Told(key.name, key.default.replace("\n", " "), "default"))
          for key in KEYS if key.name not in
          ("files", "env_files", "project", "service", "migrations", "database", "source",
           "workdir")],
    )  # fmt: skip
    return ComposeProject(
        name, root, found, backend.value, migrator.value, database.value, told, words.secrets,
        words, values, config, unset, source, dict(environ),
    )  # fmt: skip


def _in_force(words: Words, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the services that a plain start includes, where some are under profiles.

    COMPOSE_PROFILES enables them too, in the shell or in an env file: Compose knows where.
    """
    if not any(raw.get("profiles") for raw in (config.get("services") or {}).values()):
        return ()
    done = run(words.command(*words.begin(), "config", "--services"), 60)
    return tuple(done.out.split()) if done.ok else ()


def _workdir(config: Mapping[str, Any], values: Values, backend: str, source: Path) -> Told:
    if values.text("workdir"):
        return values.told["workdir"]
    found = composeservices.elsewhere(config["services"].get(backend, {}), source)
    if found:
        return Told("workdir", found, f"the command of {backend} names it", True)
    return Told("workdir", "", "default")


def _program() -> tuple[str, ...]:
    """Return Compose: the engine's own plugin, else the program of old."""
    if present("docker") and run(Command((*NEW, "version")), 20).ok:
        return NEW
    if present("docker-compose"):
        return OLD
    raise UsageProblem(
        "neither `docker compose` nor `docker-compose` was found",
        "The project has Compose files, and tidegate reaches it through them.",
        "install Docker with Compose: https://docs.docker.com/get-docker/\n"
        "or work without containers: --local",
    )


def _env_files(
    root: Path, asked: Asked, values: Values, files: composefiles.Files
) -> tuple[str, ...]:
    """Return the env files to name; Compose itself reads `.env` beside its first file."""
    said = values.words("env_files")
    for name in said:
        if not (root / name).is_file():
            raise UsageProblem(
                f"there is no {name} in {root}",
                f"It comes from {values.source('env_files')}.",
                "copy its example and fill it in, or correct the name",
            )
    if said:
        return said
    beside = (root / files.named[0]).parent if files.named else root
    if not (beside / ".env").is_file():
        own = f".env.{asked.environment}"
        for name in (".env", own) if asked.environment else (".env",):
            if (root / name).is_file():
                return (name,)
    return ()


def _env_source(values: Values, words: Words) -> str:
    if values.words("env_files"):
        return values.source("env_files")
    return "beside the project, not beside the Compose file" if words.env_files else "Compose"


def _configured(
    words: Words, files: composefiles.Files, environ: Mapping[str, str]
) -> tuple[Mapping[str, Any], tuple[str, ...], Words, composefiles.Files]:
    """Return the merged configuration; a file that can't stand alone is laid over the base."""
    done = _read(words)
    if not done.ok:  # is it a file, or is there no such Compose?
        words = replace(words, compose=_program())
    if words.compose == OLD and _first_generation():
        config, unset = _from_yaml(words, environ)
        # A configuration that is kept lies elsewhere, and version 1 names a project by its folder.
        return config, unset, replace(words, first=True, project=str(config["name"])), files
    if not done.ok and words.compose == OLD:
        done = _read(words)
    if not done.ok and files.base:
        over = replace(words, files=(*files.base, *words.files))
        again = _read(over)
        if again.ok:
            why = f"{files.why}; it is no project by itself, so it lies over {files.base[0]}"
            done, words, files = again, over, replace(files, why=why)
    if not done.ok:
        raise composewrong.explained(words, done)
    return json.loads(done.out), _unset(done.err), words, files


def _read(words: Words) -> Result:
    return run(words.config("--format", "json"), 60, memory=FOR_READING)


def _unset(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(UNSET.findall(text)))


def _first_generation() -> bool:
    """Return whether docker-compose is version 1, which speaks YAML only."""
    done = run(Command(("docker-compose", "version", "--short")), 20)
    return done.out.strip().lstrip("v").startswith("1.")


def _from_yaml(
    words: Words, environ: Mapping[str, str]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the configuration through a YAML library: version 1 has no JSON."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise UsageProblem(
            "docker-compose is version 1, which gives its configuration as YAML only",
            "tidegate reads that with PyYAML, which is not installed.",
            "install Compose v2 (docker compose), or: pip install pyyaml",
        ) from None
    done = run(words.command(*words.begin(), "config"), 60, memory=FOR_READING)
    if not done.ok:
        raise composewrong.explained(words, done)
    config = dict(yaml.safe_load(done.out))
    # Version 1 says nowhere what it calls the project.
    called = composefolder.said(words, environ) or composefolder.place(words).resolve().name
    name = re.sub(r"[^a-z0-9_-]", "", called.lower())
    services = {
        key: {**raw, "image": raw.get("image", f"{name}_{key}"), "volumes": _long(raw)}
        for key, raw in (config.get("services") or {}).items()
    }
    return {**config, "name": name, "services": services}, _unset(done.err)


def _long(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return version 1's short volumes (`source:target:mode`) in the long form."""
    out: list[dict[str, Any]] = []
    for one in raw.get("volumes") or []:
        if isinstance(one, dict):
            out.append(one)
            continue
        match = re.fullmatch(r"((?:[A-Za-z]:)?[^:]+):([^:]+)(?::\w+)?", str(one))
        if match:
            kind = "bind" if re.match(r"[./~]|[A-Za-z]:[\\/]", match[1]) else "volume"
            out.append({"type": kind, "source": match[1], "target": match[2]})
    return out
