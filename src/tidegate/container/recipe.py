"""Find, at build time, how a project makes its database login from the environment.

The settings are asked again and again under invented environments: a field that comes out as the
marker that one variable was given is made from that variable. Every recipe is checked with a
second set of markers that must come out as predicted; what can't be predicted gets no recipe, and
boot loads the settings as it would without a seal. A recipe holds for one *pattern*, the exact
set of variables present, because settings like `DATABASE_URL or POSTGRES_HOST` take other ways
for other sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from tidegate.container.asking import Answer, ask, warm_up
from tidegate.contracts.framework import Project

FIELDS = ("host", "port", "user", "password", "name")
URL = 0  # the first of the forms
MOST = 8  # connection variables up to which patterns are tried
USUAL = (
    "DATABASE_URL", "DATABASE_URI", "DB_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL",
    "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
    "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME",
)  # fmt: skip
NOT_ASKED = {"DJANGO_SETTINGS_MODULE", "ALEMBIC_CONFIG", "PATH", "HOME", "PYTHONPATH", "LANG",
             "PWD", "TZ", "NO_COLOR", "TERM", "COLUMNS", "LINES"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one database's login is made while exactly `pattern` is present in the environment.

    `fields` maps a field to ("const", value), ("env", variable), or, for all of them at once,
    {"url": ("url", variable)}, where a "plain-url" is one without percent signs, and "-or-file"
    behind it says that SQLite's URLs are read as well. `vendor`, `driver` and `options` are constant.
    """

    alias: str
    pattern: tuple[str, ...]
    vendor: str
    fields: Mapping[str, tuple[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learned:
    """All that the questions brought to light; `why` says what has no recipe, and the cause."""

    recipes: tuple[Recipe, ...] = ()
    variables: tuple[str, ...] = ()
    shape_variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Markers:
    """Values that a login can carry, and that are known again when they come out.

    `escaped` URLs hold a percent-encoded character. Settings that don't decode it, or that hand
    the URL to an ini file's interpolation, are understood without: their recipe then holds for
    URLs without a percent sign only.
    """

    escaped: bool

    def all(self, name: str, seed: str) -> tuple[str, str, str]:
        """Return a URL, a number and a word."""
        number = str(5400 + sum(map(ord, name + seed)) % 500)
        word = f"{seed}-{name.lower().replace('_', '-')}"
        password = f"p%40{word}" if self.escaped else f"p{word}"
        return (f"postgresql://u{word}:{password}@h{word}:{number}/d{word}", number, word)

    def fitting(self, names: Sequence[str], seed: str) -> dict[str, str]:
        """Return for each variable the form that its name suggests."""
        return {name: self.all(name, seed)[_form(name)] for name in names}


def learn(project: Project, environ: Mapping[str, str], first: Answer) -> Learned:
    """Return the recipes of `project`, tried out against its own settings.

    `first` is what they answer under `environ`, with what they insist on made up.
    """
    warm_up(first)
    made_up = first.made_up
    escaped, plain = _Markers(escaped=True), _Markers(escaped=False)
    variables, shape_variables = _sort_out(project, {**environ, **made_up}, first, escaped)
    if any(map(_is_url, _candidates(first))) and not any(map(_is_url, variables)):
        variables, shape_variables = _sort_out(project, {**environ, **made_up}, first, plain)
    if len(variables) > MOST:
        return Learned(why=f"{len(variables)} variables take part in the login; at most {MOST}")
    settled = {k: v for k, v in environ.items() if k not in variables} | {
        name: value for name, value in made_up.items() if name not in variables
    }
    recipes: list[Recipe] = []
    for pattern in _patterns(variables):
        found = _recipes(project, settled, pattern, escaped)
        if not found and any(map(_is_url, pattern)):
            found = _recipes(project, settled, pattern, plain)
        recipes += found
    why = "" if recipes else _why(first, variables)
    return Learned(
        tuple(recipes), tuple(variables), tuple(shape_variables), tuple(first.files), why
    )


def _candidates(first: Answer) -> list[str]:
    names = set(first.reads) | set(first.made_up)
    if first.iterated:
        names |= set(USUAL)
    return sorted(name for name in names if name not in NOT_ASKED and name[:9] != "TIDEGATE_")


def _sort_out(
    project: Project, environ: Mapping[str, str], first: Answer, markers: _Markers
) -> tuple[list[str], list[str]]:
    """Return (variables that move the login, variables that move which migrations exist).

    What one variable does may hang on another (`POSTGRES_USER` is read, or used, only where
    `POSTGRES_HOST` is set), so each is tried again on top of those found to matter, until no
    further one comes to light.
    """
    names = _candidates(first)
    bare = {name: value for name, value in environ.items() if name not in names}
    for name, value in ask(project, bare, make_up=True).made_up.items():
        bare[name] = environ.get(name) or value
    plain = ask(project, bare)
    moves, shapes, sound = [], [], []
    for name in names:
        fitting, good = _accepted(project, bare, name, markers)
        sound += [name] if fitting else []
        if any(answer.shape != plain.shape for answer in good):
            shapes.append(name)
        if any(answer.connections != plain.connections for answer in good):
            moves.append(name)
    tried: list[tuple[str, ...]] = []
    while len(moves) <= MOST:
        todo = [one for one in [*((m,) for m in moves), tuple(moves)] if one and one not in tried]
        if not todo:
            break
        tried.append(todo[0])
        moves += _moving_too(project, bare, todo[0], sound, moves, names, markers)
    return moves, shapes


def _moving_too(
    project: Project,
    bare: Mapping[str, str],
    context: tuple[str, ...],
    names: list[str],
    known: list[str],
    every: list[str],
    markers: _Markers,
) -> list[str]:
    """Return further variables that move the login where those of `context` are set.

    All at once first: mostly nothing moves, and one question has shown it.
    """
    settled = {**bare, **markers.fitting(context, "q")}
    plain = ask(project, settled)
    if plain.error:
        return []
    fresh = [name for name in _candidates(plain) if name not in every]
    others = [name for name in [*names, *fresh] if name not in known]
    at_once = ask(project, {**settled, **markers.fitting(others, "q")})
    if not at_once.error and at_once.connections == plain.connections:
        return []
    moving = []
    for name in others:
        answers = (ask(project, {**settled, name: value}) for value in markers.all(name, "q"))
        if any(not one.error and one.connections != plain.connections for one in answers):
            moving.append(name)
    return moving


def _accepted(
    project: Project, bare: Mapping[str, str], name: str, markers: _Markers
) -> tuple[bool, list[Answer]]:
    """Ask with a marker of the form that the name suggests, else of another, and with switches.

    Returns whether the suggested form was taken, and the answers without an error.
    """
    forms = markers.all(name, "q")
    fitting = forms[_form(name)]
    answers = [ask(project, {**bare, name: value}) for value in (fitting, "1", "true", "false")]
    if answers[0].error:
        answers += [ask(project, {**bare, name: one}) for one in forms if one != fitting]
    return not answers[0].error, [answer for answer in answers if not answer.error]


def _patterns(variables: list[str]) -> list[tuple[str, ...]]:
    """Return the sets worth knowing: all, none, all but one or two, one alone."""
    whole = tuple(variables)
    sets = [whole, ()]
    sets += [tuple(v for v in variables if v != left_out) for left_out in variables]
    sets += [tuple(v for v in whole if v not in two) for two in combinations(variables, 2)]
    sets += [(one,) for one in variables]
    return list(dict.fromkeys(sets))


def _recipes(
    project: Project, settled: Mapping[str, str], pattern: tuple[str, ...], markers: _Markers
) -> list[Recipe]:
    """Learn with one set of markers and check with another; unpredictable ones are left out."""
    given = _fitting(project, settled, markers.fitting(pattern, "a"))
    check = _fitting(project, settled, markers.fitting(pattern, "b"))
    if given is None or check is None:
        return []
    (values, answer), (other_values, other) = given, check
    recipes = []
    for raw, again in zip(answer.connections, other.connections, strict=False):
        recipe = _read(raw, pattern, values, "url" if markers.escaped else "plain-url")
        if recipe and _cooked(recipe, other_values) == _login(again):
            recipes.append(_with_file(project, recipe, {**settled, **values}))
    return recipes


def _with_file(project: Project, recipe: Recipe, environ: Mapping[str, str]) -> Recipe:
    """Let a URL recipe also take SQLite's absolute URLs, where the settings read them so."""
    if "url" not in recipe.fields:
        return recipe
    kind, variable = recipe.fields["url"]
    answer = ask(project, {**environ, variable: "sqlite:////sealing/a.db"})
    read = [(one["vendor"], one["name"]) for one in answer.connections]
    if answer.error or read != [("sqlite", "/sealing/a.db")]:
        return recipe
    return replace(recipe, fields={"url": (f"{kind}-or-file", variable)})


def _fitting(
    project: Project, settled: Mapping[str, str], values: dict[str, str]
) -> tuple[dict[str, str], Answer] | None:
    """Ask with these markers; None where the settings don't take them."""
    answer = ask(project, {**settled, **values})
    return None if answer.error else (values, answer)


def _form(name: str) -> int:
    upper = name.upper()
    if any(word in upper for word in ("URL", "URI", "DSN")):
        return URL
    return 1 if "PORT" in upper else 2


def _is_url(name: str) -> bool:
    return _form(name) == URL


def _login(raw: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("alias", "vendor", "options", *FIELDS)
    return {key: raw[key] for key in keys}


def _read(
    raw: Mapping[str, Any], pattern: tuple[str, ...], values: Mapping[str, str], kind: str
) -> Recipe | None:
    for name in pattern:
        if all(raw[key] == value for key, value in split_url(values[name]).items()):
            return Recipe(
                raw["alias"], pattern, raw["vendor"], {"url": (kind, name)}, raw["options"]
            )
    fields: dict[str, tuple[str, str]] = {}
    for key in FIELDS:
        sources = [name for name in pattern if raw[key] and values[name] == raw[key]]
        if sources:
            fields[key] = ("env", sources[0])
        elif key == "password" and raw[key]:
            return None  # a password in the settings stays there: it is not copied into a file
        else:
            fields[key] = ("const", raw[key])
    return Recipe(raw["alias"], pattern, raw["vendor"], fields, raw["options"])


def _cooked(recipe: Recipe, environ: Mapping[str, str]) -> dict[str, Any]:
    fixed = {"alias": recipe.alias, "vendor": recipe.vendor, "options": recipe.options}
    return {**fixed, **cook(recipe.fields, environ)}


def cook(fields: Mapping[str, tuple[str, str]], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the login's fields for this environment."""
    if "url" in fields:
        return split_url(environ[fields["url"][1]])
    return {
        key: environ[source] if kind == "env" else source for key, (kind, source) in fields.items()
    }


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


def _why(first: Answer, variables: Sequence[str]) -> str:
    if any(one["password"] for one in first.connections) and not first.made_up:
        return "the password is written in the settings, or is read from elsewhere than variables"
    if not variables:
        return "no variable was found to take part in the login"
    return (
        f"what the settings make of {', '.join(variables)} can't be predicted: no field of the "
        "login is the value of one of them, or the part of a URL"
    )
