"""The settings of a Compose project, declared once: key in files, environment name, help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.contracts.target import Asked, Told
from tidegate.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Key:
    """One key of `[tool.tidegate.compose]` and of `[tool.tidegate.environments.NAME]`."""

    name: str
    default: str
    help: str
    kind: str = "word"

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return "TIDEGATE_COMPOSE_" + self.name.upper()


KEYS = (
    Key("files", "", "the Compose files, in Compose's own order", "list"),
    Key("env_files", "", "the files whose variables Compose puts into its files", "list"),
    Key("profiles", "", "the profiles to enable", "list"),
    Key("project", "", "the Compose project's name"),
    Key("service", "", "the backend: the service whose image holds the migrations"),
    Key("migrations", "", "a service made for migrating, where there is one"),
    Key("database", "", "the database's service"),
    Key("source", "", "the host's folder with manage.py or alembic.ini"),
    Key("workdir", "", "the folder of manage.py or alembic.ini in the container"),
    Key("python", "", "the Python of the image that has the app's packages"),
    Key("settle", "10", "seconds for which everything must stay well after an update", "seconds"),
    Key("timeout", "300", "seconds until which every service must be healthy", "seconds"),
    Key("migrate_timeout", "3600", "seconds that the migration may take", "seconds"),
    Key("disk", "1", "gigabytes that must be free before a build", "seconds"),
    Key("production", "", "true where its database serves people: `make --watch` keeps away"),
    Key("keep", "2", "releases whose images are kept for going back", "seconds"),
)
BY_NAME = {one.name: one for one in KEYS}


@dataclass(frozen=True, slots=True)
class Values:
    """The values in force, each with its source. What is not said is not here."""

    told: Mapping[str, Told]

    def text(self, name: str) -> str:
        """Return a value, or its default."""
        return self.told[name].value if name in self.told else BY_NAME[name].default

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list's members."""
        return tuple(word for word in self.text(name).split("\n") if word)

    def source(self, name: str) -> str:
        """Return where a value came from."""
        return self.told[name].source if name in self.told else "default"


def gather(
    asked: Asked,
    common: Mapping[str, object],
    environments: Mapping[str, object],
    environ: Mapping[str, str],
) -> Values:
    """Merge, in rising order: the common table, the environment's own, variables, flags."""
    told: dict[str, Told] = {}
    _take(told, common, "[tool.tidegate.compose]")
    if asked.environment:
        named: Any = environments.get(asked.environment, {})
        if not isinstance(named, dict):
            raise _not_a_table(asked.environment)
        _take(told, named, f"[tool.tidegate.environments.{asked.environment}]")
    for key in KEYS:
        if environ.get(key.variable):
            value = environ[key.variable]
            told[key.name] = Told(key.name, _lines(key, value.split()), key.variable)
            if key.kind != "list":
                told[key.name] = Told(key.name, value, key.variable)
    for name, words in (("files", asked.files), ("env_files", asked.env_files)):
        if words:
            flag = "-f" if name == "files" else "--env-file"
            told[name] = Told(name, "\n".join(words), flag)
    if asked.service:
        told["service"] = Told("service", asked.service, "--service")
    for name, value in asked.values.items():
        told[name] = Told(name, value, "--" + name.replace("_", "-"))
    for one in told.values():
        _checked(one)
    return Values(told)


def _take(told: dict[str, Told], table: Mapping[str, object], source: str) -> None:
    for raw, value in table.items():
        name = raw.replace("-", "_")
        if name not in BY_NAME:
            raise UsageProblem(
                f"{source} has {raw}, which is not a setting of tidegate",
                "",
                "use one of: " + ", ".join(BY_NAME),
            )
        words = value if isinstance(value, list) else [value]
        told[name] = Told(name, _lines(BY_NAME[name], [str(word) for word in words]), source)


def _lines(key: Key, words: list[str]) -> str:
    return "\n".join(words) if key.kind == "list" else " ".join(words)


def _checked(one: Told) -> None:
    if BY_NAME[one.name].kind != "seconds":
        return
    try:
        good = 0 <= float(one.value) < 1e9
    except ValueError:
        good = False
    if not good:
        raise UsageProblem(
            f"{one.name} is {one.value!r} (from {one.source})", "", "give a number, such as 10"
        )


def _not_a_table(name: str) -> UsageProblem:
    return UsageProblem(
        f"the environment {name} is not a table", "", f"write [tool.tidegate.environments.{name}]"
    )
