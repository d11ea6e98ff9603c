"""A recipe: how one database's login is made from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.container.markers import carried

FIELDS = ("host", "port", "user", "password", "name")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one database's login is made while exactly `pattern` is present in the environment.

    `pattern` names variables; `NAME=value` is a switch in that position. `fields` maps a field,
    or `option:NAME` of the driver, to ("const", value), ("env", variable), ("file", a variable
    that names a file); or, for all five fields at once, {"url": ("url", variable)}, where a
    "plain-url" is one without percent signs, and "-or-file" behind it says that SQLite's URLs
    are read as well. `vendor` and `options` are constant.
    """

    alias: str
    pattern: tuple[str, ...]
    vendor: str
    fields: Mapping[str, tuple[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)

    def login(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return the login that this environment makes, as the settings would say it."""
        made: dict[str, str] = {}
        for key, (kind, source) in self.fields.items():
            if key == "url":
                made.update(split_url(environ[source]))
            else:
                made[key] = _value(kind, source, environ)
        options = {k.removeprefix("option:"): v for k, v in made.items() if k[:7] == "option:"}
        return {
            "alias": self.alias,
            "vendor": self.vendor,
            "options": {**self.options, **options},
            **{key: made.get(key, "") for key in FIELDS},
        }


def _value(kind: str, source: str, environ: Mapping[str, str]) -> str:
    if kind == "const":
        return source
    if kind == "env":
        return environ[source]
    with open(environ[source], encoding="utf-8") as file:
        return file.read().strip()


def plain_login(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the settings' own answer a recipe has to come to."""
    return {key: raw[key] for key in ("alias", "vendor", "options", *FIELDS)}


def read_off(
    raw: Mapping[str, Any], pattern: tuple[str, ...], values: Mapping[str, str], url: str
) -> Recipe | None:
    """Return the recipe that the markers in `raw` show; None where there is none.

    `values` are the markers of the pattern's variables, `url` the kind of recipe that a URL has.
    """
    shown = {name: carried(value) for name, value in values.items()}
    fields: dict[str, tuple[str, str]] = {}
    options = dict(raw["options"])
    for key, value in raw["options"].items():
        for name in pattern:
            if value == shown[name]:
                fields[f"option:{key}"] = ("env" if values[name] == value else "file", name)
                del options[key]
                break
    for name in pattern:
        if all(raw[key] == value for key, value in split_url(values[name]).items()):
            fields = {"url": (url, name), **fields}
            return Recipe(raw["alias"], pattern, raw["vendor"], fields, options)
    for key in FIELDS:
        source = next((name for name in pattern if raw[key] and raw[key] == shown[name]), "")
        if source:
            fields[key] = ("env" if values[source] == raw[key] else "file", source)
        elif key == "password" and raw[key]:
            return None  # a password in the settings stays there: it is not copied into a file
        else:
            fields[key] = ("const", raw[key])
    return Recipe(raw["alias"], pattern, raw["vendor"], fields, options)


def split_url(url: str) -> dict[str, str]:
    """Split a plain database URL into the fields of a login, percent-decoded."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return {"host": "\0"}
    if not parts.scheme or not parts.hostname:
        return {"host": "\0"}
    return {
        "host": parts.hostname,
        "port": str(port or ""),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "name": unquote(parts.path.lstrip("/")),
    }
