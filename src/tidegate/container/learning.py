"""Find, at build time, how a project makes its database login from the environment.

The settings are asked again and again under invented environments: a field that comes out as the
marker that one variable was given is made from that variable. Every recipe is checked with a
second set of markers that must come out as predicted; what can't be predicted gets no recipe, and
boot loads the settings as it would without a seal. A recipe holds for one *pattern*, the exact
set of variables present, because settings like `DATABASE_URL or POSTGRES_HOST` take other ways
for other sets; a variable that switches (`DB == "postgres"`) is part of it with its value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from tidegate.container import modes
from tidegate.container.asking import Answer, ask, warm_up
from tidegate.container.markers import URL, WORD, Markers, form
from tidegate.container.recipe import FIELDS, Recipe, plain_login, read_off
from tidegate.contracts.framework import Project

MOST = 8  # connection variables up to which patterns are tried
MOST_SWITCHES = 6  # positions of switches that recipes are learnt for
SWITCHED = (("1", "0"), ("True", "False"), ("true", "false"))  # yes and no, as settings read them
USUAL = (
    "DATABASE_URL", "DATABASE_URI", "DB_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL",
    "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
    "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME",
)  # fmt: skip
NOT_ASKED = {"DJANGO_SETTINGS_MODULE", "ALEMBIC_CONFIG", "PATH", "HOME", "PYTHONPATH", "LANG",
             "PWD", "TZ", "NO_COLOR", "TERM", "COLUMNS", "LINES"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learned:
    """All that the questions brought to light; `why` says what has no recipe, and the cause."""

    recipes: tuple[Recipe, ...] = ()
    variables: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    shape_variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(slots=True)
class _Survey:
    """What one look over all variables found.

    `bare` is the environment without any that the settings read; `sound` are variables that take
    a marker; `moves` those that carry a part of the login, by position: ("DB", "postgres"), or
    () where no switch is set.
    """

    bare: dict[str, str]
    names: list[str]
    plain: Answer
    sound: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    switches: list[tuple[str, str]] = field(default_factory=list)
    moves: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def under(self, position: tuple[str, ...]) -> dict[str, str]:
        """Return the bare environment with one switch in its position."""
        return {**self.bare, position[0]: position[1]} if position else self.bare

    @property
    def variables(self) -> list[str]:
        """All that takes part, sorted."""
        carrying = {name for some in self.moves.values() for name in some}
        return sorted(carrying | {name for name, _ in self.switches})


def learn(project: Project, environ: Mapping[str, str], first: Answer) -> Learned:
    """Return the recipes of `project`, tried out against its own settings.

    `first` is what they answer under `environ`, with what they insist on made up.
    """
    warm_up(first)
    given = {**environ, **first.made_up}
    with tempfile.TemporaryDirectory() as folder:
        escaped, plain = Markers(folder, escaped=True), Markers(folder, escaped=False)
        survey = _survey(project, given, first, escaped)
        if any(map(_is_url, _of_databases(first))) and not any(map(_is_url, survey.variables)):
            survey = _survey(project, given, first, plain)
        recipes = [
            one
            for position in survey.moves
            for one in _of_position(project, survey, position, escaped, plain)
        ]
    most = max(map(len, survey.moves.values()), default=0)
    why = "" if recipes else _why(first, survey.variables)
    if not recipes and most > MOST:
        why = f"{most} variables take part in the login; at most {MOST}"
    return Learned(
        tuple(recipes),
        tuple(survey.variables),
        tuple(sorted({name for name, _ in survey.switches})),
        tuple(survey.shapes),
        tuple(first.files),
        why,
    )


def _of_position(
    project: Project,
    survey: _Survey,
    position: tuple[str, ...],
    escaped: Markers,
    plain: Markers,
) -> Iterator[Recipe]:
    """Yield the recipes of one position, for each pattern worth knowing."""
    moves = survey.moves[position]
    settled = {k: v for k, v in survey.under(position).items() if k not in moves}
    for pattern in _patterns(moves) if len(moves) <= MOST else []:
        found = _recipes(project, settled, pattern, escaped)
        if not found and any(map(_is_url, pattern)):
            found = _recipes(project, settled, pattern, plain)
        said = {position[0]: "=".join(position)} if position else {}
        labels = {**{name: name for name in pattern}, **said}
        for one in found:
            yield replace(
                one, pattern=tuple(labels[name] for name in survey.variables if name in labels)
            )


def _candidates(first: Answer) -> list[str]:
    names = set(first.reads) | set(first.made_up)
    if first.iterated:
        names |= set(USUAL)
    return sorted(name for name in names if name not in NOT_ASKED and name[:9] != "TIDEGATE_")


def _of_databases(first: Answer) -> list[str]:
    """Return the candidates whose name speaks of a database."""
    words = ("DATABASE", "DB", "SQL", "POSTGRES", "PG")
    return [name for name in _candidates(first) if any(word in name for word in words)]


def _survey(
    project: Project, environ: Mapping[str, str], first: Answer, markers: Markers
) -> _Survey:
    """Sort out what each variable does: carries a part of the login, switches, or shapes.

    What one variable does may hang on another (`POSTGRES_USER` is read, or used, only where
    `POSTGRES_HOST` is set), so each is tried again on top of those found to matter, until no
    further one comes to light.
    """
    names = _candidates(first)
    bare = {name: value for name, value in environ.items() if name not in names}
    for name, value in ask(project, bare, make_up=True).made_up.items():
        bare[name] = environ.get(name) or value
    survey = _Survey(bare, names, ask(project, bare))
    marked = _odd(project, survey, bare, markers.fitting(names, "q"))
    survey.sound = [name for name in names if name not in marked or not marked[name].error]
    for name in set(names) - set(survey.sound):
        for value in markers.all(name, "q"):
            answer = ask(project, {**bare, name: value})
            if not answer.error:
                marked[name] = answer
                break
    shown = [n for n, one in marked.items() if _stands_in(one, markers.traces(n, "q"))]
    texts = [n for n in survey.sound if form(n) == WORD and n not in shown]
    told = _told(project, survey, environ, texts, modes.compared(first.files))
    carrying = [name for name in names if _sorted_in(survey, name, marked.get(name), told, markers)]
    worth = [one for one in survey.switches if _is_spoken(told[one])]
    for position in [(), *worth[:MOST_SWITCHES]]:
        begun = [] if position else carrying
        survey.moves[position] = _closure(project, survey, position, begun, markers)
    return survey


def _told(
    project: Project,
    survey: _Survey,
    environ: Mapping[str, str],
    texts: Sequence[str],
    words: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], Answer]:
    """Ask with the words that switches may take; return the answers that differ."""
    out = {}
    for word in [word for pair in SWITCHED for word in pair]:
        odd = _odd(project, survey, survey.bare, dict.fromkeys(texts, word))
        out.update({(name, word): answer for name, answer in odd.items()})
    strict = [name for name in survey.names if name not in survey.sound]
    for pair in SWITCHED:  # what takes no marker is a number, or a yes or no of one spelling
        taking = strict
        for word in pair:
            odd = _odd(project, survey, survey.bare, dict.fromkeys(taking, word))
            out.update({(name, word): answer for name, answer in odd.items()})
            taking = [name for name in taking if name not in odd or not odd[name].error]
            if word == pair[0]:
                strict = [name for name in strict if name not in taking]
    for name in survey.names:
        own = [*words.get(name, ()), *(modes.ENGINES if "ENGINE" in name else ())]
        own += [environ[name]] if environ.get(name) else []
        for word in dict.fromkeys(own):
            out[name, word] = ask(project, {**survey.bare, name: word})
    return out


def _odd(
    project: Project, survey: _Survey, settled: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, Answer]:
    """Return, for each of `values` alone, the answer that differs from the one without.

    All at once first, then by halves: most variables have nothing to do with the login.
    """
    out: dict[str, Answer] = {}
    groups = [list(values)] if values else []
    plain = survey.plain if settled is survey.bare else ask(project, settled)
    while groups:
        group = groups.pop()
        answer = ask(project, {**settled, **{name: values[name] for name in group}})
        if not answer.error and _same(answer, plain):
            continue
        if len(group) == 1:
            out[group[0]] = answer
        else:
            middle = len(group) // 2
            groups += [group[:middle], group[middle:]]
    return out


def _vendors(answer: Answer) -> list[str]:
    return [one["vendor"] for one in answer.connections]


def _is_spoken(answer: Answer) -> bool:
    """Whether the fast path speaks to one of the databases."""
    return any(vendor in ("postgresql", "sqlite") for vendor in _vendors(answer))


def _same(one: Answer, other: Answer) -> bool:
    return one.connections == other.connections and one.shape == other.shape


def _sorted_in(
    survey: _Survey,
    name: str,
    marked: Answer | None,
    told: Mapping[tuple[str, str], Answer],
    markers: Markers,
) -> bool:
    """Note what one variable does, by the answers; return whether it carries."""
    words = {w: one for (n, w), one in told.items() if n == name and not one.error}
    good = [*words.values(), *([marked] if marked and not marked.error else [])]
    if any(one.shape != survey.plain.shape for one in good):
        survey.shapes.append(name)
    moving = {w: one for w, one in words.items() if one.connections != survey.plain.connections}
    vendors = _vendors(survey.plain)
    switching = [
        (name, w)
        for w, one in moving.items()
        if _vendors(one) != vendors or not _stands_in(one, [w])
    ]
    survey.switches += switching
    if marked is None or marked.error or marked.connections == survey.plain.connections:
        return False
    return _stands_in(marked, markers.traces(name, "q")) or not switching


def _stands_in(answer: Answer, texts: Sequence[str]) -> bool:
    """Whether one of `texts` stands in a field or option of the login."""
    return any(
        text in str(value)
        for one in answer.connections
        for value in (*one["options"].values(), *(one[key] for key in FIELDS))
        for text in texts
    )


def _closure(
    project: Project,
    survey: _Survey,
    position: tuple[str, ...],
    begun: list[str],
    markers: Markers,
) -> list[str]:
    """Return all variables that carry a part of the login in one position of the switches."""
    switching = {name for name, _ in survey.switches}
    moves = [name for name in begun if name not in switching]
    contexts: list[tuple[str, ...]] = [()] if position else []
    tried: list[tuple[str, ...]] = []
    refusing: list[str] = []
    while len(moves) <= MOST:
        contexts += [one for one in [*((m,) for m in moves), tuple(moves)] if one]
        todo = [one for one in contexts if one not in tried]
        if not todo:
            break
        tried.append(todo[0])
        settled = {**survey.under(position), **markers.fitting(todo[0], "q")}
        plain = ask(project, settled)
        if plain.error:
            continue
        fresh = [name for name in _candidates(plain) if name not in survey.names]
        known = {*moves, *switching, *refusing}
        others = [name for name in [*survey.sound, *fresh] if name not in known]
        odd = _odd(project, survey, settled, markers.fitting(others, "q"))
        refusing += [name for name, one in odd.items() if one.error]
        moves += [
            name
            for name, one in odd.items()
            if not one.error and one.connections != plain.connections
        ]
    return sorted(moves)


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
    project: Project, settled: Mapping[str, str], pattern: tuple[str, ...], markers: Markers
) -> list[Recipe]:
    """Learn with one set of markers and check with another; unpredictable ones are left out."""
    values, other_values = markers.fitting(pattern, "a"), markers.fitting(pattern, "b")
    answer = ask(project, {**settled, **values})
    other = ask(project, {**settled, **other_values})
    if answer.error or other.error:
        return []
    recipes = []
    for raw, again in zip(answer.connections, other.connections, strict=False):
        recipe = read_off(raw, pattern, values, "url" if markers.escaped else "plain-url")
        if recipe and recipe.login(other_values) == plain_login(again):
            recipes.append(_with_file(project, recipe, {**settled, **values}))
    return recipes


def _with_file(project: Project, recipe: Recipe, environ: Mapping[str, str]) -> Recipe:
    """Let a URL recipe also take SQLite's absolute URLs, where the settings read them so."""
    if "url" not in recipe.fields or len(recipe.fields) > 1:
        return recipe
    kind, variable = recipe.fields["url"]
    answer = ask(project, {**environ, variable: "sqlite:////sealing/a.db"})
    read = [(one["vendor"], one["name"]) for one in answer.connections]
    if answer.error or read != [("sqlite", "/sealing/a.db")]:
        return recipe
    return replace(recipe, fields={"url": (f"{kind}-or-file", variable)})


def _is_url(name: str) -> bool:
    return form(name) == URL


def _why(first: Answer, variables: Sequence[str]) -> str:
    if any(one["password"] for one in first.connections) and not first.made_up:
        return "the password is written in the settings, or is read from elsewhere than variables"
    if not variables:
        return "no variable was found to take part in the login"
    return (
        f"what the settings make of {', '.join(variables)} can't be predicted: no field of the "
        "login is the value of one of them, or the part of a URL"
    )
