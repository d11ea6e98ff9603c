"""The table of a start's stages."""

from __future__ import annotations

from tidegate.container.timings import table


def test_steps_stand_below_their_stage():
    """The steps stand in their order below `migrate`; what passes at the gate is not counted
    twice; the total is the last line."""
    seconds = {
        "wait": 0.5,
        "elect": 0.01,
        "backup": 1.0,
        "migrate": 3.0,
        "gate": 4.21,
        "static": 0.25,
    }
    steps = [("shop.0002_email", 1.0), ("shop.0003_index", 2.0)]
    assert table(seconds, steps, 5.25) == [
        "wait                   0.50 s",
        "elect                  0.01 s",
        "backup                 1.00 s",
        "migrate                3.00 s",
        "  shop.0002_email      1.00 s",
        "  shop.0003_index      2.00 s",
        "gate                   0.20 s",
        "static                 0.25 s",
        "total                  5.25 s",
    ]


def test_what_the_framework_does_around_the_steps():
    """What of the stage is no step's has a line of its own, where it can be noticed."""
    (_, _, around, _) = table({"migrate": 1.5}, [("s1", 1.0)], 1.5)
    assert around == "  before, between and after      0.50 s"
    assert len(table({"migrate": 1.01}, [("s1", 1.0)], 1.01)) == 3


def test_of_many_steps_the_slowest():
    """Of more than twelve steps the slowest have a line each, and the rest one together."""
    steps = [(f"s{number:02}", 0.1 + (number == 7)) for number in range(20)]
    lines = table({"migrate": 3.0}, steps, 3.0)
    assert len(lines) == 1 + 12 + 1 + 1
    assert any(line.split() == ["s07", "1.10", "s"] for line in lines)
    assert lines[-2].split() == ["8", "faster", "ones", "0.80", "s"]
