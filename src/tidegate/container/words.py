"""Options of one verb, where the settings that all verbs share do not have them."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.errors import UsageProblem


def split(
    argv: Sequence[str], valued: Sequence[str], switches: Sequence[str] = (), words: int = 0
) -> tuple[dict[str, str], list[str], list[str]]:
    """Return (this verb's options, its plain words, what is left for the shared settings)."""
    own: dict[str, str] = {}
    plain: list[str] = []
    rest: list[str] = []
    todo = list(argv)
    while todo:
        word = todo.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith("--"):
            if len(plain) >= words:
                raise UsageProblem(f"{word} is one word too many", "", "see --help")
            plain.append(word)
        elif name in switches and not equals:
            own[name] = "yes"
        elif name in valued:
            if not equals and not todo:
                raise UsageProblem(f"--{name} has no value", "", f"write --{name} VALUE")
            own[name] = value if equals else todo.pop(0)
        else:
            rest += [word] if equals else [word, *todo[:1]]
            todo = todo if equals else todo[1:]
    return own, plain, rest
