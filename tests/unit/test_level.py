"""The gate state, from plain values."""

from __future__ import annotations

import pytest

from tidegate.model.level import ancestors, heads, in_order, judge
from tidegate.model.step import Step

CHAIN = [Step("a.1"), Step("a.2", ("a.1",)), Step("a.3", ("a.2",))]
SQUASH = [
    Step("a.1"),
    Step("a.2", ("a.1",)),
    Step("a.s", (), ("a.1", "a.2")),
    Step("a.3", ("a.2",)),
]


@pytest.mark.parametrize(
    ("recorded", "state", "pending", "unknown"),
    [
        ([], "empty", ("a.1", "a.2", "a.3"), ()),
        (["a.1"], "behind", ("a.2", "a.3"), ()),
        (["a.1", "a.2", "a.3"], "current", (), ()),
        (["a.1", "a.2", "a.3", "a.4"], "ahead", (), ("a.4",)),
        (["a.1", "a.9"], "diverged", ("a.2", "a.3"), ("a.9",)),
    ],
)
def test_state(recorded, state, pending, unknown):
    """Each gate state follows from the code's steps and the recorded ids alone."""
    verdict = judge(CHAIN, recorded)
    assert (verdict.state, verdict.pending, verdict.unknown) == (state, pending, unknown)


@pytest.mark.parametrize(
    ("recorded", "pending"),
    [
        ([], ("a.s", "a.3")),
        (["a.1"], ("a.2", "a.3")),
        (["a.1", "a.2"], ("a.3",)),
        (["a.s"], ("a.3",)),
        (["a.1", "a.2", "a.s", "a.3"], ()),
    ],
)
def test_squashed(recorded, pending):
    """A squash is asked for on an empty database only; a half-way one finishes the old steps."""
    assert judge(SQUASH, recorded).pending == pending


def test_behind_a_squash_of_which_a_part_is_applied():
    """What needs the squash needs the rest of its parts, and comes after them."""
    steps = [*SQUASH[:3], Step("a.0", ("a.s",))]
    assert judge([steps[3], *steps[:3]], ["a.1"]).pending == ("a.2", "a.0")


def test_squash_whose_originals_are_deleted():
    """Rows of replaced steps whose files are gone are known, and stand for the squash."""
    steps = [Step("a.s", (), ("a.1", "a.2")), Step("a.3", ("a.s",))]
    verdict = judge(steps, ["a.1", "a.2", "a.3"])
    assert (verdict.state, verdict.unknown) == ("current", ())


@pytest.mark.parametrize(
    ("recorded", "unrecorded"),
    [(["a.1", "a.2"], ("a.s",)), (["a.1", "a.2", "a.s"], ()), (["a.1"], ()), ([], ())],
)
def test_squash_to_be_written_down(recorded, unrecorded):
    """A squash whose originals are all applied is to be recorded, unless it is."""
    assert judge(SQUASH, recorded).unrecorded == unrecorded


def test_squash_over_a_gap():
    """A part of the originals applied, the files of the rest gone: the squash stays pending."""
    verdict = judge([Step("a.s", (), ("a.1", "a.2")), Step("a.3", ("a.s",))], ["a.1", "a.3"])
    assert (verdict.state, verdict.pending) == ("behind", ("a.s",))


def test_order_follows_needs():
    """Steps come after what they need, whatever order they are given in."""
    assert [s.id for s in in_order(CHAIN[::-1])] == ["a.1", "a.2", "a.3"]


def test_order_of_a_long_chain_does_not_recurse():
    """5,000 steps in one chain are ordered without Python's recursion limit."""
    chain = [Step(f"a.{n}", (f"a.{n - 1}",) if n else ()) for n in range(5000)]
    assert [s.id for s in in_order(chain[::-1])] == [s.id for s in chain]


def test_ancestors_of_a_head():
    """Alembic's heads stand for all that they need."""
    assert ancestors(CHAIN, ["a.2"]) == {"a.1", "a.2"}


def test_two_heads():
    """Two steps that nobody needs are two heads."""
    assert heads([*CHAIN, Step("a.x", ("a.2",))]) == ("a.3", "a.x")
