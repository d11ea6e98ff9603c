"""Which steps has a schema already seen? Values only: lines of a catalogue in, steps out.

Each object (a table with all that hangs on it, a type, a view) has one version after each step that
touches it. The version that the database has tells which of these steps it has seen; a step counts
when something of it is there, and then all that it and the steps before it make has to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_PART = r'(?:"(?:[^"]|"")*"|[^".:\s()]+)'
_NAME = re.compile(rf"{_PART}(?:\.{_PART})*")
_PARTS = re.compile(_PART)
_ON = re.compile(rf"\sON (?:ONLY )?({_PART}(?:\.{_PART})?)")
KINDS = ("materialized view", "foreign key", "table", "view", "column", "constraint", "index",
         "sequence", "trigger", "function", "enum", "domain", "type", "policy", "comment",
         "schema", "extension", "unique", "check")  # fmt: skip
OF_A_TABLE = ("table", "column", "constraint", "trigger", "policy", "comment", "foreign key",
              "unique", "check")  # fmt: skip

Lines = frozenset[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not what the steps make: what lacks (`-`), and what is there (`+`)."""

    object: str
    step: str  # after which the object would be as the lines with `-` say
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What a comparison found: steps in the order in which they would be applied."""

    adopted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()  # adopted ones that change no schema: rows can't be compared
    differences: tuple[Difference, ...] = ()
    foreign: tuple[str, ...] = ()  # objects of the database that no step makes
    equal: tuple[str, ...] = ()  # with differences: the steps up to which nothing differs


@dataclass(frozen=True, slots=True)
class Climb:
    """What the steps make on an empty database: the base, then (step, schema) one after another."""

    base: Lines
    levels: tuple[tuple[str, Lines], ...]
    needs: Mapping[str, Sequence[str]]
    is_file: bool = False  # SQLite: names stand without a schema

    def versions(self) -> dict[str, list[tuple[int, Lines]]]:
        """Return each object that a step touches, with its versions; -1 is the base."""
        out: dict[str, list[tuple[int, Lines]]] = {}
        before = grouped(self.base, self.is_file)
        first = before
        for number, (_, lines) in enumerate(self.levels):
            now = grouped(lines, self.is_file)
            for name in before.keys() | now.keys():
                if before.get(name) != now.get(name):
                    start = [(-1, first.get(name, frozenset()))]
                    out.setdefault(name, start).append((number, now.get(name, frozenset())))
            before = now
        return out


def grouped(lines: Iterable[str], is_file: bool) -> dict[str, Lines]:
    """Return the lines by the object that they are of."""
    out: dict[str, set[str]] = {}
    for line in lines:
        out.setdefault(owner(line, is_file), set()).add(plain(line) if is_file else line)
    return {name: frozenset(some) for name, some in out.items()}


def plain(line: str) -> str:
    """Return a line of SQLite as it compares: case and quotes of names mean nothing there."""
    return re.sub(r'["`\[\]]', "", line).casefold()


def owner(line: str, is_file: bool) -> str:
    """Return the object that a line of the catalogue belongs to."""
    kind = next((one for one in KINDS if line.startswith(one + " ")), "")
    rest = line[len(kind) :].strip()
    if kind == "index":
        table = _ON.search(plain(line).replace(" on ", " ON ") if is_file else rest)
        if table:
            return f"table {table[1]}"
    found = _NAME.match(rest)
    name = found[0] if found else rest.partition(":")[0]
    if kind in OF_A_TABLE:
        parts = _PARTS.findall(name)
        name = ".".join(parts[: 1 if is_file else 2])
        kind = "table"
    if kind == "function":
        name = rest.partition(": ")[0]
    return f"{kind} {name.casefold() if is_file else name}"


def furthest(climb: Climb, found: Lines) -> Match:
    """Return the steps that the schema shows to have been applied."""
    there = grouped(found, climb.is_file)
    versions = climb.versions()
    at: dict[str, int] = {}
    wrong: dict[str, int] = {}
    for name, some in versions.items():
        fitting = _fitting(some, there.get(name), -1)
        if fitting is None:
            wrong[name] = len(climb.levels) - 1
        else:
            at[name] = fitting
    applied: set[int] = set()
    while True:
        seen = {n for name, top in at.items() for n, _ in versions[name] if -1 < n <= top}
        applied = _closed(climb, seen)
        raised = False
        for name in list(at):
            last = max((n for n, _ in versions[name] if n in applied), default=-1)
            if last > at[name]:
                raised = True
                fitting = _fitting(versions[name], there.get(name), last)
                if fitting is None:
                    wrong[name] = last
                    del at[name]
                else:
                    at[name] = fitting
        if not raised:
            break
    if wrong:
        return _different(climb, there, versions, wrong)
    return _match(climb, applied, there, versions)


def exactly(climb: Climb, found: Lines, wanted: Iterable[str]) -> Match:
    """Return the same for steps that a person named, with all that they need."""
    there = grouped(found, climb.is_file)
    versions = climb.versions()
    number = {step: n for n, (step, _) in enumerate(climb.levels)}
    applied = _closed(climb, {number[step] for step in wanted if step in number})
    wrong: dict[str, int] = {}
    for name, some in versions.items():
        touching = [(n, lines) for n, lines in some if n in applied]
        if touching and touching[-1][1] != there.get(name, frozenset()):
            wrong[name] = touching[-1][0]
    if wrong:
        return _different(climb, there, versions, wrong)
    return _match(climb, applied, there, versions)


def _fitting(versions: Sequence[tuple[int, Lines]], lines: Lines | None, least: int) -> int | None:
    """Return the first step, from `least` on, after which an object is what it is now."""
    return next((n for n, one in versions if n >= least and one == (lines or frozenset())), None)


def _closed(climb: Climb, some: Iterable[int]) -> set[int]:
    number = {step: n for n, (step, _) in enumerate(climb.levels)}
    out: set[int] = set()
    todo = list(some)
    while todo:
        one = todo.pop()
        if one not in out:
            out.add(one)
            step = climb.levels[one][0]
            todo += [number[need] for need in climb.needs.get(step, ()) if need in number]
    return out


def _match(
    climb: Climb,
    applied: set[int],
    there: Mapping[str, Lines],
    versions: Mapping[str, Sequence[tuple[int, Lines]]],
) -> Match:
    touching = {n for some in versions.values() for n, _ in some}
    steps = [step for step, _ in climb.levels]
    return Match(
        tuple(step for n, step in enumerate(steps) if n in applied),
        tuple(step for n, step in enumerate(steps) if n not in applied),
        tuple(step for n, step in enumerate(steps) if n in applied and n not in touching),
        foreign=_foreign(climb, there, versions),
    )


def _foreign(
    climb: Climb, there: Mapping[str, Lines], versions: Mapping[str, object]
) -> tuple[str, ...]:
    known = set(versions) | set(grouped(climb.base, climb.is_file))
    return tuple(sorted(name for name in there if name not in known and "tidegate_" not in name))


def _different(
    climb: Climb,
    there: Mapping[str, Lines],
    versions: Mapping[str, Sequence[tuple[int, Lines]]],
    wrong: Mapping[str, int],
) -> Match:
    """List what differs, each object against the version that it is nearest to."""
    out = []
    for name, last in sorted(wrong.items()):
        have = there.get(name, frozenset())
        some = [one for one in versions[name] if one[0] > -1 and one[0] <= last]
        exact = [one for one in some if one[0] == last]
        number, lines = (exact or some or versions[name])[-1]
        if not exact:
            number, lines = min(some, key=lambda one: len(one[1] ^ have))
        marked = [f"- {line}" for line in lines - have] + [f"+ {line}" for line in have - lines]
        step = climb.levels[number][0]
        out.append(Difference(name, step, tuple(sorted(marked, key=lambda line: line[2:]))))
    return Match(
        differences=tuple(out),
        left=tuple(step for step, _ in climb.levels),
        foreign=_foreign(climb, there, versions),
        equal=_equal(climb, there, versions),
    )


def _equal(
    climb: Climb,
    there: Mapping[str, Lines],
    versions: Mapping[str, Sequence[tuple[int, Lines]]],
) -> tuple[str, ...]:
    """Return the longest beginning of the way whose every object is as it should be."""
    touching = {n for some in versions.values() for n, _ in some}
    for top in range(len(climb.levels) - 1, -1, -1):
        if top not in touching:
            continue
        last = {
            name: [lines for n, lines in some if n <= top][-1]
            for name, some in versions.items()
            if any(-1 < n <= top for n, _ in some)
        }
        if all(there.get(name, frozenset()) == lines for name, lines in last.items()):
            return tuple(step for step, _ in climb.levels[: top + 1])
    return ()
