"""Which of many variables make a difference: sets of them are asked, never one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tidegate.container.asking import Answer, Ask
from tidegate.container.markers import carried


def differing(
    ask: Ask,
    settled: Mapping[str, str],
    values: Mapping[str, str],
    plain: Answer,
    same: Callable[[Answer, Answer], bool],
    hidden: bool = False,
) -> Iterator[tuple[list[str], Answer]]:
    """Yield the smallest sets of `values` that change the answer, and what it becomes.

    All are set at once, and, for the `hidden` ones, then by halves in such ways that any two are
    parted once: one that hides another is out of its way in one of the questions.
    """

    def changed(names: Sequence[str]) -> Answer | None:
        answer = ask({**settled, **{name: values[name] for name in names}})
        return answer if answer.error or not same(answer, plain) else None

    left = list(values)
    for wanted in _parting(left) if hidden else [left]:
        group = [name for name in wanted if name in left]
        while group and (answer := changed(group)):
            names = [name for name in answer.wrong if name in group]
            names = names or _spoken_of(answer, group, values, changed)
            if names:  # the settings say themselves what they don't take
                yield from (([name], answer) for name in names)
            else:
                names = _smallest(changed, [], group)
                answer = changed(names)
                if answer is None:  # it takes more than one set: all of them, then
                    names, answer = group, changed(group)
                if answer is not None:
                    yield names, answer
            left = [name for name in left if name not in names]
            group = [name for name in group if name not in names]


def _spoken_of(
    answer: Answer,
    group: Sequence[str],
    values: Mapping[str, str],
    changed: Callable[[Sequence[str]], Answer | None],
) -> list[str]:
    """Return the one of `group` whose value an error repeats, if it is one alone as well."""
    told = {name: carried(values[name]) for name in group}
    for name in [name for name in group if len(told[name]) > 3 and told[name] in answer.error]:
        alone = changed([name])
        return [name] if alone and alone.error else []
    return []


def _parting(names: list[str]) -> Iterator[list[str]]:
    yield names
    for bit in range((len(names) - 1).bit_length()):
        for side in (0, 1):
            yield [name for at, name in enumerate(names) if at >> bit & 1 == side]


def _smallest(
    changed: Callable[[Sequence[str]], object], kept: list[str], group: list[str]
) -> list[str]:
    """Return the part of `group` that, beside `kept`, it takes for the change (QuickXplain)."""
    if len(group) == 1:
        return group
    half = len(group) // 2
    first, second = group[:half], group[half:]
    if changed([*kept, *first]):
        return _smallest(changed, kept, first)
    if changed([*kept, *second]):
        return _smallest(changed, kept, second)
    of_second = _smallest(changed, [*kept, *first], second)
    of_first = (
        [] if changed([*kept, *of_second]) else _smallest(changed, [*kept, *of_second], first)
    )
    return [*of_first, *of_second]


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same of all that a seal holds."""
    return (one.connections, one.shape, one.static) == (
        other.connections,
        other.shape,
        other.static,
    )


def same_login(one: Answer, other: Answer) -> bool:
    """Whether two answers lead to the same databases."""
    return one.connections == other.connections
