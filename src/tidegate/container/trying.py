"""Values for variables that take no marker: numbers, yes and no, lists, objects, URLs of others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tidegate.container.asking import Answer, Ask
from tidegate.container.differing import differing, same, same_login
from tidegate.container.markers import FILE, NUMBER, Markers, form

if TYPE_CHECKING:
    from tidegate.container.survey import Survey

SWITCHED = (("1", "0"), ("True", "False"), ("true", "false"))  # yes and no, as settings read them

STRICT = ("True", "redis://h.invalid:6379/0", "https://h.invalid/", "smtp://h.invalid:25", "locmemcache://",
          "[]", "{}", "0.5", "h.invalid", "a@h.invalid", "INFO", "UTC", "en")  # fmt: skip

LISTS = ('["h.invalid"]', '["https://h.invalid/"]', '["a@h.invalid"]')

LOGIN = {"host": "h.invalid", "user": "sealing", "password": "sealing", "name": "sealing",
         "database": "sealing", "dbname": "sealing", "port": "5433", "schema": "sealing",
         "sslmode": "disable", "options": "-c search_path=sealing"}  # fmt: skip

# What a variable may hold besides words: each part of a login under all the names it goes by.
OBJECT = json.dumps({
    **LOGIN, **{key.upper(): value for key, value in LOGIN.items()},
    "OPTIONS": LOGIN, "default": {**LOGIN, "OPTIONS": LOGIN},
})  # fmt: skip


def taken_together(
    ask: Ask, found: Survey, names: Sequence[str], markers: Markers
) -> dict[str, Answer]:
    """Return the answers of those that all at once take a value, and change nothing with it.

    Only where the settings name all that they don't take, as pydantic does.
    """
    out: dict[str, Answer] = {}
    words = [word for pair in SWITCHED for word in pair]
    columns = [(*markers.all(name, "q"), *words) for name in names]
    for forms in zip(*columns, strict=True):
        values = {n: v for n, v in zip(names, forms, strict=True) if n not in out}
        answer = Answer(error="not asked", wrong=[])
        while values:
            answer = ask({**found.bare, **values})
            if not answer.error or not {*answer.wrong} & {*values}:
                break
            values = {name: v for name, v in values.items() if name not in answer.wrong}
        if not answer.error and same(answer, found.plain):
            found.taken.update(values)
            out.update(dict.fromkeys(values, answer))
    return out


def taken_by(
    ask: Ask, found: Survey, settled: Mapping[str, str], name: str, markers: Markers, refusal: str
) -> Answer | None:
    """Return the answer to the first value that `name` takes, and remember the value.

    `refusal` is the error that it was refused with: what it says is wanted is tried first.
    """
    for value in _likeliest_first(name, markers, refusal):
        answer = ask({**settled, name: value})
        if answer.error:
            continue
        if value in ("[]", "{}"):
            return _listed(ask, found, settled, name)
        found.taken[name] = value
        return answer
    return None


def _likeliest_first(name: str, markers: Markers, refusal: str) -> list[str]:
    usual = [*markers.all(name, "q"), *STRICT]
    number, yes = usual[NUMBER], "True"
    if form(name) == FILE:
        number, yes = markers.strict(name, "q")
    wanted = [value for word, value in
              (("int()", number), ("oolean", yes), ("truth", yes),
               ("float", "0.5"), ("imezone", "UTC"))
              if word in refusal]  # fmt: skip
    return [*wanted, *usual]


def _listed(ask: Ask, found: Survey, settled: Mapping[str, str], name: str) -> Answer | None:
    """Return the answer to a list that isn't empty; None where it may be an object as well."""
    for value in LISTS if ask({**settled, name: "{}"}).error else ():
        answer = ask({**settled, name: value})
        if not answer.error:
            found.taken[name] = value
            return answer
    found.objects.add(name)
    return None


def holding_objects(
    ask: Ask, settled: Mapping[str, str], names: Sequence[str], plain: Answer
) -> Iterator[str]:
    """Yield those of `names` whose value is read as an object, if it is one."""

    def takes(some: Sequence[str], value: str) -> bool:
        return not ask({**settled, **dict.fromkeys(some, value)}).error

    for some, answer in differing(ask, settled, dict.fromkeys(names, OBJECT), plain, same_login):
        if not answer.error or (takes(some, "{}") and not takes(some, '{"a": "b"}')):
            yield from some
