"""Small words for messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return "1 step", "2 steps"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def pending(number: int) -> str:
    """Return "1 step is pending", "2 steps are pending"."""
    return f"{counted(number, 'step')} {'is' if number == 1 else 'are'} pending"
