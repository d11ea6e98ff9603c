"""Sort a project's variables: which carry a part of the login, which switch, which do neither.

The settings are asked with many variables set at once, and only where the answer differs is it
found out which of them made the difference. What one variable does may hang on another
(`POSTGRES_USER` is read, or used, only where `POSTGRES_HOST` is set), be hidden by another, or
take both of a pair, so sets are tried that part any two, and a difference is a set, not a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.container import modes
from tidegate.container.asking import RETRIES, Answer, Ask
from tidegate.container.differing import differing, same, same_login
from tidegate.container.markers import FILE, WORD, Markers, form
from tidegate.container.recipe import FIELDS
from tidegate.container.trying import SWITCHED, holding_objects, taken_by, taken_together

MOST = 8  # connection variables up to which patterns are tried
MOST_SWITCHES = 6  # positions of switches that recipes are learnt for
USUAL = (
    "DATABASE_URL", "DATABASE_URI", "DB_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL",
    "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
    "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME",
)  # fmt: skip
NOT_ASKED = {"DJANGO_SETTINGS_MODULE", "ALEMBIC_CONFIG", "PATH", "HOME", "PYTHONPATH", "LANG",
             "PWD", "TZ", "NO_COLOR", "TERM", "COLUMNS", "LINES"}  # fmt: skip


@dataclass(slots=True)
class Survey:
    """What one look over all variables found.

    `bare` is the environment without any that the settings read; `sound` are variables that take
    a marker; `moves` those that carry a part of the login, by position: ("DB", "postgres"), or
    () where no switch is set; `unsure` those of which no value was found that they take, and
    those that hold objects, which can say anything; `taken` the values of those that take no
    marker.
    """

    bare: dict[str, str]
    names: list[str]
    plain: Answer
    sound: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    statics: list[str] = field(default_factory=list)
    switches: list[tuple[str, str]] = field(default_factory=list)
    moves: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)

    def under(self, position: tuple[str, ...]) -> dict[str, str]:
        """Return the bare environment with one switch in its position."""
        return {**self.bare, position[0]: position[1]} if position else self.bare

    @property
    def carrying(self) -> list[str]:
        """All that carry a part of the login or switch, sorted."""
        moving = {name for some in self.moves.values() for name in some}
        return sorted(moving | {name for name, _ in self.switches})

    @property
    def variables(self) -> list[str]:
        """All that must be known to know the login, sorted."""
        return sorted({*self.carrying, *self.unsure})


def survey(ask: Ask, environ: Mapping[str, str], first: Answer, markers: Markers) -> Survey:
    """Find out what each variable does."""
    found = _begun(ask, environ, first)
    if found.plain.error:
        return found
    marked: dict[str, Answer] = {}
    together: list[str] = []
    for names, answer in differing(
        ask, found.bare, markers.fitting(found.names, "q"), found.plain, same, hidden=True
    ):
        if len(names) > 1 and not answer.error:
            together += names
        elif len(names) == 1:
            marked[names[0]] = answer
    strict = [name for name, one in marked.items() if one.error]
    named = [name for name in strict if name in marked[name].wrong]
    marked.update(taken_together(ask, found, named, markers))
    for name in [name for name in strict if marked[name].error]:
        if taken := taken_by(ask, found, found.bare, name, markers, marked[name].error):
            marked[name] = taken
        else:
            together += _asking_for_more(ask, found, name, markers)
    found.names = sorted({*found.names, *together})
    found.sound = [n for n in found.names if n not in marked or not marked[n].error]
    shown = [n for n, one in marked.items() if _stands_in(one, markers.traces(n, "q"))]
    shown += together
    texts = [n for n in found.sound if form(n) == WORD and n not in shown]
    own = {n: [environ[n]] for n in found.names if environ.get(n) and n not in shown}
    told = _told(ask, found, own, texts, modes.compared(first.files))
    taking = {name for (name, _), one in told.items() if not one.error}
    found.unsure = {*found.names} - {*found.sound, *together, *taking} | found.objects
    carrying = [n for n in found.names if _sorted_in(found, n, marked.get(n), told, markers)]
    worth = [one for one in found.switches if _is_spoken(told[one])]
    for position in [(), *worth[:MOST_SWITCHES]]:
        begun = [] if position else sorted({*carrying, *together})
        found.moves[position] = _closure(ask, found, position, begun, markers)
    return found


def _begun(ask: Ask, environ: Mapping[str, str], first: Answer) -> Survey:
    """Take away all that the settings read; without `DATABASE_URL` they read others."""
    names = _candidates(first)
    while True:
        bare = {name: value for name, value in environ.items() if name not in names}
        for name, value in ask(bare, make_up=RETRIES).made_up.items():
            bare[name] = environ.get(name) or value
        plain = ask(bare)
        fresh = [name for name in _candidates(plain) if name not in names]
        if not fresh:
            return Survey(bare, names, plain)
        names = sorted([*names, *fresh])


def _candidates(first: Answer) -> list[str]:
    names = set(first.reads) | set(first.made_up)
    if first.iterated:
        names |= set(USUAL)
    return sorted(name for name in names if name not in NOT_ASKED and name[:9] != "TIDEGATE_")


def of_databases(first: Answer) -> list[str]:
    """Return the candidates whose name speaks of a database."""
    words = ("DATABASE", "DB", "SQL", "POSTGRES", "PG")
    return [name for name in _candidates(first) if any(word in name for word in words)]


def _asking_for_more(ask: Ask, found: Survey, name: str, markers: Markers) -> list[str]:
    """Return the set that `name` belongs to, when the settings ask for more where it is set."""
    asked = ask({**found.bare, **markers.fitting([name], "q")}, make_up=MOST)
    if asked.error or not asked.made_up:
        return []
    names = [name, *asked.made_up]
    answer = ask({**found.bare, **markers.fitting(names, "q")})
    return names if not answer.error and answer.connections != found.plain.connections else []


def _told(
    ask: Ask,
    found: Survey,
    own: Mapping[str, Sequence[str]],
    texts: Sequence[str],
    words: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], Answer]:
    """Ask with the words that switches may take; return the answers that differ.

    `own` are those of the environment, of variables whose value is not a part of the login.
    """
    out = {}
    numbers = {name for name in texts if found.taken.get(name, "").isdigit()}
    for word in [word for pair in SWITCHED for word in pair]:
        taking = [name for name in texts if word.isdigit() or name not in numbers]
        odd = _odd(ask, found, dict.fromkeys(taking, word))
        out.update({(name, word): answer for name, answer in odd.items()})
    strict = [name for name in found.names if name not in found.sound]
    for pair in SWITCHED:  # what takes no marker is a number, or a yes or no of one spelling
        taking = strict
        for word in pair:
            odd = _odd(ask, found, dict.fromkeys(taking, word))
            out.update({(name, word): answer for name, answer in odd.items()})
            taking = [name for name in taking if name not in odd or not odd[name].error]
            if word == pair[0]:
                strict = [name for name in strict if name not in taking]
    for name in found.names:
        engines = modes.ENGINES if "ENGINE" in name or "BACKEND" in name else ()
        for word in dict.fromkeys([*words.get(name, ()), *engines, *own.get(name, ())]):
            out[name, word] = ask({**found.bare, name: word})
        if engines and all(same(out[name, word], found.plain) for word in engines):
            out.update(_in_company(ask, found, name, engines))
    return out


def _in_company(
    ask: Ask, found: Survey, name: str, words: Sequence[str]
) -> dict[tuple[str, str], Answer]:
    """Ask with words that do something only beside others: `if ENGINE and NAME and USER`."""
    others = {one: "1" for one in found.sound if one != name and form(one) == WORD}
    beside = ask({**found.bare, **others})
    out = {}
    for word in words if not beside.error else ():
        answer = ask({**found.bare, **others, name: word})
        if not answer.error and _vendors(answer) != _vendors(beside):
            out[name, word] = replace(answer, shape=found.plain.shape, static=found.plain.static)
    return out


def _odd(ask: Ask, found: Survey, values: Mapping[str, str]) -> dict[str, Answer]:
    """Return, for each of `values` alone, the answer that differs from the bare one."""
    sets = differing(ask, found.bare, values, found.plain, same)
    return {names[0]: answer for names, answer in sets if len(names) == 1}


def _vendors(answer: Answer) -> list[str]:
    return [one["vendor"] for one in answer.connections]


def _is_spoken(answer: Answer) -> bool:
    """Whether the fast path speaks to one of the databases."""
    return any(vendor in ("postgresql", "sqlite") for vendor in _vendors(answer))


def _sorted_in(
    found: Survey,
    name: str,
    marked: Answer | None,
    told: Mapping[tuple[str, str], Answer],
    markers: Markers,
) -> bool:
    """Note what one variable does, by the answers; return whether it carries."""
    words = {w: one for (n, w), one in told.items() if n == name and not one.error}
    good = [*words.values(), *([marked] if marked and not marked.error else [])]
    if any(one.shape != found.plain.shape for one in good):
        found.shapes.append(name)
    if any(one.static != found.plain.static for one in good):
        found.statics.append(name)
    moving = {w: one for w, one in words.items() if one.connections != found.plain.connections}
    vendors = _vendors(found.plain)
    switching = [
        (name, w)
        for w, one in moving.items()
        if _vendors(one) != vendors or not _stands_in(one, [w])
    ]
    found.switches += switching
    if marked is None or marked.error or marked.connections == found.plain.connections:
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
    ask: Ask,
    found: Survey,
    position: tuple[str, ...],
    begun: list[str],
    markers: Markers,
) -> list[str]:
    """Return all variables that carry a part of the login in one position of the switches."""
    switching = {name for name, _ in found.switches}
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
        settled = {**found.under(position), **markers.fitting(todo[0], "q")}
        plain = ask(settled)
        if plain.error:
            continue
        fresh = [name for name in _candidates(plain) if name not in found.names]
        known = {*moves, *switching, *refusing}
        others = [name for name in [*found.sound, *fresh] if name not in known]
        fitting = markers.fitting(others, "q")
        values = {name: found.taken.get(name, value) for name, value in fitting.items()}
        for names, answer in list(differing(ask, settled, values, plain, same_login)):
            taken: Answer | None = answer
            if answer.error and len(names) == 1:
                taken = taken_by(ask, found, settled, names[0], markers, answer.error)
            if taken is None or taken.error:
                refusing += names
            elif taken.connections != plain.connections:
                moves += names
        words = [n for n in others if form(n) == WORD and n not in (*moves, *refusing)]
        words = [n for n in words if n not in found.taken]
        refusing += holding_objects(ask, settled, words, plain)
    if len(moves) > MOST:  # what only stands in for another, by a file, has no recipe then
        refusing += [name for name in moves if form(name) == FILE]
        moves = [name for name in moves if form(name) != FILE]
    found.unsure |= {name for name in refusing if name not in switching}
    return sorted(moves)
