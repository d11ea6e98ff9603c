"""The words that chose the target, put back into the commands that we tell a person to type.

Who has typed `tidegate --project shop up --env dev` and reads `next: tidegate status` would
otherwise be told of another target: of production, at the worst.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tidegate.container.entry import Globals
from tidegate.errors import TidegateError
from tidegate.model.command import line

VERBS = ("adopt", "apply", "backup", "collectstatic", "history", "logs", "make", "migrate", "plan",
         "restore", "rollback", "run", "settings", "status", "superuser", "up")  # fmt: skip
COMMAND = re.compile(rf"\btidegate ({'|'.join(VERBS)})\b(?! --(?:env|service|help)\b)( --local\b)?")
LISTED = "The ways back: "


def again(text: str, glob: Globals, argv: Sequence[str]) -> str:
    """Return an advice whose commands are about the target that was named."""
    folder = ("--project", glob.project)
    files = [("-f", name) for name in glob.files] + [("--env-file", glob.env_file)]
    after = _words(*((flag, _value(flag, argv)) for flag in ("--env", "--service")))

    def full(match: re.Match[str]) -> str:
        if match[2]:  # it is about no target
            return " ".join(["tidegate", *_words(folder), match[1] + match[2]])
        return " ".join(["tidegate", *_words(folder, *files), match[1], *after])

    return COMMAND.sub(full, text)


def _words(*given: tuple[str, str]) -> list[str]:
    found = line([word for flag, value in given if value for word in (flag, value)])
    return [found] if found else []


def completed(error: TidegateError, glob: Globals, argv: Sequence[str]) -> None:
    """Do so with what an error says to type."""
    error.next = again(error.next, glob, argv)
    error.meaning = "\n".join(
        again(one, glob, argv) if one.startswith(LISTED) else one
        for one in error.meaning.splitlines()
    )


def _value(flag: str, argv: Sequence[str]) -> str:
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    found = ""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else (words[index + 1] if index + 1 < len(words) else "")
    return found
