"""What pydantic's settings classes read from the environment, and what their errors name.

pydantic-settings walks the whole environment, so what was looked up says nothing; its classes do
(https://docs.pydantic.dev/latest/concepts/pydantic_settings/). Nothing is imported here: a project
that has such classes has loaded pydantic already.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

BASES = (("pydantic_settings", "BaseSettings"), ("pydantic.v1", "BaseSettings"),
         ("pydantic.env_settings", "BaseSettings"))  # fmt: skip


def variables() -> set[str]:
    """Return the names of the variables that the loaded settings classes read, in capitals."""
    return {
        name.upper() for one in _classes() for names in _by_field(one).values() for name in names
    }


def refused(error: BaseException) -> tuple[list[str], list[str]]:
    """Return (variables that are missing, variables whose value is not taken), of an error."""
    problems = getattr(error, "errors", None)
    if type(error).__name__ == "SettingsError":  # what is to be JSON, and is not
        named = re.search(r'field "(\w+)"', str(error))
        problems = (lambda: [{"loc": named.groups()}]) if named else None
    if not callable(problems):
        return [], []
    known: dict[str, list[str]] = {}
    for one in _classes():
        if one.__name__ == getattr(error, "title", one.__name__):
            known.update(_by_field(one))
    missing: list[str] = []
    wrong: list[str] = []
    try:
        for one in problems():
            field = str(one["loc"][0])
            name = known.get(field, [field])[0].upper()
            (missing if str(one.get("type", "")).endswith("missing") else wrong).append(name)
    except (KeyError, IndexError, TypeError):
        return [], []
    return missing, wrong


def _classes() -> Iterator[Any]:
    """Yield every settings class that the process has."""
    seen: list[Any] = []
    for module, name in BASES:
        base = getattr(sys.modules.get(module), name, None)
        todo: list[Any] = [base] if isinstance(base, type) else []
        while todo:
            for one in todo.pop().__subclasses__():
                if one not in seen:
                    seen.append(one)
                    todo.append(one)
                    yield one


def _by_field(settings: Any) -> dict[str, list[str]]:
    """Return, by field and by alias, the variables that may give it."""
    config = getattr(settings, "model_config", None) or {}
    if not isinstance(config, dict):
        return {}
    fields = getattr(settings, "model_fields", None)
    if not fields:  # pydantic 1 has worked it out itself
        old = getattr(settings, "__fields__", {})
        return {
            name: sorted(one.field_info.extra.get("env_names") or [name])
            for name, one in old.items()
            if hasattr(one, "field_info")
        }
    prefix, nested = (
        str(config.get("env_prefix") or ""),
        str(config.get("env_nested_delimiter") or ""),
    )
    out: dict[str, list[str]] = {}
    for name, one in fields.items():
        aliases = list(_aliases(one.validation_alias or one.alias))
        names = aliases or [prefix + name]
        inner = getattr(one.annotation, "model_fields", None) or {}
        deeper = [f"{first}{nested}{last}" for first in names for last in inner if nested]
        for key in {name, *aliases}:
            out[key] = [*names, *deeper]
    return out


def _aliases(alias: Any) -> Iterable[str]:
    """Return the names in an alias: a text, AliasChoices, or AliasPath."""
    if isinstance(alias, str):
        return [alias]
    if hasattr(alias, "choices"):
        return [name for one in alias.choices for name in _aliases(one)]
    return [str(part) for part in getattr(alias, "path", [])[:1]]
