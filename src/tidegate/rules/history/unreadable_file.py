"""A migration file is not valid Python.

The framework imports every migration before it applies one: with this file it applies none.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Hazard, Rule, StepView

RULE = Rule("error")


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    if step.problem:
        yield Hazard(
            f"the file can't be read: {step.problem}",
            "correct it: the framework imports every migration before it applies one",
            span=step.title,
        )
