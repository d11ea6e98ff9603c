"""A lock file stays when its owner is killed.

A script that makes a file or a folder as its lock takes it away at its end; a cancelled deployment, a kill or a full disk comes before that end, and every later run says that another one is under way.
`flock` is let go by the kernel whatever happens to the process.
It is silent where the script takes the lock away in a trap.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import scripts, shell
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"(lock|lockfile)[\s\S]{0,60}(already exists|File exists|is held|present)",
    r"(deploy\w*|another \w+) (is )?(already )?(in progress|running)",
)
PRINTED = "mkdir: cannot create directory '/var/lock/deploy.lock': File exists"
WHEN = "at the first run after one that was killed"
BAD = {
    "deploy.sh": '#!/bin/sh\nset -e\nif [ -e /tmp/deploy.lock ]; then echo "deploy in progress"; exit 1; fi\ntouch /tmp/deploy.lock\ndocker compose pull\ndocker compose up -d\nrm /tmp/deploy.lock\n',
    "compose.yaml": "services:\n  cache:\n    image: redis:7\n",
}
GOOD = {
    **BAD,
    "deploy.sh": "#!/bin/sh\nset -e\nexec 9>/tmp/deploy.lock\nflock -n 9 || exit 1\ndocker compose pull\ndocker compose up -d\n",
}
AT = "deploy.sh:4"
_LOCK = re.compile(r"(^|[/._-])(lock|locked|lockfile|lockdir)$", re.I)
_OF_PACKAGES = re.compile(
    r"(uv|poetry|pdm|package|yarn|pnpm|Pipfile|Cargo|Gemfile|composer)\.?-?lock", re.I
)
_MAKES = ("mkdir", "touch")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the commands that make a lock which only the end of the script takes away."""
    for path, parsed in scripts.naming(project, "lock"):
        text = parsed.text
        if re.search(r"\bflock\b|\bsetlock\b", text) or re.search(
            r"^\s*trap\b.*(EXIT|\b0\b)", text, re.M
        ):
            continue
        found = next((one for one in scripts.commands(parsed) if _makes_lock(one)), None)
        if found is not None and _asks(text, _name(found)):
            yield Problem(
                Place(path, found.line),
                f"{_name(found)} stays when this script is killed, and every later run then stops at it.",
                "exec 9>LOCKFILE; flock -n 9 || exit 1, which ends with the process;\n"
                "or take it away in trap '…' EXIT",
            )


def _makes_lock(one: shell.Command) -> bool:
    return one.name in _MAKES and bool(_name(one)) and "-p" not in one.words


def _name(one: shell.Command) -> str:
    """Return the lock that a command makes; empty where it makes none."""
    for word in one.words[1:]:
        base = posixpath.basename(word)
        if _LOCK.search(base) and not _OF_PACKAGES.match(base):
            return word
        if re.fullmatch(r"\$\{?\w*LOCK\w*\}?", word, re.I):
            return word
    return ""


def _asks(text: str, name: str) -> bool:
    """Whether the script stops where the lock is there: it tests it, or its mkdir fails."""
    tested = re.search(rf"(\[|test)\s[^\n]*-[efd]\s+[\"']?{re.escape(name)}", text)
    return bool(tested) or bool(
        re.search(rf"mkdir\s+[\"']?{re.escape(name)}[\"']?\s*(\|\||;|2>|&&)|if\s+!?\s*mkdir", text)
    )
