"""Find, at build time, how a project makes its database login from the environment.

The settings are asked again and again under invented environments: a field that comes out as the
marker that one variable was given is made from that variable. Every recipe is checked with a
second set of markers that must come out as predicted; what can't be predicted gets no recipe, and
boot loads the settings as it would without a seal. A recipe holds for one *pattern*, the exact
set of variables present, because settings like `DATABASE_URL or POSTGRES_HOST` take other ways
for other sets; a variable that switches (`DB == "postgres"`) is part of it with its value, and one
whose doing stayed unknown is in no pattern: where it is set, no recipe is used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from tidegate.container.asking import Answer, Ask, TooLong, warm_up
from tidegate.container.markers import Markers, is_url
from tidegate.container.recipe import Recipe, plain_login, read_off
from tidegate.container.survey import MOST, Survey, of_databases, survey


@dataclass(frozen=True, slots=True)
class Learned:
    """All that the questions brought to light.

    `why` says what has no recipe, and the cause; `unsure` names the variables of the project's
    own files under which none is used.
    """

    recipes: tuple[Recipe, ...] = ()
    variables: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    shape_variables: tuple[str, ...] = ()
    static_variables: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


def learn(ask: Ask, environ: Mapping[str, str], first: Answer) -> Learned:
    """Return the recipes of the project that `ask` asks, tried out against its own settings.

    `first` is what they answer under `environ`, with what they insist on made up.
    """
    warm_up(ask, first)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _learned(ask, {**environ, **first.made_up}, first, folder)
    except TooLong:
        return Learned(
            files=tuple(first.files),
            why=f"within {ask.seconds:.0f} seconds the settings answered {ask.asked} questions, "
            "and more were needed to see what each variable does (--timeout gives them more time)",
        )


def _learned(ask: Ask, given: Mapping[str, str], first: Answer, folder: str) -> Learned:
    escaped, plain = Markers(folder, escaped=True), Markers(folder, escaped=False)
    found = survey(ask, given, first, escaped)
    urls = [name for name in of_databases(first) if is_url(name)]
    refused = [name for name in urls if name in found.taken or name not in found.sound]
    if refused and not any(map(is_url, found.carrying)):  # by a percent sign, perhaps
        found = survey(ask, given, first, plain)
    recipes = [
        one
        for position in found.moves
        for one in _of_position(ask, found, position, escaped, plain)
    ]
    most = max(map(len, found.moves.values()), default=0)
    why = "" if recipes else _why(first, found)
    if not recipes and most > MOST:
        why = f"{most} variables take part in the login; at most {MOST}"
    return Learned(
        tuple(recipes),
        tuple(found.variables),
        tuple(sorted({name for name, _ in found.switches})),
        tuple(found.shapes),
        tuple(found.statics),
        tuple(sorted(name for name in found.unsure if _is_named(name, first.files))),
        tuple(first.files),
        why,
    )


def _of_position(
    ask: Ask,
    survey: Survey,
    position: tuple[str, ...],
    escaped: Markers,
    plain: Markers,
) -> Iterator[Recipe]:
    """Yield the recipes of one position, for each pattern worth knowing."""
    moves = survey.moves[position]
    settled = {k: v for k, v in survey.under(position).items() if k not in moves}
    for pattern in _patterns(moves) if len(moves) <= MOST else []:
        found = _recipes(ask, settled, pattern, escaped)
        if not found and any(map(is_url, pattern)):
            found = _recipes(ask, settled, pattern, plain)
        said = {position[0]: "=".join(position)} if position else {}
        labels = {**{name: name for name in pattern}, **said}
        for one in found:
            yield replace(
                one, pattern=tuple(labels[name] for name in survey.variables if name in labels)
            )


def _patterns(variables: list[str]) -> list[tuple[str, ...]]:
    """Return the sets worth knowing: all, none, all but one or two, one alone.

    Files that hold a secret stand in for the secret itself, so without them counts as all.
    """
    out: dict[tuple[str, ...], None] = {}
    files = [name for name in variables if name.endswith("_FILE")]
    instead = [name for name in variables if f"{name}_FILE" in files]
    for whole in (
        tuple(variables),
        tuple(name for name in variables if name not in files),
        tuple(name for name in variables if name not in instead),
    ):
        sets = [whole, ()]
        sets += [tuple(v for v in whole if v != left_out) for left_out in whole]
        sets += [tuple(v for v in whole if v not in two) for two in combinations(whole, 2)]
        sets += [(one,) for one in whole]
        out.update(dict.fromkeys(sets))
    return list(out)


def _recipes(
    ask: Ask, settled: Mapping[str, str], pattern: tuple[str, ...], markers: Markers
) -> list[Recipe]:
    """Learn with one set of markers and check with another; unpredictable ones are left out."""
    values, other_values = markers.fitting(pattern, "a"), markers.fitting(pattern, "b")
    answer = ask({**settled, **values})
    other = ask({**settled, **other_values})
    if answer.error or other.error:
        return []
    recipes = []
    for raw, again in zip(answer.connections, other.connections, strict=False):
        recipe = read_off(raw, pattern, values, "url" if markers.escaped else "plain-url")
        if recipe and recipe.login(other_values) == plain_login(again):
            recipes.append(_with_file(ask, recipe, {**settled, **values}))
    return recipes


def _with_file(ask: Ask, recipe: Recipe, environ: Mapping[str, str]) -> Recipe:
    """Let a URL recipe also take SQLite's absolute URLs, where the settings read them so."""
    if "url" not in recipe.fields or len(recipe.fields) > 1:
        return recipe
    kind, variable = recipe.fields["url"]
    answer = ask({**environ, variable: "sqlite:////sealing/a.db"})
    read = [(one["vendor"], one["name"]) for one in answer.connections]
    if answer.error or read != [("sqlite", "/sealing/a.db")]:
        return recipe
    return replace(recipe, fields={"url": (f"{kind}-or-file", variable)})


def _is_named(name: str, paths: list[str]) -> bool:
    """Whether the project's own files speak of a variable; libraries read others as well."""
    return any(name.encode() in Path(path).read_bytes() for path in paths)


def _why(first: Answer, found: Survey) -> str:
    variables = found.carrying
    if found.plain.error:
        return f"the settings can't be asked without their variables: {found.plain.error}"
    if any(one["password"] for one in first.connections) and not first.made_up:
        return "the password is written in the settings, or is read from elsewhere than variables"
    if not variables:
        return "no variable was found to take part in the login"
    return (
        f"what the settings make of {', '.join(variables)} can't be predicted: no field of the "
        "login is the value of one of them, or the part of a URL"
    )
