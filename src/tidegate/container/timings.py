"""Where the time of a start went, as a table: its stages, the steps below theirs, the total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

MOST = 12  # steps that get a line of their own: the slowest, in their order
WITHIN = ("elect", "backup", "verify", "encrypt", "send", "migrate", "rollback")
"""The stages that pass while a database is at its gate."""
APPLYING = "migrate"
NOTICED = 0.05  # seconds of the framework's own, around the steps, from which they get a line


def table(
    seconds: Mapping[str, float], steps: Sequence[tuple[str, float]], total: float
) -> list[str]:
    """Return the lines; `seconds` are those of each stage, in the order of their first end."""
    rows = [*_stages(seconds, steps), ("total", total)]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {took:>8.2f} s" for name, took in rows]


def _stages(
    seconds: Mapping[str, float], steps: Sequence[tuple[str, float]]
) -> Iterator[tuple[str, float]]:
    for name, took in seconds.items():
        if name == "gate":  # what is left of it is looking: the level before and after
            yield name, max(0.0, took - sum(seconds.get(one, 0.0) for one in WITHIN))
            continue
        yield name, took
        if name == APPLYING:
            yield from _steps(steps)
            own = took - sum(one for _, one in steps)
            if own > NOTICED:
                yield "  before, between and after", own


def _steps(steps: Sequence[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    slowest = sorted(range(len(steps)), key=lambda at: -steps[at][1])[:MOST]
    for at in sorted(slowest):
        yield f"  {steps[at][0]}", steps[at][1]
    rest = [took for at, (_, took) in enumerate(steps) if at not in slowest]
    if rest:
        yield f"  {len(rest)} faster ones", sum(rest)
