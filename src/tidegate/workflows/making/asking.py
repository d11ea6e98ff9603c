"""What autogenerate can't know: asked, answered by flags, or refused with both readings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidegate.errors import PolicyRefused, UsageProblem

if TYPE_CHECKING:
    from tidegate.workflows.make import Making, Wanted

# Takes the lines that say what it is about, and the choices; returns the number of one.
Ask = Callable[[Sequence[str], Sequence[str]], int]
KINDS = {"column": "its values", "field": "its values", "table": "its rows", "model": "its rows",
         "value": "what is stored"}  # fmt: skip
ANSWERS = ("renames", "dropped", "filled")


def settled(
    author: Callable[[Mapping[str, Any]], dict[str, Any]], wanted: Wanted
) -> dict[str, Any]:
    """Run autogenerate until nothing is left to ask; return what came of it.

    Raises PolicyRefused where a question stays open or something can't be generated right.
    """
    job: dict[str, Any] = {
        "message": wanted.message, "app": wanted.app, "empty": wanted.empty,
        "merge": wanted.merge, "renumber": wanted.renumber, "renames": dict(wanted.renames),
        "dropped": list(wanted.dropped), "filled": list(wanted.filled),
        "scratch": wanted.scratch,
    }  # fmt: skip
    while True:
        found = author(job)
        questions, refusals = found["questions"], found["refusals"]
        if not questions and not refusals:
            if found["unused"] and not wanted.lenient:
                raise _unused(found["unused"], wanted)
            if not found["unused"]:
                return {**found, "answers": {key: job[key] for key in ANSWERS}}
            job = _without(job, found["unused"])
            continue
        if wanted.ask is None or not questions:
            raise _refusal(questions, refusals, _wrong_answers(found, wanted))
        for one in questions:
            _ask(one, job, wanted.ask)


def _without(job: Mapping[str, Any], unused: Sequence[str]) -> dict[str, Any]:
    """Return the job without the answers that name nothing: with one, no file is written."""
    renames = {old: new for old, new in job["renames"].items() if old not in unused}
    lists = {key: [one for one in job[key] if one not in unused] for key in ("dropped", "filled")}
    return {**job, "renames": renames, **lists}


def refused(found: Mapping[str, Any], wrong: Sequence[str] = ()) -> PolicyRefused | None:
    """Return the error for what is open or can't be generated right; None where nothing is.

    `wrong` says of the answers that were given which of them answer nothing.
    """
    if not found["questions"] and not found["refusals"]:
        return None
    return _refusal(found["questions"], found["refusals"], wrong)


def _ask(question: Mapping[str, Any], job: dict[str, Any], ask: Ask) -> None:
    old, likely = question["old"], question["candidates"]
    choices = [f"it is renamed to {one['new']} ({', '.join(one['why'])})" for one in likely]
    number = ask(readings(question), [*choices, f"{old} is dropped"])
    if number < len(likely):
        job["renames"][old] = likely[number]["new"]
    else:
        job["dropped"].append(old)


def readings(question: Mapping[str, Any]) -> list[str]:
    """Return both readings of what goes and what comes."""
    old, likely = question["old"], question["candidates"]
    kept = KINDS[question["kind"]]
    lost = f": {question['lost']}" if question["lost"] else ""
    return [
        f"{question['kind']} {old} goes, and {likely[0]['new']} comes "
        f"({', '.join(likely[0]['why'])})",
        f"  a rename keeps {kept}   {question['rename_writes']}",
        f"  a drop loses {kept}{lost}   {question['drop_writes']}",
    ]


def _wrong_answers(found: Mapping[str, Any], wanted: Wanted) -> list[str]:
    """Return the answers that were given and answer nothing, each as a sentence."""
    if wanted.lenient:
        return []
    return [f"{_answer(word, wanted)} names nothing of this change." for word in found["unused"]]


def _refusal(
    questions: Sequence[Mapping[str, Any]],
    refusals: Sequence[Mapping[str, str]],
    wrong: Sequence[str] = (),
) -> PolicyRefused:
    """Return one error for what has to be decided, or else for what has to be changed, first.

    A refusal may be about what a rename would settle: it waits for the answers.
    """
    refusals = [] if questions else refusals
    lines, advice = list(wrong), []
    for one in questions:
        lines += readings(one)
        advice.append(
            f"add --rename {one['old']}={one['candidates'][0]['new'].rpartition('.')[2]}   "
            f"or   --drop {one['old']}"
        )
    for refused in refusals[1:]:
        lines += [refused["what"], *(f"  {line}" for line in refused["meaning"].splitlines())]
        advice += refused["next"].splitlines()
    if questions:
        what = "this may be a rename" if len(questions) == 1 else "some of this may be renames"
        return PolicyRefused(f"{what}; no file was made", "\n".join(lines), "\n".join(advice))
    first = refusals[0]
    meaning = "\n".join([*first["meaning"].splitlines(), *lines])
    return PolicyRefused(
        f"{first['what']}; no file was made", meaning, "\n".join([first["next"], *advice])
    )


def _unused(words: Sequence[str], wanted: Wanted) -> UsageProblem:
    return UsageProblem(
        f"{_answer(words[0], wanted)} names nothing that this change is about; no file was made",
        "A name is a column or field (orders.note, shop.Order.note), a table or a model, or the "
        "end of one, that goes with this change.",
        "leave it out, or correct the name",
    )


def _answer(word: str, wanted: Wanted) -> str:
    """Return an answer as it was given."""
    if word in wanted.renames:
        return f"--rename {word}={wanted.renames[word]}"
    return f"{'--drop' if word in wanted.dropped else '--filled'} {word}"


def why_nothing(found: Mapping[str, Any]) -> str:
    """Say which models were seen, and which were not."""
    seen = list(found["seen"])
    shown = ", ".join(seen[:12]) + (f" and {len(seen) - 12} more" if len(seen) > 12 else "")
    lines = [f"Models that were seen: {shown or 'none'}."]
    return "\n".join([*lines, *(f"{one}." for one in found["unseen"])])


def try_both_orders(one: Making) -> None:
    """Apply the branches in both orders on scratch databases, where that can be done here.

    Raises PolicyRefused where the schema differs.
    """
    from tidegate.workflows.drift import commute

    def say(text: str) -> None:
        one.tell.stage("merge", "", text)

    environ = one.environ or os.environ
    why = commute.tried(one.folder, one.python, environ, say, "tidegate make --merge --renumber")
    if why:
        one.tell.warn(why)
