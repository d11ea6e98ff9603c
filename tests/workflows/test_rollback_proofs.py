"""What a rehearsal proves for a rollback that leaves the schema as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.workflows.update import proofs
from tidegate.workflows.update.state import State

BROKEN = [{"word": "INSERT", "table": "public.sold", "error": "null value"}]


def rehearsed(
    *steps: str, broken: Any = (), statements: int = 4, back: bool = True, **more: Any
) -> dict[str, Any]:
    """A plan's document, as far as a proof is made of it."""
    made = [{"id": one, "digest": f"of {one}", "applied": True, "broken": list(broken),
             "reversible": back}
            for one in steps]  # fmt: skip
    release = {"statements": statements, "from": "models"}
    return {"plan": "f00", "database": "default", "basis": {"target": "t"}, "steps": made,
            "rehearsal": {"release": release}, **more}  # fmt: skip


def undone(*steps: str) -> dict[str, Any]:
    """What a rollback would undo."""
    return {"database": "default", "steps": [{"id": s, "digest": f"of {s}"} for s in steps]}


@pytest.mark.parametrize(
    ("plan", "steps", "why"),
    [
        (rehearsed("a", "b"), ("b", "a"), ""),
        (rehearsed("a"), ("b", "a"), "no rehearsal of b, a"),
        (rehearsed("a", "b", "c"), ("b", "a"), "no rehearsal of"),
        (rehearsed("a", broken=BROKEN), ("a",), "breaks on it: INSERT on public.sold"),
        (rehearsed("a", statements=0), ("a",), "no statement of that release"),
        (rehearsed("a", basis={}), ("a",), "no rehearsal of"),
        (rehearsed("a"), (), "the schema is at its level"),
    ],
)
def test_of_exactly_these_steps(
    plan: dict[str, Any], steps: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    """A rehearsal of all the steps that would be undone and no others, on the target's schema,
    through which the release came with all that was tried."""
    state = State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path)})
    proofs.remember(state, plan)
    found, said = proofs.of(state, [undone(*steps)], "one")
    assert (bool(found), why in said) == (not why, True), said


def test_an_edited_step_is_another(tmp_path: Path) -> None:
    """The newest rehearsal of the same code counts, and none of other code."""
    state = State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path)})
    proofs.remember(state, rehearsed("a", broken=BROKEN))
    proofs.remember(state, rehearsed("a"))
    assert proofs.of(state, [undone("a")], "one")[1] == ""
    edited = {"database": "default", "steps": [{"id": "a", "digest": "of another"}]}
    assert "no rehearsal" in proofs.of(state, [edited], "one")[1]
    assert proofs.back(state, edited) == "no rehearsal of it is on record"
    assert proofs.back(state, undone("a")).startswith("rehearsed: down and up again gave the same")
    proofs.remember(state, rehearsed("a", back=False))
    assert "it did not give the schema back" in proofs.back(state, undone("a"))


def test_everybody_at_the_engine_knows(tmp_path: Path) -> None:
    """What one account's rehearsal has proved counts for another's rollback, together with what
    that one's have; not where another database was rehearsed on."""
    target, tell = FakeTarget(tmp_path), Report("text", quiet=True)
    anna, ben, carla = (
        State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path / name)})
        for name in ("anna", "ben", "carla")
    )
    proofs.share(anna, rehearsed("a"), target, tell, "anna")
    proofs.share(ben, rehearsed("b", broken=BROKEN), target, tell, "ben")
    carla.look(target, tell)
    (seen,), why = proofs.of(carla, [undone("a")], "one")
    assert (why, "by anna" in proofs.shown(seen)) == ("", True)
    assert "breaks on it" in proofs.of(carla, [undone("b")], "one")[1]
    assert proofs.of(carla, [{**undone("a"), "target": "t"}], "one")[1] == ""
    assert "no rehearsal" in proofs.of(carla, [{**undone("a"), "target": "other"}], "one")[1]
    proofs.share(carla, rehearsed("a"), target, tell, "carla")
    assert len(carla.proofs()) == 2, "the same plan once more is the same proof"
